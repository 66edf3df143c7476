//! The worked scenarios of the specification, by their numbers (judge, section 13).

use ReportOutcome::{Completed, Pending, Rejected};

use super::super::super::matches::Play;
use super::*;

#[test]
fn scenario_1_without_submissions_the_leader_wins_at_once() {
    let decision = round(&[]).decision();
    assert_eq!(
        decision,
        Decision {
            winner: Some(Side::Leader),
            ..Decision::default()
        }
    );
}

#[test]
fn scenario_2_six_of_128_points_do_not_qualify() {
    let observation = round(&["A", "B"])
        .played("leader", "A", 0.046875)
        .played("leader", "B", -0.2);
    assert_eq!(observation.story(), "");
    assert_eq!(observation.decision().winner(), Some("leader"));
}

#[test]
fn scenario_3_all_three_bounds_are_inclusive() {
    let observation = round(&["A"])
        .played("leader", "A", 0.05)
        .audited("submitted_1", "A", -0.05)
        .audited("leader_1", "A", 0.05)
        .source("A", true);
    assert_eq!(observation.story(), "A won V vs leader");
    let decision = observation.decision();
    assert_eq!(decision.winner(), Some("A"));
    assert_eq!(decision.verdicts(), ["A passed"]);
}

#[test]
fn scenario_4_a_submission_clearly_better_than_its_regeneration_is_rejected_without_source_audit() {
    let observation =
        round(&["A"])
            .played("leader", "A", 0.05)
            .audited("submitted_1", "A", -0.0546875);
    assert_eq!(
        observation.story(),
        "A rejected: submitted vs generated #1: -5.47%"
    );
    assert_eq!(observation.decision().winner(), Some("leader"));
}

#[test]
fn scenario_5_a_regeneration_that_does_not_beat_the_leader_is_rejected_at_once() {
    let observation = round(&["A"])
        .played("leader", "A", 0.2)
        .audited("submitted_1", "A", 0.0)
        .audited("leader_1", "A", 0.046875);
    assert_eq!(
        observation.story(),
        "A rejected: leader vs generated #1: +4.69%"
    );
    assert_eq!(observation.decision().winner(), Some("leader"));
}

#[test]
fn scenario_6_a_larger_margin_over_the_leader_does_not_help() {
    let observation = round(&["A", "B"])
        .played("leader", "A", 0.1)
        .played("leader", "B", 0.4)
        .played("A", "B", 0.03)
        .passed_audits("leader", "A")
        .source("A", true);
    assert_eq!(observation.story(), "A won V vs leader; B lost to A");
    assert_eq!(observation.decision().winner(), Some("A"));
}

#[test]
fn scenario_7_each_is_audited_against_whom_it_beat() {
    let observation = round(&["A", "B"])
        .played("leader", "A", 0.2)
        .played("leader", "B", 0.2)
        .played("A", "B", 0.2)
        .passed_audits("leader", "A")
        .passed_audits("A", "B")
        .source("A", true)
        .source("B", true);
    assert_eq!(observation.story(), "A won V vs leader; B won V vs A");
    let decision = observation.decision();
    assert_eq!(decision.winner(), Some("B"));
    assert_eq!(decision.requests(), ["A vs leader", "B vs A"]);
}

#[test]
fn scenario_8_after_a_rejection_the_next_is_folded_again_without_a_new_match() {
    let first = round(&["A", "B"])
        .played("leader", "A", 1.0)
        .played("leader", "B", 1.0)
        .played("A", "B", -1.0);
    assert_eq!(first.story(), "A won U vs leader; B lost to A");
    let decision = first.decision();
    assert_eq!(decision.requests(), ["A vs leader"]);

    let fallen = first.after(&decision).source("A", false);
    assert_eq!(
        fallen.story(),
        "A rejected: source audit; B won U vs leader"
    );
    let decision = fallen.decision();
    assert_eq!(decision.requests(), ["A vs leader", "B vs leader"]);
    assert_eq!(decision.verdicts(), ["A failed: source audit"]);
    assert_eq!(decision.matches_to_play, []);

    let done = fallen
        .after(&decision)
        .passed_audits("leader", "B")
        .source("B", true);
    assert_eq!(done.story(), "A rejected: source audit; B won V vs leader");
    assert_eq!(done.decision().winner(), Some("B"));
}

