//! Random flows under random crashes, in simulated time.
//!
//! No worker runs here: the test claims, ends, dies and lets time pass in the workers' names, in an order that proptest
//! makes up, through the very statements that workers use. Whatever the order, the flows end with the sums they must have,
//! and the history explains how.

use std::collections::HashMap;

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use sqlx::{PgConnection, PgPool};
use workflow::{
    db,
    engine::{
        Effects, NewJob,
        commit::{Claim, End, Verdict, commit},
    },
};

use crate::support::*;

/// A flow: joins one after the other, each of steps with these values.
#[derive(Debug, Clone)]
struct Toy {
    joins: Vec<Vec<i64>>,
}

/// What happens next.
#[derive(Debug, Clone)]
enum Happening {
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
}

#[derive(Debug, Clone, Copy)]
enum How {
    Done,
    Fail,
    Snooze,
}

const WORKERS: usize = 3;
/// More than one case ever needs: nothing is parked here.
const FAILURES: i16 = 10_000;

fn toys() -> impl Strategy<Value = Vec<Toy>> {
    let join = prop::collection::vec(1..100_i64, 1..4);
    let toy = prop::collection::vec(join, 1..3).prop_map(|joins| Toy { joins });
    prop::collection::vec(toy, 1..4)
}

fn happenings() -> impl Strategy<Value = Vec<Happening>> {
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
    ];
    prop::collection::vec(happening, 0..60)
}

/// The world between two happenings.
struct Simulation {
    conn: PgConnection,
    /// Database ids of the workers' present lives.
    workers: Vec<i64>,
    under_way: Vec<(i64, Claim)>,
    last: Option<(i64, workflow::engine::commit::Ending, Verdict)>,
}

impl Simulation {
    async fn begin(pool: &PgPool, toys: &[Toy]) -> Self {
        workflow::testing::forget_everything(pool).await.unwrap();
        let mut conn = connect(pool).await;
        let flows: Vec<NewJob> = (0..toys.len())
            .map(|flow| NewJob {
                max_failures: FAILURES,
                ..NewJob::flow::<Script>(&Plan::new(format!("{flow}"), [])).unwrap()
            })
            .collect();
        db::start(&mut conn, &flows).await.unwrap();
        let mut simulation = Self {
            conn,
            workers: Vec::new(),
            under_way: Vec::new(),
            last: None,
        };
        for _ in 0..WORKERS {
            let id = simulation.register().await;
            simulation.workers.push(id);
        }
        simulation
    }

    async fn register(&mut self) -> i64 {
        db::worker::register(&mut self.conn, "simulated", "nowhere", 1, &[], 30.0)
            .await
            .unwrap()
    }

    async fn happen(&mut self, toys: &[Toy], happening: &Happening) {
        match happening {
            Happening::Claim { worker, most } => {
                let queues = ["flow".to_owned(), "work".to_owned()];
                let id = self.workers[*worker];
                let taken = db::job::claim(&mut self.conn, id, &queues, &[*most, *most], false)
                    .await
                    .unwrap();
                self.under_way
                    .extend(taken.claims.into_iter().map(|claim| (id, claim)));
            }
            Happening::End { place, how } if !self.under_way.is_empty() => {
                let (worker, claim) = self.under_way.swap_remove(place % self.under_way.len());
                let end = self.end(toys, &claim, *how).await;
                let ending = ending(claim, end);
                let verdict = commit(&mut self.conn, worker, std::slice::from_ref(&ending))
                    .await
                    .unwrap()
                    .remove(0);
                self.last = Some((worker, ending, verdict));
            }
            Happening::Again => {
                if let Some((worker, ending, verdict)) = &self.last {
                    let again = commit(&mut self.conn, *worker, std::slice::from_ref(ending))
                        .await
                        .unwrap();
                    assert_eq!(
                        again,
                        std::slice::from_ref(verdict),
                        "a second commit is told what the first one was"
                    );
                }
            }
            Happening::Die { worker } => {
                let id = self.workers[*worker];
                self.under_way.retain(|(by, _)| *by != id);
                self.workers[*worker] = self.register().await;
            }
            Happening::Lose { worker } => {
                db::worker::expire(&mut self.conn, &[self.workers[*worker]])
                    .await
                    .unwrap();
                self.workers[*worker] = self.register().await;
            }
            Happening::Pass { seconds } => {
                // Those that live beat in the meantime.
                for worker in &self.workers {
                    db::worker::heartbeat(&mut self.conn, *worker, 30.0 + *seconds as f64)
                        .await
                        .unwrap();
                }
                let pass = "WITH w AS (UPDATE worker SET lease_expires_at = lease_expires_at - make_interval(secs => $1))
                            UPDATE job SET run_at = run_at - make_interval(secs => $1) WHERE state = 'scheduled'";
                sqlx::query(pass)
                    .bind(*seconds as f64)
                    .execute(&mut self.conn)
                    .await
                    .unwrap();
            }
            Happening::Sweep => drop(db::worker::sweep(&mut self.conn).await.unwrap()),
            Happening::Promote => drop(db::event::promote(&mut self.conn).await.unwrap()),
            Happening::End { .. } => {}
        }
    }

