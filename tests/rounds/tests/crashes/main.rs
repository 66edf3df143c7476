//! Every flow of the round with each of its jobs crashed at each moment of its life, by the real handlers on a world in
//! memory: the same rows, files, events and objects as without a crash, nothing recorded twice and nothing left rented.
#![allow(clippy::unwrap_used, missing_docs)]

mod duels;
mod fallen;
mod paused;
mod playing;
mod recorded;
mod redrawn;
mod scenario;
mod world;

use std::collections::BTreeSet;

use assize::clients::object_store::Object;
use schema::{Side, files::BuildStatus};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;
use workflow::{
    engine::{FlowDefinition as _, NewJob, Step as _},
    round::{
        entry::{EntryId, ModuleRef, Prompt},
        flows::{DuelFlow, Match, Regeneration, RegenerationInput, Round},
        steps::{
            Ask, CompareEmbeddings, LoadMatch, MeasureGray, Redraw, RedrawInput, RenderInput,
            RoundInput, build_event,
        },
    },
    rules::regeneration::Budget,
    testing::{self, Coverage, Point},
};

use crate::{
    duels::Duels,
    fallen::Fallen,
    scenario::{ROUND, Run},
    world::{Manner, Miner, World},
};

/// A round with a winner, one that only beats the leader, and one that delivers little. Nobody falls by an audit: see
/// [`fallen`] for what is the same then.
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
        budget: Budget::default(),
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
    let (kept, redraw) = redraw(&miners[3]);
    Run {
        leaders_pods: Manner::FirstSetIsReplaced,
        kept: vec![kept],
        events: miners
            .iter()
            .map(|miner| (build_event(ROUND, &miner.hotkey()), build(miner)))
            .collect(),
        ..Run::new(miners.clone(), starts.chain([redraw]).collect())
    }
}

/// A stored module, and that it is drawn anew.
fn redraw(miner: &Miner) -> (Object, NewJob) {
    let prompt = Prompt::of_url("https://prompts.example/chair.png");
    let source = "// a chair";
    let module = ModuleRef {
        key: "kept/chair.js".to_owned(),
        url: "https://store.example/kept/chair.js".to_owned(),
        sha256: hex::encode(Sha256::digest(source)),
        size_bytes: source.len() as u64,
        fetched_at: None,
    };
    let object = Object {
        key: module.key.clone(),
        content_type: "text/javascript",
        bytes: source.into(),
    };
    let entry = EntryId {
        round: ROUND,
        side: Side::Miner(miner.hotkey()),
        repeat: 0,
        stem: prompt.stem.clone(),
    };
    let render = RenderInput {
        entry,
        prompt,
        module,
        again: 0,
    };
    let job = NewJob::step::<Redraw>(&RedrawInput { render, time: 1 });
    (object, job.unwrap())
}

/// Steps of the real duel, for which a round's scenarios have a shorter one. They are crashed in [`duels`].
const OF_THE_REAL_DUEL: [&str; 3] = [Ask::NAME, CompareEmbeddings::NAME, MeasureGray::NAME];

/// Where a step can crash.
fn handler_and_commit() -> BTreeSet<Point> {
    &BTreeSet::from([Point::BeforeHandler, Point::AfterHandler]) | &commit()
}

/// Where a flow can crash.
fn commit() -> BTreeSet<Point> {
    BTreeSet::from([Point::BeforeCommit, Point::AfterCommit])
}

/// That this build's steps and flows were crashed wherever they can be.
fn covers_everything(pool: &PgPool, coverage: &Coverage) {
    let registry = World::new(&[], Manner::Work).registry(pool);
    let steps = registry
        .steps()
        .into_iter()
        .filter(|step| !OF_THE_REAL_DUEL.contains(step))
        .map(|step| (step, handler_and_commit()));
    let flows = registry.flows().into_iter().map(|flow| (flow, commit()));
    let expected: Coverage = steps
        .chain(flows)
        .map(|(name, points)| (name.to_owned(), points))
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
        testing::crash_one_job_of_each_kind(&pool, &run, &mut coverage)
            .await
            .unwrap();
    }
    covers_everything(&pool, &coverage);
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn each_step_of_a_real_duel_and_each_kind_of_call_may_crash_and_repeat(pool: PgPool) {
    let mut coverage = Coverage::new();
    testing::crash_one_job_of_each_kind(&pool, &Duels::default(), &mut coverage)
        .await
        .unwrap();
    let steps = OF_THE_REAL_DUEL
        .into_iter()
        .filter(|step| *step != Ask::NAME)
        .map(str::to_owned)
        .chain(duels::every_kind_of_call())
        .chain([LoadMatch::NAME.to_owned()])
        .map(|step| (step, handler_and_commit()));
    let flows = [Match::NAME, DuelFlow::NAME].map(|flow| (flow.to_owned(), commit()));
    assert_eq!(coverage, steps.chain(flows).collect());
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

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_miner_that_falls_by_an_audit_leaves_the_same_result_whatever_dies_when(pool: PgPool) {
    let report = testing::crash_every_job_in_one_run(&pool, &Fallen::new())
        .await
        .unwrap();
    assert_eq!(report.runs, 5);
    assert!(report.crashes > report.jobs, "{report:?}");
}