#[test]
fn scenario_9_a_failed_audit_against_an_unverified_defender_is_held_back() {
    let first = round(&["A", "B"])
        .played("leader", "A", 1.0)
        .played("leader", "B", 1.0)
        .played("A", "B", 1.0)
        .reported("B", Completed, &[1])
        .source("B", true);
    let decision = first.decision();
    assert_eq!(decision.requests(), ["A vs leader", "B vs A"]);
    assert_eq!(decision.audit_duels(), ["submitted_1-B", "A_1-B"]);

    let held_back = first
        .after(&decision)
        .audited("submitted_1", "B", 0.0)
        .audited("A_1", "B", 0.01);
    assert_eq!(held_back.story(), "A won U vs leader; B won U vs A");
    let decision = held_back.decision();
    assert_eq!(decision.verdicts(), [""; 0], "no verdict on B is published");
    assert!(
        decision
            .waits_for
            .contains(&"verification of A, whom B beat".to_owned())
    );

    let delivered = held_back.after(&decision).reported("A", Completed, &[1]);
    assert_eq!(
        delivered.decision().audit_duels(),
        ["submitted_1-A", "leader_1-A"]
    );

    let fallen = delivered.audited("submitted_1", "A", -1.0);
    assert_eq!(
        fallen.story(),
        "A rejected: submitted vs generated #1: -100.00%; B won U vs leader"
    );
    let decision = fallen.decision();
    // The reference would still play leader_1-A, which can change nothing any more (W15).
    assert_eq!(decision.audit_duels(), ["leader_1-B"]);
    assert_eq!(decision.requests(), ["A vs leader", "B vs leader"]);

    let done = fallen.after(&decision).audited("leader_1", "B", 1.0);
    assert_eq!(
        done.decision().winner(),
        Some("B"),
        "the row A_1 of B remains and is not looked at"
    );
    assert_eq!(
        done.decision().verdicts(),
        ["A failed: submitted vs generated #1: -100.00%", "B passed"]
    );
}

#[test]
fn scenario_10_one_failing_repeat_rejects_while_the_others_are_still_generated() {
    let mut first = round(&["A", "B"])
        .played("leader", "A", 1.0)
        .played("leader", "B", 1.0)
        .played("A", "B", 1.0);
    first.win_margin = 0.5;
    first.audit_repeats = 3;
    let mut audited = first.reported("B", Completed, &[1, 2, 3]).source("B", true);
    for repeat in 1..=3 {
        audited = audited
            .audited(&format!("submitted_{repeat}"), "B", -0.4)
            .audited(&format!("A_{repeat}"), "B", 0.1);
    }
    assert_eq!(audited.story(), "A won U vs leader; B won U vs A");
    let decision = audited.decision();
    let fallen = audited
        .after(&decision)
        .reported("A", Pending, &[1])
        .audited("submitted_1", "A", -1.0);
    assert_eq!(
        fallen.story(),
        "A rejected: submitted vs generated #1: -100.00%; B won U vs leader"
    );
    let decision = fallen.decision();
    assert_eq!(
        decision.verdicts(),
        ["A failed: submitted vs generated #1: -100.00%"]
    );
    assert_eq!(
        decision.audit_duels(),
        ["leader_1-B", "leader_2-B", "leader_3-B"]
    );

    let mut done = fallen.after(&decision);
    for repeat in 1..=3 {
        done = done.audited(&format!("leader_{repeat}"), "B", 0.5);
    }
    assert_eq!(done.decision().winner(), Some("B"));
}

fn chain() -> Observation {
    round(&["A", "B", "C"])
        .played("leader", "A", 0.2)
        .played("leader", "B", 0.2)
        .played("leader", "C", 0.2)
        .played("A", "B", 0.1)
        .played("B", "C", 0.1)
        .passed_audits("leader", "A")
        .passed_audits("A", "B")
        .passed_audits("B", "C")
        .source("A", true)
        .source("B", true)
        .source("C", true)
        .reported("A", Completed, &[1])
        .reported("B", Completed, &[1])
        .reported("C", Completed, &[1])
}

