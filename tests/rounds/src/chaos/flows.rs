//! What the replicas run: errands of nine steps that fail, snooze, fan out, have a child and wait for each other.

use std::time::Duration;

use anyhow::bail;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use workflow::{
    db::records::{EntryRecord, Record},
    engine::{
        Effects, Flow, FlowDefinition, FlowError, Handler, MirrorChange, OnFailure, Outcome,
        Registry, Retry, Step, StepContext,
    },
};

/// The queue of everything that is not inline.
pub(super) const QUEUE: &str = "work";
/// Steps of one errand, its child's included.
pub(super) const STEPS: u64 = 9;
/// The part that fires the event the partner waits for.
const TELLS: u32 = 7;

/// One step of an errand.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Part {
    errand: u64,
    part: u32,
}

impl Part {
    fn key(&self, what: &str) -> String {
        format!("errand/{}/{what}/{}", self.errand, self.part)
    }

    /// What the step answers.
    fn worth(&self) -> i64 {
        self.errand as i64 * 31 + i64::from(self.part)
    }

    /// A row, a line of a file and, for one part, an event: all of them once, or the proof finds out.
    fn effects(&self, key: String, answer: i64) -> Effects {
        let row = EntryRecord {
            hotkey: format!("errand-{}", self.errand),
            repeat: self.part as i32,
            stem: key.clone(),
            ..EntryRecord::default()
        };
        let event = (self.part == TELLS).then(|| (told(self.errand), answer.into()));
        let line = MirrorChange::AppendLine {
            path: format!("ledger/{}", self.errand % 50),
            line: key,
        };
        Effects {
            records: vec![Record::Entry(row)],
            events: event.into_iter().collect(),
            ..Effects::default()
        }
        .publish("chaos".to_owned(), vec![line])
    }
}

fn told(errand: u64) -> String {
    format!("errand/{errand}/told")
}

/// Recorded inside the pass.
struct Note;

impl Step for Note {
    const NAME: &'static str = "note";
    const QUEUE: &'static str = QUEUE;
    const INLINE: bool = true;
    type Input = Part;
    type Output = i64;

    fn key(input: &Part) -> String {
        input.key("note")
    }

    fn effects(input: &Part, answer: &i64) -> Effects {
        input.effects(Self::key(input), *answer)
    }
}

/// Taken from the queue; takes its time.
struct Work;

impl Step for Work {
    const NAME: &'static str = "work";
    const QUEUE: &'static str = QUEUE;
    const RETRY: Retry = Retry::doubling(Duration::from_millis(50), Duration::from_secs(1));
    type Input = Part;
    type Output = i64;

    fn key(input: &Part) -> String {
        input.key("work")
    }

    fn fair_key(input: &Part) -> Option<String> {
        Some(format!("errand-{}", input.errand % 16))
    }

    fn effects(input: &Part, answer: &i64) -> Effects {
        input.effects(Self::key(input), *answer)
    }
}

/// Does both kinds of steps.
struct Hands {
    longest: Duration,
}

#[async_trait]
impl Handler<Note> for Hands {
    type Error = anyhow::Error;

    async fn run(&self, input: Part, _context: &StepContext) -> anyhow::Result<Outcome<i64>> {
        Ok(Outcome::Done(input.worth()))
    }
}

#[async_trait]
impl Handler<Work> for Hands {
    type Error = anyhow::Error;

    /// Safe to run twice: it only counts.
    async fn run(&self, input: Part, context: &StepContext) -> anyhow::Result<Outcome<i64>> {
        let chance = input.errand.wrapping_mul(7919) + u64::from(input.part) * 104_729;
        if chance.is_multiple_of(11) && context.failures == 0 {
            bail!("fails the first time");
        }
        if chance.is_multiple_of(7) && context.attempt == 1 {
            return Ok(Outcome::Snooze(Duration::from_millis(80)));
        }
        tokio::time::sleep(self.longest.mul_f64((chance % 100) as f64 / 100.0)).await;
        Ok(Outcome::Done(input.worth()))
    }
}

/// The flow.
pub(super) struct Errand;

/// Which one. Errands come in pairs that wait for each other.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct ErrandInput {
    pub(super) errand: u64,
}

impl Errand {
    /// What it must end with.
    pub(super) fn expected(errand: u64) -> i64 {
        let own: i64 = (0..STEPS as u32)
            .map(|part| Part { errand, part }.worth())
            .sum();
        let partners = Part {
            errand: errand ^ 1,
            part: TELLS,
        };
        own + partners.worth()
    }
}

#[async_trait]
impl FlowDefinition for Errand {
    const NAME: &'static str = "errand";
    type Input = ErrandInput;
    type Output = i64;

    fn key(input: &ErrandInput) -> String {
        format!("errand/{}", input.errand)
    }

    async fn run(flow: &Flow, input: ErrandInput) -> Result<i64, FlowError> {
        let errand = input.errand;
        let part = |part| Part { errand, part };
        let mut sum = flow.step::<Note>(part(0)).await?;
        sum += flow.step::<Work>(part(1)).await?;
        for together in flow
            .join_steps::<Work>((2..5).map(part), OnFailure::Fail)
            .await?
        {
            sum += together?;
        }
        sum += flow.flow::<Side>(input.clone()).await?;
        sum += flow.step::<Work>(part(TELLS)).await?;
        let partners = flow.event(&told(errand ^ 1)).await?;
        sum += partners
            .as_i64()
            .ok_or_else(|| FlowError::Other(format!("{partners} is no number")))?;
        sum += flow.step::<Note>(part(8)).await?;
        Ok(sum)
    }
}

/// The child of an errand.
struct Side;

#[async_trait]
impl FlowDefinition for Side {
    const NAME: &'static str = "side";
    type Input = ErrandInput;
    type Output = i64;

    fn key(input: &ErrandInput) -> String {
        format!("errand/{}/side", input.errand)
    }

    async fn run(flow: &Flow, input: ErrandInput) -> Result<i64, FlowError> {
        let errand = input.errand;
        let noted = flow.step::<Note>(Part { errand, part: 5 }).await?;
        Ok(noted + flow.step::<Work>(Part { errand, part: 6 }).await?)
    }
}

/// Everything above.
pub(super) fn registry(longest: Duration) -> Registry {
    Registry::new()
        .step::<Note, _>(Hands { longest })
        .step::<Work, _>(Hands { longest })
        .flow::<Errand>()
        .flow::<Side>()
}
