//! What the tournament starts, cancels and leaves, by what it sees. Its rules have tests of their own.
#![allow(clippy::unwrap_used, missing_docs)]

use schema::{
    Hotkey, RoundNumber, Side,
    files::{GenerationReport, RepeatReport, ReportOutcome, SourceAudit, SourceAudits, Verdict},
};
use workflow::{
    db::tournament::{Regenerating, Standing},
    engine::{Decision, Reconciler as _},
    round::flows::{Tournament, TournamentInput},
    rules::matches::Outputs,
};

/// Miners that reveal in this order, each better than all before.
const MINERS: usize = 6;

fn miner(place: usize) -> Hotkey {
    Hotkey::new(format!("5Miner{place}aaaaaaaaa"))
}

fn input() -> TournamentInput {
    TournamentInput {
        round: RoundNumber(3),
        win_margin: 0.05,
        audit_repeats: 2,
        submissions: Vec::new(),
        prompts: Vec::new(),
        seed: 1,
        judging: workflow::round::judging::Judging::default(),
        budget: workflow::rules::regeneration::Budget::default(),
    }
}

/// Everybody beat everybody before, and every build is decided: all that is missing are audits.
fn standing() -> Standing {
    let mut standing = Standing::default();
    let observation = &mut standing.observation;
    (observation.win_margin, observation.audit_repeats) = (0.05, 2);
    observation.delivered.baseline = Outputs::Usable;
    for place in 0..MINERS {
        let hotkey = miner(place);
        observation.challengers.push(hotkey.clone());
        observation
            .delivered
            .submitted
            .insert(hotkey.clone(), Outputs::Usable);
        observation.matches.insert(&Side::Leader, &hotkey, 0.5);
        for before in 0..place {
            observation
                .matches
                .insert(&Side::Miner(miner(before)), &hotkey, 0.5);
        }
        standing.built.insert(hotkey);
    }
    standing
}

fn decide(standing: Standing) -> Decision<Side> {
    Tournament::decide(&input(), standing).unwrap()
}

fn started(decision: &Decision<Side>, name: &str) -> Vec<String> {
    let jobs = decision.starts.iter().filter(|job| job.name == name);
    jobs.map(|job| job.key.clone()).collect()
}

fn key(place: usize) -> String {
    format!("round/3/regeneration/{}", miner(place))
}

fn regenerating(place: usize, again: u32, state: &str) -> (Hotkey, Regenerating) {
    let key = match again {
        0 => key(place),
        again => format!("{}/again/{again}", key(place)),
    };
    let state = state.to_owned();
    (miner(place), Regenerating { key, again, state })
}

fn source_audit(standing: &mut Standing, place: usize, verdict: Verdict) {
    let SourceAudits(audits) = &mut standing.observation.source_audits;
    audits.push(SourceAudit {
        hotkey: miner(place),
        verdict,
        reason: String::new(),
    });
}

#[test]
fn four_regenerations_rent_at_one_time_in_the_order_of_the_requests() {
    let decision = decide(standing());
    assert_eq!(
        started(&decision, "regeneration"),
        [key(0), key(1), key(2), key(3)]
    );

    let mut two_seats = standing();
    two_seats.renting = 2;
    two_seats
        .regenerations
        .extend([regenerating(0, 0, "waiting")]);
    assert_eq!(
        started(&decide(two_seats), "regeneration"),
        [key(1), key(2)]
    );
}

#[test]
fn a_regeneration_waits_for_its_build_without_taking_a_seat() {
    let mut standing = standing();
    standing.built.remove(&miner(0));
    standing.built.remove(&miner(1));
    assert_eq!(
        started(&decide(standing), "regeneration"),
        [key(2), key(3), key(4), key(5)]
    );
}

#[test]
fn a_miner_that_is_out_is_not_regenerated_and_what_it_rents_is_given_back() {
    let mut standing = standing();
    source_audit(&mut standing, 0, Verdict::Failed);
    standing
        .regenerations
        .extend([regenerating(0, 0, "waiting")]);
    let decision = decide(standing);
    assert!(!started(&decision, "regeneration").contains(&key(0)));
    assert_eq!(decision.moot[0].0, key(0));
    assert_eq!(
        started(&decision, "release-pods"),
        [format!("{}/release/cancelled/0", key(0))]
    );
}

#[test]
fn a_rejection_that_is_taken_back_lets_the_regeneration_begin_anew_after_what_it_had_reported() {
    let mut standing = standing();
    // A person failed the miner's source, which cancelled its regeneration, and corrects it.
    source_audit(&mut standing, 0, Verdict::Failed);
    source_audit(&mut standing, 0, Verdict::Passed);
    standing
        .regenerations
        .extend([regenerating(0, 0, "cancelled")]);
    let repeat = RepeatReport {
        repeat_index: 1,
        generated_prompts: 2,
        failed_prompts: 0,
        generation_time: Some(1.0),
    };
    let report = GenerationReport {
        hotkey: miner(0),
        outcome: ReportOutcome::Pending,
        repeats: vec![repeat],
        reason: String::new(),
    };
    standing.observation.reports.insert(miner(0), report);
    let decision = decide(standing.clone());
    let anew = decision
        .starts
        .iter()
        .find(|job| job.key == format!("{}/again/1", key(0)));
    let anew = &anew.unwrap().input;
    assert_eq!(anew["again"], 1);
    assert_eq!(anew["reported"][0]["repeat_index"], 1);

    // Nobody starts a third one while the second is under way.
    standing
        .regenerations
        .extend([regenerating(0, 1, "waiting")]);
    let keys = started(&decide(standing), "regeneration");
    assert!(
        !keys.iter().any(|key| key.contains(miner(0).as_str())),
        "{keys:?}"
    );
}

/// Nobody beat the leader: there is a winner.
fn decided() -> Standing {
    let mut standing = standing();
    for place in 0..MINERS {
        standing
            .observation
            .matches
            .insert(&Side::Leader, &miner(place), -0.5);
    }
    standing
}

#[test]
fn the_tournament_ends_only_when_nothing_of_it_can_write_any_more() {
    let mut standing = decided();
    let exploratory = "round/3/match/somebody/else".to_owned();
    standing.under_way = vec![workflow::db::measurement::MatchUnderWay {
        name: workflow::db::measurement::MatchName {
            matrix: "matches",
            left: "somebody".to_owned(),
            right: Hotkey::new("else"),
        },
        key: exploratory.clone(),
    }];
    standing
        .regenerations
        .extend([regenerating(2, 0, "waiting")]);
    let decision = decide(standing);
    assert_eq!(decision.end, None);
    let moot: Vec<&String> = decision.moot.iter().map(|(key, _)| key).collect();
    assert_eq!(moot, [&exploratory, &key(2)]);
    assert_eq!(
        started(&decision, "release-pods"),
        [format!("{}/release/cancelled/0", key(2))]
    );
}

#[test]
fn the_end_gives_back_whatever_the_round_has_rented() {
    let mut standing = decided();
    standing
        .regenerations
        .extend([regenerating(2, 1, "cancelled")]);
    let decision = decide(standing);
    assert_eq!(decision.end, Some(Side::Leader));
    let keys: Vec<&str> = decision
        .effects
        .starts
        .iter()
        .map(|job| job.key.as_str())
        .collect();
    let of_miner = format!("{}/release/round", key(2));
    assert_eq!(
        keys,
        ["round/3/regeneration/leader/release/round", &of_miner]
    );
}