#[test]
fn scenario_11_a_chain_falls_back_and_is_verified_again() {
    assert_eq!(
        chain().story(),
        "A won V vs leader; B won V vs A; C won V vs B"
    );
    assert_eq!(chain().decision().winner(), Some("C"));

    let fallen = chain().after(&chain().decision()).source("A", false);
    assert_eq!(
        fallen.story(),
        "A rejected: source audit; B won U vs leader; C won U vs B"
    );
    let decision = fallen.decision();
    assert_eq!(decision.winner, None);
    assert_eq!(decision.audit_duels(), ["leader_1-B"]);
    assert_eq!(
        decision.requests(),
        ["A vs leader", "B vs leader", "C vs B"]
    );
    assert_eq!(
        decision.verdicts(),
        ["A failed: source audit"],
        "B and C are not passed against these defenders"
    );

    let passed = fallen.clone().audited("leader_1", "B", 0.1);
    assert_eq!(
        passed.story(),
        "A rejected: source audit; B won V vs leader; C won V vs B"
    );
    assert_eq!(passed.decision().winner(), Some("C"));

    let failed = fallen.audited("leader_1", "B", 0.01);
    assert_eq!(
        failed.story(),
        "A rejected: source audit; B rejected: leader vs generated #1: +1.00%; C won U vs leader"
    );
    assert_eq!(failed.decision().audit_duels(), ["leader_1-C"]);
}

#[test]
fn scenario_12_the_fold_goes_on_behind_a_pending_match() {
    let observation = round(&["A", "B", "C"])
        .played("leader", "A", 0.2)
        .played("leader", "B", 0.2)
        .played("leader", "C", 0.2)
        .played("A", "C", 0.1);
    assert_eq!(
        observation.story(),
        "A won U vs leader; B pending vs A; C won U vs A"
    );
    let decision = observation.decision();
    assert_eq!(decision.matches(), ["A-B"]);
    assert_eq!(decision.requests(), ["A vs leader", "C vs A"]);
    assert_eq!(decision.winner, None);

    let folded = observation.after(&decision).played("A", "B", 0.1);
    assert_eq!(
        folded.story(),
        "A won U vs leader; B won U vs A; C pending vs B"
    );
    assert_eq!(
        folded.decision().requests(),
        ["A vs leader", "C vs A", "B vs A"]
    );
}

#[test]
fn scenario_13_every_repeat_is_waited_for() {
    let mut observation = round(&["A"])
        .played("leader", "A", 0.2)
        .source("A", true)
        .reported("A", Pending, &[1, 2]);
    observation.audit_repeats = 3;
    for repeat in 1..=2 {
        observation = observation
            .audited(&format!("submitted_{repeat}"), "A", 0.0)
            .audited(&format!("leader_{repeat}"), "A", 0.2);
    }
    assert_eq!(observation.story(), "A won U vs leader");
    let decision = observation.decision();
    assert_eq!(
        (decision.winner(), decision.waits_for.clone()),
        (None, vec!["regeneration 3 of 3 of A".to_owned()])
    );
}

#[test]
fn scenario_14_a_missing_source_audit_is_named() {
    let observation = round(&["A"])
        .played("leader", "A", 0.2)
        .passed_audits("leader", "A");
    assert_eq!(observation.story(), "A won U vs leader");
    let decision = observation.decision();
    assert_eq!(
        (decision.winner(), decision.waits_for.clone()),
        (None, vec!["source audit of A".to_owned()])
    );
}

#[test]
fn scenario_15_while_audits_run_the_other_pairs_are_explored() {
    let observation = round(&["A", "B", "C"])
        .played("leader", "A", 0.2)
        .played("leader", "B", 0.2)
        .played("leader", "C", 0.2)
        .played("A", "B", -0.1)
        .played("A", "C", -0.1);
    assert_eq!(
        observation.story(),
        "A won U vs leader; B lost to A; C lost to A"
    );
    assert_eq!(
        observation.decision().of_purpose(MatchPurpose::Exploratory),
        ["B-C"]
    );
    let done = observation
        .passed_audits("leader", "A")
        .source("A", true)
        .decision();
    assert_eq!((done.winner(), done.matches_to_play.len()), (Some("A"), 0));
}

#[test]
fn scenario_16_a_miner_without_usable_output_loses_without_a_duel() {
    let mut observation = round(&["A"]);
    observation
        .delivered
        .submitted
        .insert("A".into(), Outputs::Empty);
    let decision = observation.decision();
    assert_eq!(
        decision.matches_to_play[0].how,
        Play::Walkover { margin: -1.0 }
    );
    assert_eq!(
        observation.played("leader", "A", -1.0).decision().winner(),
        Some("leader")
    );
}