    async fn end(&mut self, toys: &[Toy], claim: &Claim, how: How) -> End {
        match how {
            How::Fail => End::Errored {
                error: "simulated".to_owned(),
                wait: std::time::Duration::from_secs(20),
            },
            How::Snooze => End::Snoozed(std::time::Duration::from_secs(5)),
            How::Done if claim.kind == "flow" => self.pass(toys, claim).await,
            How::Done => {
                let task: Task = serde_json::from_value(claim.input.clone()).unwrap();
                let Some(Act::Answer(value)) = task.acts.first() else {
                    panic!("a simulated step answers")
                };
                let effects = Effects {
                    events: vec![(claim.key.clone(), claim.attempt.into())],
                    ..Effects::default()
                };
                End::Completed {
                    output: (*value).into(),
                    effects,
                }
            }
        }
    }

    /// What a pass of a flow would do: the next join that has not ended, or the sum.
    async fn pass(&mut self, toys: &[Toy], claim: &Claim) -> End {
        let flow: usize = claim.key["script/".len()..].parse().unwrap();
        let mut histories = db::job::histories(&mut self.conn, &[claim.id])
            .await
            .unwrap();
        let history = histories.remove(&claim.id).unwrap_or_default();
        let mut sum = 0;
        for (place, join) in toys[flow].joins.iter().enumerate() {
            let jobs = join.iter().enumerate().map(|(step, value)| {
                let task = Task::answer(format!("{flow}/{place}/{step}"), *value);
                let join_id = Some(i64::from(claim.attempt) * 100 + place as i64);
                NewJob {
                    wakes: "last",
                    join_id,
                    max_failures: FAILURES,
                    ..NewJob::step::<Work>(&task).unwrap()
                }
            });
            let (ended, open): (Vec<NewJob>, Vec<NewJob>) = jobs.partition(|job| {
                history
                    .get(&job.key)
                    .is_some_and(|child| child.state == "completed")
            });
            if !open.is_empty() {
                let starts = open
                    .into_iter()
                    .filter(|job| !history.contains_key(&job.key))
                    .collect();
                return End::Suspended {
                    starts,
                    moot: Vec::new(),
                    effects: Effects::default(),
                };
            }
            sum += ended
                .iter()
                .map(|job| history[&job.key].output.as_ref().unwrap().as_i64().unwrap())
                .sum::<i64>();
        }
        completed_with_event(claim, sum)
    }

    /// Lets honest workers finish what is left.
    async fn settle(&mut self, toys: &[Toy]) {
        // Whoever did not beat is gone by now.
        self.under_way.clear();
        self.last = None;
        db::worker::expire(&mut self.conn, &self.workers)
            .await
            .unwrap();
        self.workers = vec![self.register().await];
        for _ in 0..200 {
            self.happen(toys, &Happening::Pass { seconds: 100 }).await;
            self.happen(toys, &Happening::Sweep).await;
            self.happen(toys, &Happening::Promote).await;
            self.happen(
                toys,
                &Happening::Claim {
                    worker: 0,
                    most: 10,
                },
            )
            .await;
            if self.under_way.is_empty() {
                return;
            }
            while !self.under_way.is_empty() {
                self.happen(
                    toys,
                    &Happening::End {
                        place: 0,
                        how: How::Done,
                    },
                )
                .await;
            }
        }
        panic!("the flows never end");
    }

