//! Decisions beyond the worked scenarios: readiness, requests, verdicts, publication.

use ReportOutcome::{Completed, Rejected};

use super::super::super::matches::Play;
use super::*;

fn qualified(hotkeys: &[&str]) -> Observation {
    hotkeys.iter().fold(round(hotkeys), |observation, hotkey| {
        observation.played("leader", hotkey, 0.2)
    })
}

#[test]
fn all_matches_that_can_start_are_named_at_once_in_the_references_order() {
    assert_eq!(
        round(&["C", "A", "B"]).decision().matches(),
        ["leader-C", "leader-A", "leader-B"]
    );
    let pending = qualified(&["A", "B", "C"]).decision();
    assert_eq!(pending.of_purpose(MatchPurpose::Timeline), ["A-B", "A-C"]);
    assert_eq!(
        pending.of_purpose(MatchPurpose::Exploratory),
        [""; 0],
        "nothing is explored while titles are open"
    );
    assert!(
        pending
            .matches_to_play
            .iter()
            .all(|planned| planned.how == Play::Judge)
    );
}

#[test]
fn a_match_waits_for_what_is_not_ready_and_names_it() {
    let mut observation = round(&["A", "B"]);
    observation.delivered.baseline = Outputs::NotReady;
    observation.delivered.submitted.remove(&Hotkey::new("B"));
    let decision = observation.decision();
    assert_eq!(decision.matches_to_play, []);
    assert_eq!(
        decision.waits_for,
        [
            "qualification match leader vs A (needs the leader's baseline)",
            "qualification match leader vs B (needs the leader's baseline and the submission of B)",
        ]
    );
}

#[test]
fn miners_that_are_out_need_not_qualify() {
    let observation = round(&["A", "B", "C"])
        .source("A", false)
        .reported("B", Rejected, &[]);
    assert_eq!(observation.decision().matches(), ["leader-C"]);
    assert_eq!(
        observation.played("leader", "C", 0.0).decision().winner(),
        Some("leader")
    );
}

#[test]
fn a_source_audit_that_is_corrected_lets_the_miner_in_again() {
    let observation = round(&["A"]).source("A", false);
    assert_eq!(observation.decision().winner(), Some("leader"));
    assert_eq!(
        observation.source("A", true).decision().matches(),
        ["leader-A"]
    );
}

#[test]
fn an_audit_is_requested_before_later_challengers_have_qualified_but_not_before_earlier_ones() {
    let early = round(&["A", "B"]).played("leader", "A", 0.2);
    assert_eq!(early.decision().requests(), ["A vs leader"]);
    let out_of_order = round(&["A", "B"]).played("leader", "B", 0.2);
    assert_eq!(out_of_order.story(), "B won U vs leader");
    assert_eq!(out_of_order.decision().requests(), [""; 0]);
    let excluded = out_of_order.source("A", false);
    assert_eq!(excluded.decision().requests(), ["B vs leader"]);
}

#[test]
fn requests_keep_their_place_when_the_defender_changes_or_the_title_is_lost() {
    let first = qualified(&["A", "B"]).played("A", "B", 0.2);
    let decision = first.decision();
    assert_eq!(decision.requests(), ["A vs leader", "B vs A"]);
    let lost = first.after(&decision).played("A", "B", -0.2);
    assert_eq!(lost.story(), "A won U vs leader; B lost to A");
    assert_eq!(
        lost.decision().requests(),
        ["A vs leader", "B vs A"],
        "the last defender stays"
    );
}

#[test]
fn audit_duels_wait_for_pictures_of_ours_and_never_count_them_as_the_miners_loss() {
    let mut observation = qualified(&["A"])
        .reported("A", Completed, &[1])
        .source("A", true);
    observation.delivered.regenerated.clear();
    let decision = observation.decision();
    assert_eq!(decision.audit_duels_to_play, []);
    assert_eq!(
        decision.waits_for,
        [
            "audit duel submitted_1 vs A (needs the pictures of regeneration 1 of A)",
            "audit duel leader_1 vs A (needs the pictures of regeneration 1 of A)",
        ]
    );
}

