//! Step `order-pod`: a pod is rented, wherever there is one. No free GPU is nobody's fault and is waited for; the limits of
//! the pod's deployment count from its order.

use std::time::Duration;

use schema::{RoundNumber, Side};
use serde::{Deserialize, Serialize};

use crate::{
    engine::{Retry, Step},
    round::queues,
};

/// Orders a pod.
pub struct OrderPod;

/// Which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderPodInput {
    /// Round.
    pub round: RoundNumber,
    /// Whose.
    pub side: Side,
    /// Image to run.
    pub image: String,
    /// Counts the pods of this side from 0.
    pub index: u32,
    /// Counts the orders of this pod from 0: one that its cloud never showed is ordered again.
    pub order: u32,
}

/// A pod that a cloud has promised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderedPod {
    /// Cloud: `targon`, `verda` or `runpod`.
    pub provider: String,
    /// Our name.
    pub name: String,
}

impl Step for OrderPod {
    const NAME: &'static str = "order-pod";
    const QUEUE: &'static str = queues::GPU;
    const DEADLINE: Duration = Duration::from_secs(300);
    // 720 tries two minutes apart: a day without free GPUs.
    const MAX_FAILURES: u16 = 720;
    const RETRY: Retry = Retry::doubling(Duration::from_secs(2), Duration::from_secs(120));
    type Input = OrderPodInput;
    type Output = OrderedPod;

    fn key(input: &OrderPodInput) -> String {
        format!(
            "round/{}/regeneration/{}/pod/{}/order/{}",
            input.round, input.side, input.index, input.order
        )
    }

    fn round(input: &OrderPodInput) -> Option<u32> {
        Some(input.round.0)
    }
}
