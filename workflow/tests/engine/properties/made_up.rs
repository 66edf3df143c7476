//! What proptest makes up: flows, and what happens while they run.

use proptest::prelude::*;
use workflow::engine::NewJob;

use crate::support::*;

/// A flow: one stage after the other; it ends with the sum of all values.
#[derive(Debug, Clone)]
pub(super) struct Toy {
    pub(super) stages: Vec<Stage>,
}

#[derive(Debug, Clone)]
pub(super) enum Stage {
    /// Steps with these values, joined.
    Join(Vec<i64>),
    /// A step with this value that other flows may ask for, too.
    Shared(i64),
    /// An event with this payload, which the world fires at any time.
    Event(i64),
}

/// What happens next.
#[derive(Debug, Clone)]
pub(super) enum Happening {
    /// A worker claims up to so many jobs.
    Claim {
        worker: usize,
        most: i32,
    },
    /// One of the attempts under way ends; failures and snoozes are our side's.
    End {
        place: usize,
        how: How,
    },
    /// The answer to the last commit was lost: the same end is committed again.
    Again,
    /// A worker dies: nothing of what it had under way is ever heard of again. Its lease ends with the next tide of time.
    Die {
        worker: usize,
    },
    /// A worker is declared lost although it lives: what it has under way goes on and ends late.
    Lose {
        worker: usize,
    },
    /// Time passes.
    Pass {
        seconds: i64,
    },
    Sweep,
    Promote,
    /// The world fires an event, perhaps for the second time: then with a payload that must not count.
    Fire {
        value: i64,
    },
    /// An operator takes every running step away from its worker.
    ForceRetry,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum How {
    Done,
    Fail,
    Snooze,
}

pub(super) const WORKERS: usize = 3;
/// Shared steps and events have smaller values than this: few enough to meet.
pub(super) const SHARED: i64 = 4;
/// More than one case ever needs: nothing is parked here.
pub(super) const FAILURES: i16 = 10_000;

pub(super) fn toys() -> impl Strategy<Value = Vec<Toy>> {
    let stage = prop_oneof![
        3 => prop::collection::vec(1..100_i64, 1..4).prop_map(Stage::Join),
        1 => (1..SHARED).prop_map(Stage::Shared),
        1 => (1..SHARED).prop_map(Stage::Event),
    ];
    let toy = prop::collection::vec(stage, 1..4).prop_map(|stages| Toy { stages });
    prop::collection::vec(toy, 1..4)
}

pub(super) fn happenings() -> impl Strategy<Value = Vec<Happening>> {
    let how = prop_oneof![4 => Just(How::Done), 1 => Just(How::Fail), 1 => Just(How::Snooze)];
    let happening = prop_oneof![
        5 => (0..WORKERS, 1..4_i32).prop_map(|(worker, most)| Happening::Claim { worker, most }),
        8 => (0..100_usize, how).prop_map(|(place, how)| Happening::End { place, how }),
        2 => Just(Happening::Again),
        1 => (0..WORKERS).prop_map(|worker| Happening::Die { worker }),
        1 => (0..WORKERS).prop_map(|worker| Happening::Lose { worker }),
        2 => (1..60_i64).prop_map(|seconds| Happening::Pass { seconds }),
        1 => Just(Happening::Sweep),
        1 => Just(Happening::Promote),
        1 => (1..SHARED).prop_map(|value| Happening::Fire { value }),
        1 => Just(Happening::ForceRetry),
    ];
    prop::collection::vec(happening, 0..60)
}

/// The jobs of a flow's stage, as a pass in this attempt would ask for them.
pub(super) fn jobs(flow: usize, place: usize, stage: &Stage, attempt: i32) -> Vec<NewJob> {
    let step = |name: String, value: i64| NewJob {
        max_failures: FAILURES,
        ..NewJob::step::<Work>(&Task::answer(name, value)).unwrap()
    };
    match stage {
        Stage::Join(values) => {
            let joined = |(number, value): (usize, &i64)| NewJob {
                wakes: "last",
                join_id: Some(i64::from(attempt) * 100 + place as i64),
                ..step(format!("{flow}/{place}/{number}"), *value)
            };
            values.iter().enumerate().map(joined).collect()
        }
        Stage::Shared(value) => vec![step(format!("shared/{value}"), *value)],
        Stage::Event(value) => vec![NewJob {
            kind: "wait",
            name: "wait".to_owned(),
            queue: "wait".to_owned(),
            wait_event: Some(event(*value)),
            key: format!("script/{flow}/event/{value}"),
            ..step(String::new(), 0)
        }],
    }
}

pub(super) fn event(value: i64) -> String {
    format!("world/{value}")
}

impl Stage {
    pub(super) fn sum(&self) -> i64 {
        match self {
            Self::Join(values) => values.iter().sum(),
            Self::Shared(value) | Self::Event(value) => *value,
        }
    }
}