#[test]
fn a_regeneration_in_which_the_miners_code_made_nothing_loses_without_a_duel_and_the_round_ends() {
    let mut observation = qualified(&["A"])
        .reported("A", Completed, &[1])
        .source("A", true);
    observation
        .delivered
        .regenerated
        .insert(("A".into(), 1), Outputs::Empty);
    let duels = observation.decision().audit_duels_to_play;
    assert_eq!(
        duels.iter().map(|duel| duel.how).collect::<Vec<_>>(),
        [Play::Walkover { margin: -1.0 }; 2]
    );
    let done = observation.audited("submitted_1", "A", -1.0);
    assert_eq!(
        done.story(),
        "A rejected: submitted vs generated #1: -100.00%"
    );
    assert_eq!(done.decision().winner(), Some("leader"));
}

#[test]
fn repeats_beyond_the_configured_ones_are_not_looked_at() {
    let observation = qualified(&["A"])
        .reported("A", Completed, &[2, 1, 2, 0])
        .audited("submitted_2", "A", -1.0)
        .passed_audits("leader", "A")
        .source("A", true);
    assert_eq!(observation.decision().winner(), Some("A"));
    let fresh = qualified(&["A"]).reported("A", Completed, &[2, 1, 2, 0]);
    assert_eq!(
        fresh.decision().audit_duels(),
        ["submitted_1-A", "leader_1-A"]
    );
}

#[test]
fn without_repeats_the_source_audit_alone_verifies() {
    let mut observation = qualified(&["A"]);
    observation.audit_repeats = 0;
    assert_eq!(observation.decision().waits_for, ["source audit of A"]);
    assert_eq!(observation.source("A", true).decision().winner(), Some("A"));
}

#[test]
fn the_last_source_audit_counts_and_its_reason_is_published() {
    let mut observation = qualified(&["A"]).source("A", true).source("A", false);
    observation.source_audits.0.last_mut().unwrap().reason = "Repository not found".into();
    assert_eq!(
        observation.story(),
        "A rejected: source audit: Repository not found"
    );
}

#[test]
fn a_margin_that_is_no_number_is_measured_again() {
    let observation = round(&["A"]).played("leader", "A", f64::NAN);
    assert_eq!(observation.decision().matches(), ["leader-A"]);
    let audited =
        qualified(&["A"])
            .reported("A", Completed, &[1])
            .audited("submitted_1", "A", f64::NAN);
    assert_eq!(
        audited.decision().audit_duels(),
        ["submitted_1-A", "leader_1-A"]
    );
}

#[test]
fn a_miner_rejected_before_any_request_gets_no_verdict() {
    let observation = qualified(&["A"]).source("A", false);
    assert_eq!(observation.decision().verdicts(), [""; 0]);
}

#[test]
fn verdicts_the_timeline_says_nothing_about_stay() {
    let first = qualified(&["A", "B"])
        .played("A", "B", 0.2)
        .passed_audits("leader", "A")
        .passed_audits("A", "B")
        .source("A", true)
        .source("B", true);
    let decision = first.decision();
    assert_eq!(decision.verdicts(), ["A passed", "B passed"]);
    // Judged again: B loses now. It was audited fine, and still is.
    let lost = first.after(&decision).played("A", "B", 0.0);
    assert_eq!(lost.decision().verdicts(), ["A passed", "B passed"]);
    // Judged again: A does not qualify any more.
    let unqualified = lost.played("leader", "A", 0.0);
    assert_eq!(
        unqualified.decision().verdicts(),
        ["A passed"],
        "B holds a title it was not audited for"
    );
}

#[test]
fn rows_appear_in_the_order_of_play_however_the_matches_ended() {
    let observation = qualified(&["A", "B", "C"])
        .played("A", "C", 0.0)
        .played("B", "C", 0.1);
    let names = |rows: Vec<PublicRow>| -> Vec<String> {
        rows.iter()
            .map(|(left, right, _)| format!("{left}-{right}"))
            .collect()
    };
    let nothing = Matrix::default();
    assert_eq!(
        names(publishable_rows(&observation, &nothing)),
        ["leader-A", "leader-B", "leader-C"],
        "A-C waits for A-B, which is not measured"
    );
    assert_eq!(names(remaining_rows(&observation, &nothing)).len(), 5);
    let complete = observation.played("A", "B", -0.1);
    assert_eq!(
        names(publishable_rows(&complete, &nothing)),
        ["leader-A", "leader-B", "leader-C", "A-B", "A-C", "B-C"]
    );
    let gap = round(&["A", "B"]).played("leader", "B", 0.2);
    assert_eq!(
        publishable_rows(&gap, &nothing),
        [],
        "a match that ended early waits for those before it"
    );
}
