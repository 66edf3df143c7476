//! Every flow of the round with each of its jobs crashed at each moment of its life, by the real handlers on a world in
//! memory: the same rows, files, events and objects as without a crash, nothing recorded twice and nothing left rented.
#![allow(clippy::unwrap_used, missing_docs)]

mod scenario;
mod world;

use std::collections::BTreeSet;

use schema::{Side, files::BuildStatus};
use serde_json::json;
use sqlx::PgPool;
use workflow::{
    engine::NewJob,
    round::{
        entry::Prompt,
        flows::{Regeneration, RegenerationInput, Round},
        steps::{RoundInput, build_event},
    },
    testing::{self, Coverage, Point},
};

use crate::{
    scenario::{ROUND, Run},
    world::{Manner, Miner, World},
};

/// A round with a winner, one that only beats the leader, and one that delivers little. Nobody falls by an audit: its other
/// audits and the rest of its regeneration are cancelled then, wherever they stand, so that rows would differ from run to run.
fn round() -> Run {
    let honest = Miner {
        name: "Honest",
        strength: vec![5, 5, 5],
        pods: Manner::FirstIsReplaced,
        ..Miner::default()
    };
    let second = Miner {
        name: "Second",
        strength: vec![3, 3, 3],
        ..Miner::default()
    };
    let careless = Miner {
        name: "Careless",
        strength: vec![0],
        missing: Some("chair"),
        broken: Some("table"),
        is_unbuildable: true,
        ..Miner::default()
    };
    Run::new(
        vec![honest, second, careless],
        vec![NewJob::flow::<Round>(&RoundInput { round: ROUND }).unwrap()],
    )
}

/// A round of one miner, with no more jobs than can all be crashed in the company of each other in reasonable time.
fn round_of_one() -> Run {
    let honest = Miner {
        name: "Honest",
        strength: vec![5, 5, 5],
        ..Miner::default()
    };
    Run::new(
        vec![honest],
        vec![NewJob::flow::<Round>(&RoundInput { round: ROUND }).unwrap()],
    )
}

/// A round in which nobody has revealed anything.
fn empty_round() -> Run {
    Run {
        goes_on: true,
        ..Run::new(
            Vec::new(),
            vec![NewJob::flow::<Round>(&RoundInput { round: ROUND }).unwrap()],
        )
    }
}

/// Regenerations that go wrong, each in its way.
fn bad_regenerations() -> Run {
    let miner = |name, pods| Miner {
        name,
        pods,
        strength: vec![5, 5],
        ..Miner::default()
    };
    let miners = vec![
        Miner {
            is_unbuildable: true,
            ..miner("Unbuildable", Manner::Work)
        },
        miner("NeverReady", Manner::NeverReady),
        miner("Replaced", Manner::AreReplaced),
        miner("Working", Manner::Work),
    ];
    let prompts = ["chair", "table"].map(|stem| format!("https://prompts.example/{stem}.png"));
    let input = |miner: &Miner| RegenerationInput {
        round: ROUND,
        side: Side::Miner(miner.hotkey()),
        image: None,
        prompts: prompts.iter().map(|url| Prompt::of_url(url)).collect(),
        seed: 7,
        repeats: 1,
        first_pod: 0,
        again: 0,
        reported: Vec::new(),
    };
    let build = |miner: &Miner| {
        let status = if miner.is_unbuildable {
            BuildStatus::Failure
        } else {
            BuildStatus::Success
        };
        let image = (!miner.is_unbuildable).then(|| format!("registry.example/{}:1", miner.name));
        json!({
            "repo": "a/b", "commit": "a".repeat(40), "revealed_at_block": 1, "tag": "1", "status": status.as_str(),
            "docker_image": image,
        })
    };
    let baseline = RegenerationInput {
        side: Side::Leader,
        image: Some("registry.example/base:1".to_owned()),
        ..input(&miners[0])
    };
    let starts = miners.iter().map(input).chain([baseline]);
    let starts = starts.map(|input| NewJob::flow::<Regeneration>(&input).unwrap());
    Run {
        leaders_pods: Manner::FirstSetIsReplaced,
        events: miners
            .iter()
            .map(|miner| (build_event(ROUND, &miner.hotkey()), build(miner)))
            .collect(),
        ..Run::new(miners.clone(), starts.collect())
    }
}

/// Steps of the real duel, for which these scenarios have a shorter one. The first two are crashed by the tests of the duel in
/// `workflow`; the last one is not crashed anywhere yet.
const OF_THE_REAL_DUEL: [&str; 3] = ["ask", "compare_embeddings", "measure_gray"];

/// That this build's steps and flows were crashed wherever they can be: steps at four moments, flows at the two of a commit.
fn covers_everything(pool: &PgPool, coverage: &Coverage) {
    let registry = World::new(&[], Manner::Work).registry(pool);
    let commit = BTreeSet::from([Point::BeforeCommit, Point::AfterCommit]);
    let handler = BTreeSet::from([Point::BeforeHandler, Point::AfterHandler]);
    let whole = &commit | &handler;
    let steps = registry
        .steps()
        .into_iter()
        .filter(|step| !OF_THE_REAL_DUEL.contains(step))
        .map(|step| (step, &whole));
    let flows = registry.flows().into_iter().map(|flow| (flow, &commit));
    let expected: Coverage = steps
        .chain(flows)
        .map(|(name, points)| (name.to_owned(), points.clone()))
        .collect();
    assert_eq!(
        *coverage, expected,
        "a new step or flow needs a place in one of these scenarios"
    );
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn each_step_and_flow_of_the_round_may_crash_and_repeat(pool: PgPool) {
    let mut coverage = Coverage::new();
    // The cheapest first.
    for run in [empty_round(), bad_regenerations(), round()] {
        testing::crash_one_job_of_each_name(&pool, &run, &mut coverage)
            .await
            .unwrap();
    }
    covers_everything(&pool, &coverage);
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn every_job_of_a_round_may_crash_in_company_of_the_others(pool: PgPool) {
    let report = testing::crash_every_job_in_one_run(&pool, &round_of_one())
        .await
        .unwrap();
    assert_eq!(report.runs, 5);
    assert!(report.crashes > report.jobs, "{report:?}");
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn every_job_of_a_bad_regeneration_may_crash_in_company_of_the_others(pool: PgPool) {
    let report = testing::crash_every_job_in_one_run(&pool, &bad_regenerations())
        .await
        .unwrap();
    assert_eq!(report.runs, 5);
    assert!(report.crashes > report.jobs, "{report:?}");
}
