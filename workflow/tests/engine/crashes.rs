//! Each job crashed at each moment of its life: the harness on a toy.

use std::{collections::HashMap, sync::Mutex};

use async_trait::async_trait;
use sqlx::PgPool;
use workflow::{
    db,
    engine::{NewJob, Registry},
    testing::{self, CrashReport, Scenario},
};

use crate::support::*;

/// Inline and queued steps, a join, child flows, an event, failures and snoozes.
struct Toy {
    toys: Mutex<Toys>,
    /// Breaks the rule that a step's answer comes from its input: each run of the handler answers something else.
    counts_runs: bool,
}

fn plan(counts_runs: bool) -> Plan {
    let first = if counts_runs {
        vec![Act::Answer(1), Act::Answer(2), Act::Answer(3)]
    } else {
        vec![Act::Answer(1)]
    };
    let shaky = [
        Act::Fail("once".to_owned()),
        Act::Snooze(1),
        Act::Answer(10),
    ];
    let child = Plan::new(
        "child",
        [
            Op::Inline(Task::answer("of_child", 5)),
            Op::Queue(Task::answer("of_child", 6)),
        ],
    );
    let fires = Task {
        fires: Some("fired".to_owned()),
        ..Task::answer("fires", 3)
    };
    Plan::new(
        "toy",
        [
            Op::Inline(Task::new("first", first)),
            Op::Queue(Task::new("shaky", shaky)),
            Op::Both(
                Box::new(Op::Join(
                    (0..3).map(|n| Task::answer(format!("j{n}"), n)).collect(),
                )),
                Box::new(Op::Flows(vec![child])),
            ),
            Op::Queue(fires),
            Op::Event("fired".to_owned()),
            Op::Event("from outside".to_owned()),
        ],
    )
}

#[async_trait]
impl Scenario for Toy {
    async fn begin(&self, pool: &PgPool) -> anyhow::Result<()> {
        *self.toys.lock().unwrap() = Toys::default();
        let flow = NewJob::flow::<Script>(&plan(self.counts_runs))?;
        db::start(&mut *pool.acquire().await?, &[flow]).await?;
        Ok(())
    }

    fn registry(&self, _pool: &PgPool) -> Registry {
        registry(&self.toys.lock().unwrap())
    }

    fn slots(&self) -> HashMap<String, usize> {
        slots(5)
    }

    async fn drive(&self, pool: &PgPool) -> anyhow::Result<()> {
        let mut conn = pool.acquire().await?;
        if db::job::find(&mut conn, "script/toy/event/from outside")
            .await?
            .is_some()
        {
            db::fire(&mut conn, "from outside", &100.into()).await?;
        }
        Ok(())
    }
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_flow_ends_the_same_wherever_its_worker_dies(pool: PgPool) {
    let _ = World::new(pool.clone());
    let toy = Toy {
        toys: Mutex::default(),
        counts_runs: false,
    };
    let report = testing::crash_each_job(&pool, &toy).await.unwrap();
    // 8 steps at four points, two flows at the two points of a commit (the waits are nobody's attempt).
    assert_eq!(
        report,
        CrashReport {
            jobs: 10,
            runs: 37,
            crashes: 36
        }
    );
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_flow_ends_the_same_when_every_job_dies_once_in_one_run(pool: PgPool) {
    let _ = World::new(pool.clone());
    let toy = Toy {
        toys: Mutex::default(),
        counts_runs: false,
    };
    let report = testing::crash_every_job_in_one_run(&pool, &toy)
        .await
        .unwrap();
    assert_eq!((report.jobs, report.runs), (10, 5));
    assert!(report.crashes >= 20, "{report:?}");
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn the_harness_notices_a_step_that_may_not_run_twice(pool: PgPool) {
    let _ = World::new(pool.clone());
    let toy = Toy {
        toys: Mutex::default(),
        counts_runs: true,
    };
    let error = format!(
        "{:#}",
        testing::crash_each_job(&pool, &toy).await.unwrap_err()
    );
    assert!(
        error.starts_with("with a crash at AfterHandler of inline/first: the result differs"),
        "{error}"
    );
}
