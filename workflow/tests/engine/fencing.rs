//! Transactional start, one effect, at least once but visibly.

use sqlx::PgPool;
use workflow::{
    db::{self, records::Record},
    engine::{
        Effects, MirrorChange, NewJob,
        commit::{End, Verdict, commit},
    },
    round::judging::Measurement,
};

use crate::support::*;

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_flow_started_in_a_transaction_exists_exactly_if_it_commits(pool: PgPool) {
    let world = World::new(pool);
    let job = NewJob::flow::<Script>(&Plan::new("t", [])).unwrap();
    let mut transaction = world.pool.begin().await.unwrap();
    db::start(&mut transaction, std::slice::from_ref(&job))
        .await
        .unwrap();
    transaction.rollback().await.unwrap();
    assert!(world.find(&job.key).await.is_none());

    let mut transaction = world.pool.begin().await.unwrap();
    db::start(&mut transaction, std::slice::from_ref(&job))
        .await
        .unwrap();
    assert!(
        world.find(&job.key).await.is_none(),
        "others see it only once it is committed"
    );
    transaction.commit().await.unwrap();
    assert!(world.find(&job.key).await.is_some());
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn starting_twice_with_one_key_is_starting_once(pool: PgPool) {
    let world = World::working(pool);
    let job = NewJob::step::<Work>(&Task::answer("once", 1)).unwrap();
    let mut conn = world.conn().await;
    assert_eq!(
        db::start(&mut conn, &[job.clone(), job.clone()])
            .await
            .unwrap(),
        1
    );
    world.until_state(&job.key, "completed").await;
    assert_eq!(
        db::start(&mut conn, std::slice::from_ref(&job))
            .await
            .unwrap(),
        0,
        "also when it has ended"
    );
    assert_eq!(world.toys.started().len(), 1);
    drop(conn);
    world.done().await;
}

/// Everything that a step can change when it ends.
fn rich_effects(margin: f64) -> Effects {
    let changes = ["a.json", "b.json"].map(|path| MirrorChange::Put {
        path: path.to_owned(),
        content: b"{}".to_vec(),
    });
    let effects = Effects {
        records: vec![Record::Match {
            round: 1,
            matrix: "matches",
            left: "leader".to_owned(),
            right: "5A".to_owned(),
            score: 1,
            margin,
            duels: 1,
            measurement: Measurement::default(),
            job_key: "round/1/match/leader/5A".to_owned(),
        }],
        events: vec![("told".to_owned(), 1.into())],
        starts: vec![NewJob::flow::<Script>(&Plan::new("next", [])).unwrap()],
        ..Effects::default()
    };
    effects.publish("Play a match".to_owned(), changes.to_vec())
}

/// Rows that [`rich_effects`] leaves: matches, events, flows, state file changes.
async fn traces(pool: &PgPool) -> (i64, i64, i64, i64) {
    let sql = "SELECT (SELECT count(*) FROM match_result), (SELECT count(*) FROM event),
                      (SELECT count(*) FROM job WHERE kind = 'flow'), (SELECT count(*) FROM mirror_file)";
    sqlx::query_as(sql).fetch_one(pool).await.unwrap()
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_steps_output_rows_files_events_and_work_commit_as_one(pool: PgPool) {
    let world = World::new(pool);
    let key = world.start_step::<Work>(&Task::answer("rich", 1)).await;
    let worker = world.puppet().await;
    let claim = world.claim(worker, "work").await;
    let mut conn = world.conn().await;

    // The last of the statements that record the effects fails: a margin is between -1 and 1.
    let impossible = End::Completed {
        output: 1.into(),
        effects: rich_effects(7.0),
    };
    commit(&mut conn, worker, &[ending(claim.clone(), impossible)])
        .await
        .unwrap_err();
    assert_eq!(traces(&world.pool).await, (0, 0, 0, 0));
    assert_eq!(world.find(&key).await.unwrap().state, "running");

    let fine = ending(
        claim,
        End::Completed {
            output: 1.into(),
            effects: rich_effects(0.5),
        },
    );
    // The answer to the first commit is lost, and to the second: nothing is there twice.
    for _ in 0..3 {
        assert_eq!(
            commit(&mut conn, worker, std::slice::from_ref(&fine))
                .await
                .unwrap(),
            [Verdict::Applied]
        );
        assert_eq!(traces(&world.pool).await, (1, 1, 1, 2));
        assert_eq!(world.outcomes(&key).await, ["completed"]);
    }
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_late_attempt_changes_nothing_and_is_told_so(pool: PgPool) {
    let mut world = World::new(pool);
    let key = world.start_step::<Work>(&Task::answer("late", 1)).await;
    let dead = world.puppet().await;
    let claim = world.claim(dead, "work").await;
    world.expire_leases().await;
    world.sweep().await;
    world.work();
    assert_eq!(world.output(&key).await, 1);

    let late = ending(
        claim,
        End::Completed {
            output: 77.into(),
            effects: rich_effects(0.5),
        },
    );
    assert_eq!(
        commit(&mut *world.conn().await, dead, &[late])
            .await
            .unwrap(),
        [Verdict::Fenced]
    );
    assert_eq!(world.output(&key).await, 1);
    assert_eq!(traces(&world.pool).await, (0, 0, 0, 0));
    assert_eq!(
        world.outcomes(&key).await,
        ["lost", "completed"],
        "that it ran twice can be seen"
    );
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn the_result_of_a_cancelled_attempt_is_told_that_it_was_late(pool: PgPool) {
    let world = World::new(pool);
    let key = world
        .start_step::<Work>(&Task::answer("cancelled", 1))
        .await;
    let worker = world.puppet().await;
    let claim = world.claim(worker, "work").await;
    let mut conn = world.conn().await;
    db::operator::cancel(&mut conn, &by_key(&key), &operator())
        .await
        .unwrap();
    assert_eq!(
        commit(&mut conn, worker, &[ending(claim, completed(1))])
            .await
            .unwrap(),
        [Verdict::Fenced]
    );
    assert_eq!(world.find(&key).await.unwrap().state, "cancelled");
    assert_eq!(world.outcomes(&key).await, ["cancelled"]);
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn an_end_whose_answer_was_lost_is_applied_also_when_the_job_runs_again(pool: PgPool) {
    let world = World::new(pool);
    world.start_step::<Work>(&Task::answer("again", 1)).await;
    let worker = world.puppet().await;
    let mut conn = world.conn().await;
    let snoozed = ending(
        world.claim(worker, "work").await,
        End::Snoozed(std::time::Duration::ZERO),
    );
    assert_eq!(
        commit(&mut conn, worker, std::slice::from_ref(&snoozed))
            .await
            .unwrap(),
        [Verdict::Applied]
    );
    world.claim(worker, "work").await;
    assert_eq!(
        commit(&mut conn, worker, std::slice::from_ref(&snoozed))
            .await
            .unwrap(),
        [Verdict::Applied]
    );
    // Another end of the same attempt is not what was recorded.
    let other = ending(snoozed.claim, completed(5));
    assert_eq!(
        commit(&mut conn, worker, &[other]).await.unwrap(),
        [Verdict::Fenced]
    );
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn ends_of_many_kinds_share_a_batch_and_each_gets_its_verdict(pool: PgPool) {
    let world = World::new(pool);
    for name in ["fine", "parked", "lost"] {
        world.start_step::<Work>(&Task::answer(name, 1)).await;
    }
    world.start(&Plan::new("flow", [])).await;
    let worker = world.puppet().await;
    let [fine, parked, lost] = [
        world.claim(worker, "work").await,
        world.claim(worker, "work").await,
        world.claim(worker, "work").await,
    ];
    let flow = world.claim(worker, "flow").await;
    sqlx::query("UPDATE job SET attempt = attempt + 1 WHERE id = $1")
        .bind(lost.id)
        .execute(&world.pool)
        .await
        .unwrap();
    let child = NewJob::step::<Work>(&Task::answer("child", 1)).unwrap();
    let batch = [
        ending(
            flow.clone(),
            End::Suspended {
                starts: vec![child],
                moot: Vec::new(),
                effects: Effects::default(),
            },
        ),
        ending(lost, completed(1)),
        ending(parked, End::Parked("no more".to_owned())),
        ending(
            fine,
            End::Completed {
                output: 1.into(),
                effects: rich_effects(0.0),
            },
        ),
    ];
    let verdicts = commit(&mut *world.conn().await, worker, &batch)
        .await
        .unwrap();
    assert_eq!(
        verdicts,
        [
            Verdict::Applied,
            Verdict::Fenced,
            Verdict::Applied,
            Verdict::Applied
        ]
    );
    assert_eq!(world.find(&flow.key).await.unwrap().state, "waiting");
    assert_eq!(
        world.find("work/parked").await.unwrap().error.as_deref(),
        Some("no more")
    );
    assert_eq!(world.find("work/child").await.unwrap().state, "available");
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn an_inline_step_that_an_earlier_pass_recorded_answers_what_was_recorded(pool: PgPool) {
    let mut world = World::new(pool);
    let plan = Plan::new(
        "twice",
        [Op::Inline(Task::new(
            "first",
            [Act::Answer(1), Act::Answer(2)],
        ))],
    );
    let key = world.start(&plan).await;
    // A first pass records the step, and its worker dies before the flow ends.
    let dead = world.puppet().await;
    let claim = world.claim(dead, "flow").await;
    let step = NewJob::step::<Inline>(&Task::answer("first", 1)).unwrap();
    let mut recorded = ending(claim, completed(1));
    recorded.inline = Some(step);
    let mut conn = world.conn().await;
    assert_eq!(
        commit(&mut conn, dead, std::slice::from_ref(&recorded))
            .await
            .unwrap(),
        [Verdict::Applied]
    );
    let Verdict::Known(known) = commit(&mut conn, dead, std::slice::from_ref(&recorded))
        .await
        .unwrap()
        .remove(0)
    else {
        panic!("the same step recorded twice");
    };
    assert_eq!(
        (known.state.as_str(), known.output),
        ("completed", Some(1.into()))
    );
    drop(conn);
    world.expire_leases().await;
    world.sweep().await;
    world.work();
    assert_eq!(world.output(&key).await, 1);
    assert!(
        world.toys.started().is_empty(),
        "it was recorded: its handler is not asked again"
    );
    world.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_result_that_the_database_refuses_is_a_failure_and_never_reaches_the_flow(pool: PgPool) {
    let world = World::working(pool);
    let step = Task::new("poisoned", [Act::Answer(POISON), Act::Answer(3)]);
    let key = world
        .start(&Plan::new(
            "p",
            [
                Op::Inline(step),
                Op::Queue(Task::new("queued", [Act::Answer(POISON), Act::Answer(4)])),
            ],
        ))
        .await;
    for step in ["inline/poisoned", "work/queued"] {
        let failed = world
            .until(
                step,
                |job| job.failures == 1 || job.state == "completed",
                "failed once",
            )
            .await;
        assert!(
            failed.state == "completed"
                || failed
                    .error
                    .unwrap()
                    .contains("the result could not be recorded")
        );
        // Its backoff is a second; nobody waits for it here.
        db::operator::retry(&mut *world.conn().await, &by_key(step), &operator())
            .await
            .unwrap();
    }
    assert_eq!(world.output(&key).await, 7);
    assert_eq!(
        world.outcomes("inline/poisoned").await,
        ["errored", "completed"]
    );
    world.done().await;
}