    async fn check(&mut self, toys: &[Toy]) {
        for (flow, toy) in toys.iter().enumerate() {
            let row = db::job::find(&mut self.conn, &format!("script/{flow}"))
                .await
                .unwrap()
                .unwrap();
            let sum: i64 = toy.joins.iter().flatten().sum();
            assert_eq!(
                (row.state.as_str(), row.output),
                ("completed", Some(sum.into())),
                "{}",
                row.key
            );
        }
        type Row = (String, String, i32, i16, Vec<i32>, Vec<String>);
        let jobs: Vec<Row> = sqlx::query_as(
            "SELECT key, state, job.attempt, failures, array_agg(a.attempt ORDER BY a.attempt), array_agg(a.outcome ORDER BY a.attempt)
             FROM job LEFT JOIN attempt a ON a.job_id = job.id GROUP BY job.id",
        )
        .fetch_all(&mut self.conn)
        .await
        .unwrap();
        let expected: usize = toys
            .iter()
            .map(|toy| 1 + toy.joins.iter().map(Vec::len).sum::<usize>())
            .sum();
        assert_eq!(jobs.len(), expected);
        let events: Vec<(String, i64)> =
            sqlx::query_as("SELECT name, (payload #>> '{}')::bigint FROM event")
                .fetch_all(&mut self.conn)
                .await
                .unwrap();
        let fired: HashMap<String, i64> = events.into_iter().collect();
        for (key, state, claims, failures, attempts, outcomes) in jobs {
            assert_eq!(state, "completed", "{key}");
            assert_eq!(
                attempts,
                (1..=claims).collect::<Vec<_>>(),
                "{key}: one row for each claim"
            );
            let (last, earlier) = outcomes.split_last().unwrap();
            assert_eq!(last, "completed", "{key}");
            assert!(
                earlier.iter().all(|outcome| outcome != "completed"),
                "{key} completed twice: {outcomes:?}"
            );
            // A flow's failures are forgiven when it goes back to sleep.
            let since_sleep = earlier
                .rsplit(|outcome| outcome == "suspended")
                .next()
                .unwrap_or_default();
            let failed = since_sleep
                .iter()
                .filter(|outcome| ["errored", "lost"].contains(&outcome.as_str()))
                .count();
            assert_eq!(
                usize::try_from(failures).unwrap(),
                failed,
                "{key}: {outcomes:?}"
            );
            assert_eq!(
                fired.get(&key),
                Some(&i64::from(claims)),
                "{key}: only the last attempt had an effect"
            );
        }
        let (open, joining): (Option<i64>, Option<i64>) =
            sqlx::query_as("SELECT (SELECT sum(open)::bigint FROM open_join), (SELECT sum(joining)::bigint FROM job)")
                .fetch_one(&mut self.conn)
                .await
                .unwrap();
        assert_eq!(
            (open, joining),
            (Some(0), Some(0)),
            "every join is counted down to nothing"
        );
    }
}

fn completed_with_event(claim: &Claim, sum: i64) -> End {
    let effects = Effects {
        events: vec![(claim.key.clone(), claim.attempt.into())],
        ..Effects::default()
    };
    End::Completed {
        output: sum.into(),
        effects,
    }
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn random_flows_end_exactly_under_random_crashes_and_the_history_explains_it(pool: PgPool) {
    // proptest's cases are not async: they run one after the other on a thread of their own.
    let options = (*pool.connect_options()).clone();
    tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let pool = runtime.block_on(async {
            sqlx::postgres::PgPoolOptions::new()
                .max_connections(2)
                .connect_lazy_with(options)
        });
        let mut runner = TestRunner::new(Config {
            cases: 48,
            failure_persistence: None,
            max_shrink_iters: 200,
            ..Config::default()
        });
        let ran = runner.run(&(toys(), happenings()), |(toys, happenings)| {
            runtime.block_on(async {
                let mut simulation = Simulation::begin(&pool, &toys).await;
                for happening in &happenings {
                    simulation.happen(&toys, happening).await;
                }
                simulation.settle(&toys).await;
                simulation.check(&toys).await;
            });
            Ok(())
        });
        ran.unwrap();
    })
    .await
    .unwrap();
}
