//! Flows that are lists of toy steps.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use workflow::engine::{Flow, FlowDefinition, FlowError, OnFailure};

use super::toys::{Doomed, Inline, Limited, Task, Work};

/// What a flow does, one thing after the other; it ends with the sum of all answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Op {
    Queue(Task),
    Inline(Task),
    Doomed(Task),
    Limited(Task),
    /// Fails with the first failure.
    Join(Vec<Task>),
    /// Counts failures as -1.
    Collect(Vec<Task>),
    Flows(Vec<Plan>),
    Event(String),
    Block(u64),
    /// Milliseconds after 1970.
    Until(i64),
    Both(Box<Op>, Box<Op>),
    Then(Box<Op>, Box<Op>),
    /// Starts a flow without waiting for it.
    Begin(Plan),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    pub name: String,
    pub ops: Vec<Op>,
    #[serde(default)]
    pub round: Option<u32>,
}

impl Plan {
    pub fn new(name: impl Into<String>, ops: impl IntoIterator<Item = Op>) -> Self {
        Self {
            name: name.into(),
            ops: ops.into_iter().collect(),
            round: None,
        }
    }

    pub fn key(&self) -> String {
        Script::key(self)
    }
}

pub struct Script;

#[async_trait]
impl FlowDefinition for Script {
    const NAME: &'static str = "script";
    type Input = Plan;
    type Output = i64;
    fn key(plan: &Plan) -> String {
        format!("script/{}", plan.name)
    }
    fn round(plan: &Plan) -> Option<u32> {
        plan.round
    }
    async fn run(flow: &Flow, plan: Plan) -> Result<i64, FlowError> {
        let mut sum = 0;
        for op in plan.ops {
            sum += perform(flow, op).await?;
        }
        Ok(sum)
    }
}

fn perform(
    flow: &Flow,
    op: Op,
) -> std::pin::Pin<Box<dyn Future<Output = Result<i64, FlowError>> + Send + '_>> {
    Box::pin(async move {
        match op {
            Op::Queue(task) => flow.step::<Work>(task).await,
            Op::Inline(task) => flow.step::<Inline>(task).await,
            Op::Doomed(task) => flow.step::<Doomed>(task).await,
            Op::Limited(task) => flow.step::<Limited>(task).await,
            Op::Join(tasks) => flow
                .join_steps::<Work>(tasks, OnFailure::Fail)
                .await?
                .into_iter()
                .sum(),
            Op::Collect(tasks) => {
                let answers = flow.join_steps::<Doomed>(tasks, OnFailure::Collect).await?;
                Ok(answers.into_iter().map(|answer| answer.unwrap_or(-1)).sum())
            }
            Op::Flows(plans) => flow
                .join_flows::<Script>(plans, OnFailure::Fail)
                .await?
                .into_iter()
                .sum(),
            Op::Event(name) => Ok(flow.event(&name).await?.as_i64().unwrap_or(0)),
            Op::Block(block) => flow.until_block(block).await.map(|()| 0),
            Op::Until(ms) => {
                let moment = chrono::DateTime::from_timestamp_millis(ms).unwrap();
                flow.until(&ms.to_string(), moment).await.map(|()| 0)
            }
            Op::Both(left, right) => {
                let (left, right) =
                    futures::try_join!(perform(flow, *left), perform(flow, *right))?;
                Ok(left + right)
            }
            Op::Then(first, second) => {
                Ok(perform(flow, *first).await? + perform(flow, *second).await?)
            }
            Op::Begin(plan) => flow.start_flow::<Script>(&plan).map(|_| 0),
        }
    })
}
