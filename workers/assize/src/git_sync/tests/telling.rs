//! What happens in a round is told when the repository shows it, and whatever the channel does holds up nobody.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;
use workflow::{db, round::notices};

use super::*;
use crate::clients::discord::{Notice, NoticeError, Notices};

async fn winner_is_told(bench: &Bench) {
    let text = notices::finalized(schema::RoundNumber(0), &schema::Side::Leader, true);
    let mut conn = bench.pool.acquire().await.unwrap();
    db::notice::add(&mut conn, 0, notices::WINNER, &text)
        .await
        .unwrap();
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_notice_is_sent_once_with_the_time_of_what_it_tells(pool: PgPool) {
    let bench = Bench::new(&pool).await;
    bench
        .step(1, "declare", true, vec![put("rounds/0/winner.json", "{}")])
        .await;
    winner_is_told(&bench).await;
    bench.drain().await;
    bench.drain().await;
    let sent = bench.notices.script.asked();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].title, "Round 0 Finalized");
    let created_at: chrono::DateTime<chrono::Utc> =
        bench.scalar("SELECT created_at FROM notice").await;
    assert_eq!(sent[0].timestamp, created_at);
    // A restart tells nothing again.
    let bench = bench.restarted(true).await;
    bench.drain().await;
    assert_eq!(bench.notices.script.asked().len(), 1);
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_channel_that_asks_to_wait_is_asked_again_and_one_that_refuses_is_not(pool: PgPool) {
    let bench = Bench::new(&pool).await;
    bench.notices.script.push(NoticeError::RateLimited {
        retry_after: Duration::from_secs(5),
    });
    winner_is_told(&bench).await;
    bench.drain().await;
    bench.drain().await;
    assert_eq!(
        bench.notices.script.asked().len(),
        2,
        "it is told after all"
    );

    bench.notices.script.push(NoticeError::Refused {
        status: 404,
        message: "Unknown Webhook".to_owned(),
    });
    sqlx::query("UPDATE notice SET sent_at = NULL")
        .execute(&pool)
        .await
        .unwrap();
    bench.drain().await;
    bench.drain().await;
    assert_eq!(bench.notices.script.asked().len(), 3);
    let because: String = bench.scalar("SELECT given_up_because FROM notice").await;
    assert!(because.contains("Unknown Webhook"), "{because}");
}

/// Never answers.
struct Silent;

#[async_trait]
impl Notices for Silent {
    async fn send(&self, _notice: &Notice) -> Result<(), NoticeError> {
        std::future::pending().await
    }
}

#[sqlx::test(migrator = "workflow::db::MIGRATOR")]
async fn a_silent_channel_does_not_hold_up_the_mirror(pool: PgPool) {
    let bench = Bench::new(&pool).await;
    winner_is_told(&bench).await;
    drop(bench.sync);
    let options = options(&bench.world, &bench.key);
    let sync = GitSync::with_options(pool.clone(), options, Arc::new(Silent))
        .await
        .unwrap();
    let bench = Bench { sync, ..bench };
    let stop = CancellationToken::new();
    let running = tokio::spawn(bench.sync.clone().run(stop.clone()));
    for (job, path) in [(1, "rounds/0/seed.json"), (2, "rounds/0/winner.json")] {
        bench.step(job, "step", true, vec![put(path, "1")]).await;
        let mirrored = async {
            while bench.world.file(path).is_none() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), mirrored)
            .await
            .unwrap_or_else(|_| panic!("{path} is not mirrored"));
    }
    stop.cancel();
    running.await.unwrap();
}
