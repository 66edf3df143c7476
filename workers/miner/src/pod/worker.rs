//! The work behind the routes: warming up, and one batch at a time.

use std::any::Any;
use std::sync::Arc;

use futures::StreamExt;
use serde_json::json;

use super::Inner;
use super::archive::{Archive, MAX_MODULE_BYTES};
use super::hardware;
use super::machine::Outcome;
use super::request::{Batch, Prompt};

/// Looks at the hardware, then loads the models; again and again until they are loaded or the pod stops.
pub(super) async fn warm_up(inner: Arc<Inner>) {
    if let Some(probe) = inner.options.hardware.clone()
        && let Ok(Some(report)) = tokio::task::spawn_blocking(move || probe.probe()).await
    {
        if !hardware::passes(&report) {
            inner.machine().degrade(report.clone());
        }
        inner.machine().set_hardware(report);
    }
    let mut complained = false;
    loop {
        let generator = Arc::clone(&inner.generator);
        let attempt = tokio::spawn(async move { generator.warm_up().await });
        let outcome = tokio::select! {
            () = inner.stopping.cancelled() => return,
            outcome = attempt => outcome.unwrap_or_else(|error| Err(crash_reason(error))),
        };
        let Err(reason) = outcome else {
            let mut machine = inner.machine();
            if complained {
                machine.recover();
            }
            machine.warmed_up();
            return;
        };
        tracing::warn!(reason, "warming up failed and will be tried again");
        complained = true;
        inner
            .machine()
            .degrade(json!({"stage": "warm_up", "reason": reason}));
        tokio::select! {
            () = inner.stopping.cancelled() => return,
            () = tokio::time::sleep(inner.options.warm_up_retry) => {}
        }
    }
}

/// Works on an accepted batch. It ends `complete`, each stem with a module or a reason, unless the pod is stopped.
pub(super) async fn run_batch(inner: Arc<Inner>, number: u64, batch: Batch) {
    let parallel = inner.options.parallel.max(1);
    let seed = batch.seed;
    let work = futures::stream::iter(batch.prompts)
        .map(|prompt| {
            let inner = Arc::clone(&inner);
            async move {
                let stem = prompt.stem.clone();
                let outcome = one_prompt(&inner, prompt, seed).await;
                inner.machine().record(number, &stem, outcome);
            }
        })
        .buffer_unordered(parallel)
        .for_each(|()| async {});
    tokio::select! {
        () = inner.abort.cancelled() => return,
        () = work => {}
    }
    let Some(outcomes) = inner.machine().outcomes(number) else {
        return;
    };
    let packed = tokio::task::spawn_blocking(move || {
        Archive::pack(&outcomes).or_else(|error| none_packed(&outcomes, &error))
    });
    match packed.await {
        Ok(Ok(archive)) => inner.machine().complete(number, archive),
        Ok(Err(error)) => tracing::error!(%error, "the archive could not be written"),
        Err(error) => tracing::error!(%error, "the archive could not be written"),
    }
}

/// An archive in which every stem failed because the real one could not be written.
fn none_packed(
    outcomes: &[(String, Outcome)],
    error: &zip::result::ZipError,
) -> zip::result::ZipResult<Archive> {
    let reason = format!("generation crashed: {error}");
    let failed: Vec<(String, Outcome)> = outcomes
        .iter()
        .map(|(stem, _)| (stem.clone(), Err(reason.clone())))
        .collect();
    Archive::pack(&failed)
}

/// One prompt in a task of its own, so that a panic costs this prompt only.
async fn one_prompt(inner: &Inner, prompt: Prompt, seed: u64) -> Outcome {
    let generator = Arc::clone(&inner.generator);
    let limit = inner.options.prompt_timeout;
    let task = tokio::spawn(async move {
        generator
            .generate(&prompt.stem, &prompt.image_url, seed)
            .await
    });
    let _abort_when_given_up = AbortOnDrop(task.abort_handle());
    let module = match tokio::time::timeout(limit, task).await {
        Ok(outcome) => outcome.unwrap_or_else(|error| Err(crash_reason(error)))?,
        Err(_) => return Err(format!("no module after {} s", limit.as_secs())),
    };
    if module.len() > MAX_MODULE_BYTES {
        return Err(format!(
            "the module has {} bytes, the limit is {MAX_MODULE_BYTES}",
            module.len()
        ));
    }
    if let Some(check) = &inner.options.check {
        check(&module)?;
    }
    Ok(module)
}

struct AbortOnDrop(tokio::task::AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn crash_reason(error: tokio::task::JoinError) -> String {
    let text = match error.try_into_panic() {
        Ok(panic) => panic_text(panic.as_ref()),
        Err(error) => error.to_string(),
    };
    format!("generation crashed: {text}")
}

fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic".to_owned())
}
