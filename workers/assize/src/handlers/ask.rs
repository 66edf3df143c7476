//! Handler of `ask`.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use async_trait::async_trait;
use sqlx::PgPool;
use workflow::{
    db,
    engine::{Handler, Outcome, StepContext},
    round::{
        queues,
        steps::{Ask, AskInput},
    },
    rules::{
        call_answer::{self, CallAnswer},
        questions,
        vlm_calls::{VlmCall, temperature},
    },
};

use crate::clients::vlm::{Part, Vlm, VlmError, VlmRequest};

/// Asks the model one question. Safe to run twice: it only asks, and one recorded answer counts.
///
/// A call that is not answered, or not with what was asked for, is our failure: it is tried again with another temperature and
/// seed, then parked. It never becomes a score. When the model's server is away, nothing fails: judging pauses until it
/// answers again.
pub struct AskHandler {
    /// The vision-language model.
    pub vlm: Arc<dyn Vlm>,
    /// Our database.
    pub pool: PgPool,
    /// Calls that have failed since the last one that was answered.
    pub failing: Failing,
}

/// Calls that have failed since the last one that was answered, as far as this process knows. One may have itself to blame;
/// several in a row are an outage.
#[derive(Debug, Default)]
pub struct Failing(Mutex<HashSet<String>>);

/// So many different calls that fail in a row are an outage.
const OUTAGE_CALLS: usize = 4;
/// Longest that a server's wish for a pause is followed.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How long a call stands back that may itself be to blame for what looks like an outage. Others look meanwhile whether the model
/// answers: about twenty of them in that time, more than the calls of one duel whose picture cannot be had.
const STANDS_BACK: Duration = Duration::from_secs(120);

impl Failing {
    fn answered(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// Whether the failure of this call makes it an outage.
    fn is_outage_with(&self, key: &str) -> bool {
        let mut failing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if failing.len() < OUTAGE_CALLS {
            failing.insert(key.to_owned());
        }
        failing.len() >= OUTAGE_CALLS
    }
}

#[async_trait]
impl Handler<Ask> for AskHandler {
    type Error = anyhow::Error;

    async fn run(
        &self,
        input: AskInput,
        context: &StepContext,
    ) -> anyhow::Result<Outcome<CallAnswer>> {
        let attempt = u32::from(context.failures) + 1;
        let text = match self.vlm.complete(&request(&input, attempt)?).await {
            Ok(text) => text,
            Err(error) if self.is_outage(&error, &context.key) => {
                self.pause(&error).await?;
                // For who is surely not to blame it is all the same who tries next.
                let is_sure = error.is_outage().is_some();
                let wait = if is_sure { Duration::ZERO } else { STANDS_BACK };
                return Ok(Outcome::Snooze(wait));
            }
            Err(error) => {
                if error.is_outage() == Some(false) {
                    self.is_back().await?;
                }
                return last_resort(&input, attempt, error.into());
            }
        };
        self.is_back().await?;
        match CallAnswer::read(input.call, &input.features, &text) {
            Ok(answer) => Ok(Outcome::Done(answer)),
            Err(error) => last_resort(&input, attempt, error.into()),
        }
    }
}

impl AskHandler {
    fn is_outage(&self, error: &VlmError, key: &str) -> bool {
        match error.is_outage() {
            Some(sure) => sure,
            None => self.failing.is_outage_with(key),
        }
    }

    async fn pause(&self, error: &VlmError) -> anyhow::Result<()> {
        let because = with_sources(error);
        tracing::warn!(error = %because, "the model does not answer; judging pauses");
        let wait = error.retry_after().map(|wait| wait.min(LONGEST_WAIT));
        let mut conn = self.pool.acquire().await?;
        db::queue::note_outage(&mut conn, queues::VLM, &because, wait).await?;
        Ok(())
    }

    /// The model's server has answered, well or not.
    async fn is_back(&self) -> anyhow::Result<()> {
        self.failing.answered();
        let mut conn = self.pool.acquire().await?;
        if db::queue::end_outage(&mut conn, queues::VLM).await? {
            tracing::info!("the model answers again; judging goes on");
        }
        Ok(())
    }
}

/// An error and what caused it, in one line.
fn with_sources(error: &VlmError) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    text
}

/// The request of one attempt.
fn request(input: &AskInput, attempt: u32) -> anyhow::Result<VlmRequest> {
    let call = input.call;
    let question =
        questions::question(input.questions, call, &input.features).with_context(|| {
            format!(
                "this build does not know version {} of the questions; run one that does",
                input.questions
            )
        })?;
    let mut urls = input.pictures.iter();
    let parts = question
        .parts
        .into_iter()
        .map(|part| match part {
            questions::Part::Text(text) => Ok(Part::Text(text)),
            questions::Part::Picture(_) => {
                let url = urls.next().context("a picture of the call has no URL")?;
                Ok(Part::Image(url.clone()))
            }
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    ensure!(urls.next().is_none(), "the call has too many pictures");
    Ok(VlmRequest {
        model: input.model.clone(),
        label: call.label().to_owned(),
        system: question.system.to_owned(),
        parts,
        max_tokens: call.max_tokens(),
        schema: call_answer::schema(call),
        temperature: temperature(attempt),
        seed: call.wire_seed(input.seed, attempt),
    })
}

/// The summary decides nothing: when its attempts are used up, the duel has none.
fn last_resort(
    input: &AskInput,
    attempt: u32,
    error: anyhow::Error,
) -> anyhow::Result<Outcome<CallAnswer>> {
    if input.call == VlmCall::Explain && attempt >= input.call.attempts() {
        let because = format!("{error:#}");
        return Ok(Outcome::Done(CallAnswer::NoSummary { because }));
    }
    Err(error)
}

#[cfg(test)]
mod painted;
#[cfg(test)]
mod tests;