#[test]
fn scenario_17_without_usable_output_on_either_side_the_leader_stays() {
    let mut observation = round(&["A"]);
    observation
        .delivered
        .submitted
        .insert("A".into(), Outputs::Empty);
    observation.delivered.baseline = Outputs::Empty;
    assert_eq!(
        observation.decision().matches_to_play[0].how,
        Play::Walkover { margin: 0.0 }
    );
    assert_eq!(
        observation.played("leader", "A", 0.0).decision().winner(),
        Some("leader")
    );
}

#[test]
fn scenario_18_a_leader_without_usable_output_no_longer_keeps_the_round_from_ending() {
    let mut observation = round(&["A"])
        .source("A", true)
        .reported("A", Completed, &[1]);
    observation.delivered.baseline = Outputs::Empty;
    assert_eq!(
        observation.decision().matches_to_play[0].how,
        Play::Walkover { margin: 1.0 }
    );

    let won = observation.played("leader", "A", 1.0);
    assert_eq!(won.story(), "A won U vs leader");
    let duels = won.decision().audit_duels_to_play;
    let against_leader = duels
        .iter()
        .find(|duel| duel.left.to_string() == "leader_1")
        .unwrap();
    assert_eq!(against_leader.how, Play::Walkover { margin: 1.0 });
    let done = won
        .audited("submitted_1", "A", 0.0)
        .audited("leader_1", "A", 1.0);
    assert_eq!(done.decision().winner(), Some("A"));
}

#[test]
fn scenario_19_after_a_finished_run_nothing_is_played_or_requested_again() {
    let decision = chain().decision();
    let restarted = chain().after(&decision).decision();
    assert_eq!(restarted, decision);
    assert_eq!(
        (
            restarted.matches_to_play.len(),
            restarted.audit_duels_to_play.len()
        ),
        (0, 0)
    );
    assert_eq!(restarted.winner(), Some("C"));
}

#[test]
fn scenario_20_an_interrupted_match_leaves_no_trace_and_is_played_again() {
    let decision = round(&["A", "B"]).decision();
    assert_eq!(decision.matches(), ["leader-A", "leader-B"]);
    assert_eq!((decision.winner(), decision.requests().len()), (None, 0));
    assert_eq!(
        decision.waits_for,
        [
            "qualification match leader vs A",
            "qualification match leader vs B"
        ]
    );
}

#[test]
fn scenario_21_a_rejected_report_takes_the_miner_out_and_its_reason_is_cut() {
    let mut observation = round(&["A", "B"])
        .played("leader", "A", 0.2)
        .played("leader", "B", 0.1)
        .played("A", "B", -0.3)
        .reported("A", Rejected, &[]);
    observation.reports.get_mut("A").unwrap().reason = "é".repeat(70);
    let reason = format!("generation report: {}", "é".repeat(64));
    assert_eq!(
        observation.story(),
        format!("A rejected: {reason}; B won U vs leader")
    );
    assert_eq!(observation.decision().winner, None);
}

#[test]
fn scenario_22_a_verdict_that_no_longer_holds_is_withdrawn_so_that_the_regeneration_goes_on() {
    let first = round(&["A", "B"])
        .played("leader", "A", 0.2)
        .played("leader", "B", 0.2)
        .played("A", "B", 0.1)
        .passed_audits("leader", "A")
        .source("A", true)
        .audited("submitted_1", "B", 0.0)
        .audited("A_1", "B", 0.0)
        .reported("B", Completed, &[1])
        .source("B", true);
    assert_eq!(
        first.story(),
        "A won V vs leader; B rejected: A vs generated #1: +0.00%"
    );
    let mut decision = first.decision();
    decision.audit_requests.request(&"B".into(), &"A".into());
    let requested = first.after(&decision);
    let decision = requested.decision();
    assert_eq!(
        decision.verdicts(),
        ["A passed", "B failed: A vs generated #1: +0.00%"]
    );

    let fallen = requested.after(&decision).source("A", false);
    assert_eq!(
        fallen.story(),
        "A rejected: source audit; B won U vs leader"
    );
    let decision = fallen.decision();
    assert_eq!(decision.verdicts(), ["A failed: source audit"]);
    assert_eq!(decision.requests(), ["A vs leader", "B vs leader"]);
    assert_eq!(decision.audit_duels(), ["leader_1-B"]);
    assert_eq!(
        fallen
            .after(&decision)
            .audited("leader_1", "B", 0.2)
            .decision()
            .winner(),
        Some("B")
    );
}
