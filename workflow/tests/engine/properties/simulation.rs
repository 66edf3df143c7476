//! The world in which made-up flows run: the workers' statements in their names, on a clock that the test moves.

use std::collections::{HashMap, HashSet};

use sqlx::{PgConnection, PgPool};
use workflow::{
    db,
    engine::{
        Effects, NewJob,
        commit::{Claim, End, Verdict, commit},
    },
};

use super::made_up::*;
use crate::support::*;

/// The world between two happenings.
pub(super) struct Simulation {
    conn: PgConnection,
    /// Database ids of the workers' present lives.
    workers: Vec<i64>,
    under_way: Vec<(i64, Claim)>,
    last: Option<(i64, workflow::engine::commit::Ending, Verdict)>,
}

impl Simulation {
    pub(super) async fn begin(pool: &PgPool, toys: &[Toy]) -> Self {
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

    pub(super) async fn happen(&mut self, toys: &[Toy], happening: &Happening) {
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
            Happening::Fire { value } => {
                let fired = sqlx::query_scalar::<_, bool>(
                    "SELECT EXISTS (SELECT FROM event WHERE name = $1)",
                )
                .bind(event(*value))
                .fetch_one(&mut self.conn)
                .await
                .unwrap();
                let payload = if fired { -1 } else { *value };
                db::fire(&mut self.conn, &event(*value), &payload.into())
                    .await
                    .unwrap();
            }
            Happening::ForceRetry => {
                let steps = db::operator::Filter {
                    queue: Some("work".to_owned()),
                    ..db::operator::Filter::default()
                };
                db::operator::force_retry(&mut self.conn, &steps, &operator())
                    .await
                    .unwrap();
            }
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

    /// What a pass of a flow would do: start what the next stage needs, or answer the sum.
    async fn pass(&mut self, toys: &[Toy], claim: &Claim) -> End {
        let flow: usize = claim.key["script/".len()..].parse().unwrap();
        let mut histories = db::job::histories(&mut self.conn, &[claim.id])
            .await
            .unwrap();
        let history = histories.remove(&claim.id).unwrap_or_default();
        let mut sum = 0;
        for (place, stage) in toys[flow].stages.iter().enumerate() {
            let (ended, open): (Vec<NewJob>, Vec<NewJob>) = jobs(flow, place, stage, claim.attempt)
                .into_iter()
                .partition(|job| {
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
    pub(super) async fn settle(&mut self, toys: &[Toy]) {
        // Whoever did not beat is gone by now.
        self.under_way.clear();
        self.last = None;
        db::worker::expire(&mut self.conn, &self.workers)
            .await
            .unwrap();
        self.workers = vec![self.register().await];
        for value in 1..SHARED {
            self.happen(toys, &Happening::Fire { value }).await;
        }
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

    pub(super) async fn check(&mut self, toys: &[Toy]) {
        for (flow, toy) in toys.iter().enumerate() {
            let row = db::job::find(&mut self.conn, &format!("script/{flow}"))
                .await
                .unwrap()
                .unwrap();
            let sum: i64 = toy.stages.iter().map(Stage::sum).sum();
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
             FROM job LEFT JOIN attempt a ON a.job_id = job.id WHERE kind <> 'wait' GROUP BY job.id",
        )
        .fetch_all(&mut self.conn)
        .await
        .unwrap();
        let asked = toys.iter().enumerate().flat_map(|(flow, toy)| {
            let stages = toy.stages.iter().enumerate();
            stages.flat_map(move |(place, stage)| super::made_up::jobs(flow, place, stage, 1))
        });
        let steps: HashSet<String> = asked
            .filter(|job| job.kind == "step")
            .map(|job| job.key)
            .collect();
        assert_eq!(
            jobs.len(),
            toys.len() + steps.len(),
            "each step is there once"
        );
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
            // Failures are forgiven when a flow goes back to sleep and when an operator starts a step anew.
            let since_then = earlier
                .rsplit(|outcome| ["suspended", "superseded"].contains(&outcome.as_str()))
                .next()
                .unwrap_or_default();
            let failed = since_then
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
            (open.unwrap_or(0), joining.unwrap_or(0)),
            (0, 0),
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
