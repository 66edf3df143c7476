//! Step `deploy-pod`: one ordered pod, until it is ready. Only looks; whoever asked gives back what did not become ready.

use std::time::Duration;

use chrono::{DateTime, Utc};
use schema::{RoundNumber, Side};
use serde::{Deserialize, Serialize};

use crate::{
    engine::{Effects, Retry, Step},
    round::{notices, queues, steps::OrderedPod},
};

/// Deploys a pod.
pub struct DeployPod;

/// Which.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeployPodInput {
    /// Round.
    pub round: RoundNumber,
    /// Whose.
    pub side: Side,
    /// Counts the pods of this side from 0.
    pub index: u32,
    /// Counts the orders of this pod from 0.
    pub order: u32,
    /// The pod.
    pub pod: OrderedPod,
    /// What the pod is told it may still replace.
    pub replacements_remaining: u32,
    /// When it was ordered: the limits for appearing and warming up count from it.
    pub since: DateTime<Utc>,
}

/// A ready pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pod {
    /// Cloud: `targon`, `verda` or `runpod`.
    pub provider: String,
    /// The cloud's id.
    pub id: String,
    /// Our name.
    pub name: String,
    /// Where it answers.
    pub url: String,
}

/// What came of the deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum DeployPodOutput {
    /// It is ready.
    Ready {
        /// The pod.
        pod: Pod,
    },
    /// It was there, and did not become ready: the image's fault.
    NotReady {
        /// Why.
        reason: String,
    },
    /// The cloud never showed it: not the image's fault, so another one is ordered in its place.
    Lost {
        /// Why.
        reason: String,
    },
}

impl Step for DeployPod {
    const NAME: &'static str = "deploy-pod";
    const QUEUE: &'static str = queues::GPU;
    const DEADLINE: Duration = Duration::from_secs(300);
    // A cloud that cannot be asked for a day.
    const MAX_FAILURES: u16 = 720;
    const RETRY: Retry = Retry::doubling(Duration::from_secs(2), Duration::from_secs(120));
    type Input = DeployPodInput;
    type Output = DeployPodOutput;

    fn key(input: &DeployPodInput) -> String {
        format!(
            "round/{}/regeneration/{}/pod/{}/deploy/{}",
            input.round, input.side, input.index, input.order
        )
    }

    fn round(input: &DeployPodInput) -> Option<u32> {
        Some(input.round.0)
    }

    fn effects(input: &DeployPodInput, output: &DeployPodOutput) -> Effects {
        let DeployPodOutput::NotReady { reason } = output else {
            return Effects::default();
        };
        let pod = &input.pod.name;
        let told = notices::pod_not_deployed(&input.side, pod, reason)
            .about(input.round, notices::pod_subject(pod));
        Effects {
            records: vec![told],
            ..Effects::default()
        }
    }
}
