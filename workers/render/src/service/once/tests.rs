use std::sync::atomic::{AtomicUsize, Ordering};

use futures::FutureExt as _;
use futures::future::join_all;
use tokio::sync::{oneshot, watch};

use super::*;

type Texts = Once<String, String>;

fn made(value: &str, kept_bytes: Option<usize>) -> Made<String> {
    Made {
        value: value.to_owned(),
        kept_bytes,
    }
}

async fn get(
    texts: &Arc<Texts>,
    key: &str,
    work: impl Future<Output = Result<Made<String>, String>> + Send + 'static,
) -> Result<(String, Source), String> {
    texts.get(key.to_owned(), || work).await
}

async fn put(texts: &Arc<Texts>, key: &str, bytes: usize) -> Source {
    let work = async move { Ok(made("value", Some(bytes))) };
    get(texts, key, work).await.unwrap().1
}

#[tokio::test]
async fn all_who_ask_at_the_same_time_get_the_result_of_one_piece_of_work() {
    let texts = Texts::new(0);
    let started = Arc::new(AtomicUsize::new(0));
    let (open, gate) = watch::channel(false);
    let ask = |_| {
        let (texts, started, mut gate) = (texts.clone(), started.clone(), gate.clone());
        let work = async move {
            started.fetch_add(1, Ordering::SeqCst);
            let _ = gate.wait_for(|open| *open).await;
            Ok(made("value", None))
        };
        Box::pin(async move { get(&texts, "key", work).await })
    };
    let mut callers: Vec<_> = (0..8).map(ask).collect();
    for caller in &mut callers {
        assert!(caller.as_mut().now_or_never().is_none());
    }
    open.send(true).unwrap();
    let answers: Vec<_> = join_all(callers).await;
    let sources: Vec<Source> = answers
        .into_iter()
        .map(|answer| answer.unwrap().1)
        .collect();
    assert_eq!(sources[0], Source::Made);
    assert!(sources[1..].iter().all(|source| *source == Source::Joined));
    assert_eq!(started.load(Ordering::SeqCst), 1);
    assert!(texts.state().running.is_empty());
}

#[tokio::test]
async fn work_goes_on_while_one_caller_waits_and_ends_with_the_last() {
    let texts = Texts::new(0);
    let (finish, finished) = oneshot::channel::<()>();
    let dropped = Arc::new(());
    let held = dropped.clone();
    let mut first = Box::pin(get(&texts, "key", async move {
        let _ = finished.await;
        drop(held);
        Ok(made("value", None))
    }));
    let mut second = Box::pin(get(&texts, "key", async { Ok(made("another", None)) }));
    assert!(first.as_mut().now_or_never().is_none());
    assert!(second.as_mut().now_or_never().is_none());
    drop(first);
    assert_eq!(Arc::strong_count(&dropped), 2, "somebody still waits");
    finish.send(()).unwrap();
    assert_eq!(second.await.unwrap(), ("value".to_owned(), Source::Joined));

    let held = dropped.clone();
    let mut alone = Box::pin(get(&texts, "key", async move {
        std::future::pending::<()>().await;
        drop(held);
        Ok(made("never", None))
    }));
    assert!(alone.as_mut().now_or_never().is_none());
    assert_eq!(texts.state().running.len(), 1);
    drop(alone);
    assert_eq!(Arc::strong_count(&dropped), 1, "nobody waits any more");
    assert!(texts.state().running.is_empty(), "nothing is left behind");
    let next = get(&texts, "key", async { Ok(made("fresh", None)) }).await;
    assert_eq!(next.unwrap(), ("fresh".to_owned(), Source::Made));
}

#[tokio::test]
async fn only_what_may_be_kept_is_kept() {
    let texts = Texts::new(10_000);
    assert_eq!(put(&texts, "kept", 10).await, Source::Made);
    assert_eq!(put(&texts, "kept", 10).await, Source::Kept);
    let unkept = || get(&texts, "unkept", async { Ok(made("value", None)) });
    assert_eq!(unkept().await.unwrap().1, Source::Made);
    assert_eq!(unkept().await.unwrap().1, Source::Made);
    let failed = get(&texts, "failed", async { Err("ours".to_owned()) }).await;
    assert_eq!(failed.unwrap_err(), "ours");
    assert_eq!(put(&texts, "failed", 10).await, Source::Made);
}

#[tokio::test]
async fn memory_is_bounded_and_the_longest_unused_goes_first() {
    let texts = Texts::new(10_000);
    for key in ["a", "b", "c"] {
        put(&texts, key, 2_500).await;
    }
    assert_eq!(put(&texts, "a", 2_500).await, Source::Kept);
    put(&texts, "d", 2_500).await;
    assert_eq!(put(&texts, "a", 2_500).await, Source::Kept);
    assert_eq!(
        put(&texts, "b", 2_500).await,
        Source::Made,
        "given up for d"
    );
    put(&texts, "larger than everything", 10_001).await;
    let state = texts.state();
    assert!(state.kept.bytes <= 10_000);
    assert!(!state.kept.entries.contains_key("larger than everything"));
    let counted: usize = state.kept.entries.values().map(|entry| entry.bytes).sum();
    assert_eq!(counted, state.kept.bytes);
    assert_eq!(state.kept.by_use.len(), state.kept.entries.len());
}
