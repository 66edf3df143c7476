//! `PAUSE_ON_STAGE_END`: the round stops before FINALIZING and the next one before OPEN, each until an operator lets it go on.
//! And an operator's pause of a round that is ending holds the next one.

use assize::handlers::EndStageHandler;
use schema::{RoundNumber, Stage, StateFile as _, files::State, paths};
use sqlx::PgPool;
use workflow::{
    db::{
        self,
        operator::{Filter, Operator},
    },
    engine::NewJob,
    round::{
        flows::Round,
        steps::{EndStage, RoundInput},
    },
};

use crate::{
    playing::Playing,
    scenario::{ROUND, Run},
};

/// A round without submissions, after which another one follows, with a worker that has the setting.
struct Paused(Playing);

impl Paused {
    async fn start(pool: &PgPool, pause_on_stage_end: bool) -> Self {
        let start = NewJob::flow::<Round>(&RoundInput { round: ROUND }).unwrap();
        let run = Run {
            goes_on: true,
            ..Run::new(Vec::new(), vec![start])
        };
        let end_stage = EndStageHandler { pause_on_stage_end };
        let playing = Playing::start_with(pool, run, |registry| {
            registry.step::<EndStage, _>(end_stage)
        });
        Self(playing.await)
    }

    async fn until(&self, holds: &'static str) {
        self.0.until(holds).await;
    }

    async fn state(&self) -> State {
        let mut conn = self.0.pool.acquire().await.unwrap();
        let path = paths::state();
        let content = db::state_file::read(&mut conn, &path).await.unwrap();
        State::parse(&path, &content.unwrap()).unwrap()
    }

    async fn resume(&self, round: i32) {
        let filter = Filter {
            round: Some(round),
            ..Filter::default()
        };
        let operator = Operator {
            name: "ann",
            reason: "seen",
        };
        let mut conn = self.0.pool.acquire().await.unwrap();
        db::operator::resume(&mut conn, &filter, &operator)
            .await
            .unwrap();
    }

    /// What `state.json` has said, in order, with the messages of the commits.
    async fn states(&self) -> Vec<(State, String)> {
        let path = paths::state();
        let rows: Vec<(Vec<u8>, String)> =
            sqlx::query_as("SELECT content, message FROM mirror_file WHERE path = $1 ORDER BY id")
                .bind(&path)
                .fetch_all(&self.0.pool)
                .await
                .unwrap();
        rows.into_iter()
            .map(|(content, message)| (State::parse(&path, &content).unwrap(), message))
            .collect()
    }

    async fn done(self) {
        self.0.done().await;
    }
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_round_that_is_to_pause_stops_before_finalizing_and_before_the_next_opens(pool: PgPool) {
    let round = Paused::start(&pool, true).await;
    round
        .until("SELECT EXISTS (SELECT FROM job WHERE round = 0 AND state = 'paused')")
        .await;
    let state = round.state().await;
    assert_eq!((state.current_round, state.stage), (ROUND, Stage::Paused));
    assert_eq!(state.next_stage_eta, None);
    let (winner, shown): (i64, String) = sqlx::query_as(
        "SELECT (SELECT count(*) FROM mirror_file WHERE path = 'rounds/0/winner.json' AND message LIKE '%Update state (paused) for round 0%'),
                (SELECT stage FROM round WHERE round = 0)",
    )
    .fetch_one(&pool)
    .await
    .unwrap();
    assert_eq!((winner, shown.as_str()), (1, "finalizing"));

    round.resume(0).await;
    let (state, message) = round.states().await.swap_remove(1);
    assert_eq!(
        (state.current_round, state.stage, state.next_stage_eta),
        (ROUND, Stage::Finalizing, None),
        "it says so as soon as it goes on"
    );
    assert_eq!(message, "Update state (finalizing) for round 0");
    round
        .until("SELECT EXISTS (SELECT FROM job WHERE key = 'round/1' AND state = 'paused')")
        .await;
    let state = round.state().await;
    assert_eq!(
        (state.current_round, state.stage),
        (RoundNumber(1), Stage::Paused)
    );
    assert!(state.next_stage_eta.is_some(), "the next round's start");
    let published: Vec<String> = sqlx::query_scalar(
        "SELECT path FROM mirror_file WHERE message LIKE 'Update state (paused), schedule%for round 1' ORDER BY path",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    assert!(
        published.contains(&paths::schedule(RoundNumber(1))),
        "{published:?}"
    );

    let told: Vec<String> = sqlx::query_scalar(
        "SELECT text ->> 'description' FROM notice WHERE subject = 'paused' ORDER BY round",
    )
    .fetch_all(&pool)
    .await
    .unwrap();
    assert!(
        told[0].contains("`finalizing`")
            && told[1].contains("`open`")
            && told[1].contains("`assize round resume 1`"),
        "{told:?}"
    );
    let start = state.next_stage_eta;
    round.resume(1).await;
    let (state, message) = round.states().await.swap_remove(3);
    assert_eq!(
        (state.current_round, state.stage, state.next_stage_eta),
        (RoundNumber(1), Stage::Open, start)
    );
    assert_eq!(message, "Update state (open) for round 1");
    round
        .until("SELECT EXISTS (SELECT FROM job WHERE key = 'round/1/open_round' AND state = 'completed')")
        .await;
    round.done().await;
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn whoever_pauses_a_round_while_it_ends_holds_the_next_one(pool: PgPool) {
    // The pause comes while `finalize` runs, which ends as it does.
    for statement in [
        "CREATE FUNCTION pause_while_finalizing() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             IF new.name = 'finalize' AND new.state = 'completed' THEN
                 INSERT INTO pause (round) VALUES (0);
             END IF;
             RETURN new;
         END $$",
        "CREATE TRIGGER pausing AFTER UPDATE ON job FOR EACH ROW EXECUTE FUNCTION pause_while_finalizing()",
    ] {
        sqlx::query(statement).execute(&pool).await.unwrap();
    }
    let round = Paused::start(&pool, false).await;
    round
        .until("SELECT EXISTS (SELECT FROM job WHERE key = 'round/1' AND state = 'paused')")
        .await;
    round.resume(1).await;
    round
        .until("SELECT EXISTS (SELECT FROM job WHERE key = 'round/1/open_round' AND state = 'completed')")
        .await;
    round.done().await;
}
