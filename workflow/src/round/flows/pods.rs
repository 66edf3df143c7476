//! The pods of a regeneration, one at a time, within the replacement budget.

use schema::files::{PodStats, TerminationReason};

use crate::{
    engine::{Flow, FlowError},
    round::{
        flows::RegenerationInput,
        steps::{
            DeployPod, DeployPodInput, DeployPodOutput, NoteTime, NoteTimeInput, OrderPod,
            OrderPodInput, Pod, ReleasePods, ReleasePodsInput, RenewPods, RenewPodsInput,
        },
    },
};

/// What one regeneration has rented, and what it still may.
pub(super) struct Pods<'a> {
    pub(super) flow: &'a Flow,
    pub(super) input: &'a RegenerationInput,
    image: String,
    current: Option<(Pod, Vec<PodStats>)>,
    /// The first index of this set of pods.
    first_index: u32,
    next_index: u32,
    replacements_used: u32,
    /// Whether a pod of this side was ready once.
    was_ready: bool,
}

impl<'a> Pods<'a> {
    /// No pods yet. A regeneration that begins anew counts from where no earlier one can have been: its pods may still be in
    /// the cloud's list.
    pub(super) fn new(flow: &'a Flow, input: &'a RegenerationInput, image: String) -> Self {
        let first_index = input.first_pod + input.again * input.budget.pods();
        Self {
            flow,
            input,
            image,
            current: None,
            first_index,
            next_index: first_index,
            replacements_used: 0,
            was_ready: false,
        }
    }

    /// What the pod is told it may still replace.
    pub(super) fn replacements_remaining(&self) -> u32 {
        let most = self.input.budget.replacements;
        most.saturating_sub(self.replacements_used)
    }

    /// Pods that took another's place.
    pub(super) fn replacements_used(&self) -> u32 {
        self.replacements_used.min(self.input.budget.replacements)
    }

    /// Whether the image never ran.
    pub(super) fn never_deployed(&self) -> bool {
        !self.was_ready
    }

    /// The current pod, or a new one; none when a miner's budget is used up.
    pub(super) async fn ready(&mut self) -> Result<Option<Pod>, FlowError> {
        if let Some((pod, _)) = &self.current {
            return Ok(Some(pod.clone()));
        }
        loop {
            if self.is_used_up() {
                if self.input.side.hotkey().is_some() {
                    return Ok(None);
                }
                self.renew().await?;
            }
            let index = self.next_index;
            self.next_index += 1;
            if let Some(pod) = self.deploy(index).await? {
                self.was_ready = true;
                self.current = Some((pod.clone(), Vec::new()));
                return Ok(Some(pod));
            }
            // The first pod has a second try for free; a replacement that does not come up costs another one.
            if self.replacements_used > 0 {
                self.replacements_used += 1;
            }
        }
    }

    fn is_used_up(&self) -> bool {
        let budget = &self.input.budget;
        if self.replacements_used == 0 {
            self.next_index >= self.first_index + budget.first_tries
        } else {
            self.replacements_used > budget.replacements
        }
    }

    /// The leader's baseline is ours and nobody's fault: an operator may grant another set.
    async fn renew(&mut self) -> Result<(), FlowError> {
        let renew = RenewPodsInput {
            round: self.input.round,
            used_up: self.next_index,
        };
        self.flow.step::<RenewPods>(renew).await?;
        (self.first_index, self.replacements_used) = (self.next_index, 0);
        Ok(())
    }

    /// One pod, from order to ready; none when its image did not become ready. A pod that its cloud loses is ordered again.
    async fn deploy(&self, index: u32) -> Result<Option<Pod>, FlowError> {
        let RegenerationInput { round, side, .. } = self.input;
        let mut order = 0;
        loop {
            let asked = OrderPodInput {
                round: *round,
                side: side.clone(),
                image: self.image.clone(),
                index,
                order,
            };
            let pod = self.flow.step::<OrderPod>(asked).await?;
            let moment = format!("round/{round}/regeneration/{side}/pod/{index}/order/{order}");
            let since = self
                .flow
                .step::<NoteTime>(NoteTimeInput {
                    round: *round,
                    moment,
                })
                .await?;
            let name = pod.name.clone();
            let deploy = DeployPodInput {
                round: *round,
                side: side.clone(),
                index,
                order,
                pod,
                replacements_remaining: self.replacements_remaining(),
                since,
            };
            let deployed = self.flow.step::<DeployPod>(deploy).await?;
            if let DeployPodOutput::Ready { pod } = deployed {
                return Ok(Some(pod));
            }
            let occasion = format!("{name}/order/{order}");
            self.release(Some(name), Vec::new(), occasion).await?;
            if let DeployPodOutput::NotReady { .. } = deployed {
                return Ok(None);
            }
            order += 1;
        }
    }

    /// Counts a finished batch for `pod_stats.json`.
    pub(super) fn count(&mut self, repeat: u32, seconds: f64) {
        let Some((pod, statistics)) = &mut self.current else {
            return;
        };
        let entry = entry_of(statistics, pod, repeat);
        entry.batch_times.push(seconds);
        entry.total_generation_time += seconds;
    }

    /// Gives the pod back; the next one costs a replacement.
    pub(super) async fn replace(
        &mut self,
        repeat: u32,
        reason: &str,
        payload: Option<serde_json::Value>,
    ) -> Result<(), FlowError> {
        if let Some((pod, mut statistics)) = self.current.take() {
            let reason =
                serde_json::from_value(reason.into()).unwrap_or(TerminationReason::Unreachable);
            let entry = entry_of(&mut statistics, &pod, repeat);
            (entry.termination_reason, entry.payload) = (reason, payload);
            self.release(Some(pod.name.clone()), statistics, pod.name)
                .await?;
        }
        self.replacements_used += 1;
        Ok(())
    }

    /// Gives back whatever there is.
    pub(super) async fn release_all(&mut self) -> Result<(), FlowError> {
        let statistics = self
            .current
            .take()
            .map(|(_, statistics)| statistics)
            .unwrap_or_default();
        let occasion = match self.input.again {
            0 => "end".to_owned(),
            again => format!("end/again/{again}"),
        };
        self.release(None, statistics, occasion).await
    }

    async fn release(
        &self,
        pod: Option<String>,
        statistics: Vec<PodStats>,
        occasion: String,
    ) -> Result<(), FlowError> {
        let release = ReleasePodsInput {
            round: self.input.round,
            side: self.input.side.clone(),
            pod,
            first_pod: self.input.first_pod,
            statistics,
            occasion,
        };
        self.flow.step::<ReleasePods>(release).await
    }
}

/// The pod's entry for a repeat, a new one if it has none.
fn entry_of<'a>(statistics: &'a mut Vec<PodStats>, pod: &Pod, repeat: u32) -> &'a mut PodStats {
    let known = statistics
        .iter()
        .position(|entry| entry.repeat_index == repeat);
    let place = known.unwrap_or_else(|| {
        statistics.push(PodStats {
            pod_id: pod.name.clone(),
            repeat_index: repeat,
            provider: pod.provider.clone(),
            batch_times: Vec::new(),
            total_generation_time: 0.0,
            termination_reason: TerminationReason::Completed,
            payload: None,
        });
        statistics.len() - 1
    });
    &mut statistics[place]
}
