//! What the clouds run: deployments, kept in a file, and their pods.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use super::pod::RunningPod;
use super::{CloudOptions, Images, Provider};
use crate::clock::WorldClock;
use crate::files::{read_json, write_json};

/// One deployment of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pod {
    /// The cloud that runs it.
    pub provider: Provider,
    /// The cloud's own name for it.
    pub id: String,
    /// The name the client gave it.
    pub name: String,
    /// The image it runs.
    pub image: String,
    /// The port its container listens on, as the client said.
    pub port: u16,
    /// World time of its registration, in Unix milliseconds.
    pub created_at_ms: u64,
    /// World time of its deployment; `None` for a Targon workload that was registered only.
    pub deployed_at_ms: Option<u64>,
}

/// A deployment a client asks for.
#[derive(Debug)]
pub(super) struct NewPod {
    pub name: String,
    pub image: String,
    pub port: u16,
    pub deploy: bool,
}

/// Why a cloud does not take a deployment.
#[derive(Debug)]
pub(super) enum Refused {
    NoCapacity,
    Broken(anyhow::Error),
}

/// All pods of all clouds. Clones share one.
#[derive(Clone)]
pub struct Fleet {
    inner: Arc<Inner>,
}

struct Inner {
    file: PathBuf,
    clock: WorldClock,
    options: CloudOptions,
    images: Images,
    stop: CancellationToken,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    kept: Kept,
    running: HashMap<String, RunningPod>,
    /// Ends a pod that has not answered yet as well as one that has.
    stops: HashMap<String, CancellationToken>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Kept {
    created: u64,
    pods: Vec<Pod>,
}

impl Fleet {
    /// The fleet kept in `file`; deployments of an earlier process start anew. Must be called within a Tokio runtime.
    pub(crate) fn open(
        file: PathBuf,
        clock: WorldClock,
        options: CloudOptions,
        images: Images,
        stop: CancellationToken,
    ) -> anyhow::Result<Self> {
        let kept: Kept = read_json(&file)?.unwrap_or_default();
        let pods = kept.pods.clone();
        let state = Mutex::new(State {
            kept,
            ..State::default()
        });
        let fleet = Self {
            inner: Arc::new(Inner {
                file,
                clock,
                options,
                images,
                stop,
                state,
            }),
        };
        for pod in pods.iter().filter(|pod| pod.deployed_at_ms.is_some()) {
            fleet.start(pod);
        }
        Ok(fleet)
    }

    /// Every deployment there is now: what is being paid for.
    pub fn pods(&self) -> Vec<Pod> {
        self.state().kept.pods.clone()
    }

    /// Ends the container of the pod with this name, as a crashed machine would; the cloud goes on listing it.
    ///
    /// # Errors
    ///
    /// When there is no such pod.
    pub fn crash(&self, name: &str) -> anyhow::Result<()> {
        let mut state = self.state();
        let id = id_of(&state, name)?;
        if let Some(stop) = state.stops.remove(&id) {
            stop.cancel();
        }
        state.running.remove(&id);
        Ok(())
    }

    /// Has the pod with this name report bad hardware with this payload, so that it asks for a replacement.
    ///
    /// # Errors
    ///
    /// When there is no such pod, or its container does not answer yet.
    pub fn degrade(&self, name: &str, payload: serde_json::Value) -> anyhow::Result<()> {
        let state = self.state();
        let id = id_of(&state, name)?;
        let running = state
            .running
            .get(&id)
            .with_context(|| format!("the pod {name} does not answer yet"))?;
        running.service.report_degraded(payload);
        Ok(())
    }

    pub(super) fn options(&self) -> CloudOptions {
        self.inner.options
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.inner.clock.now_ms()
    }

    pub(super) fn list(&self, provider: Provider) -> Vec<Pod> {
        self.state()
            .kept
            .pods
            .iter()
            .filter(|pod| pod.provider == provider)
            .cloned()
            .collect()
    }

    pub(super) fn find(&self, provider: Provider, id: &str) -> Option<Pod> {
        self.state()
            .kept
            .pods
            .iter()
            .find(|pod| pod.provider == provider && pod.id == id)
            .cloned()
    }

    /// Where the pod's container listens on this machine, once it answers.
    pub(super) fn local_port(&self, id: &str) -> Option<u16> {
        self.state().running.get(id).map(|running| running.port)
    }

    /// Registers a deployment under an id made by `id` from a fresh random text, and starts it if it is to be deployed.
    pub(super) fn create(
        &self,
        provider: Provider,
        new: NewPod,
        id: impl FnOnce(&NewPod, String) -> String,
    ) -> Result<Pod, Refused> {
        let now = self.now_ms();
        let pod = {
            let mut state = self.state();
            let taken = state
                .kept
                .pods
                .iter()
                .filter(|pod| pod.provider == provider)
                .count();
            if taken >= self.inner.options.capacity {
                return Err(Refused::NoCapacity);
            }
            let mut next = state.kept.clone();
            next.created += 1;
            let digest = Sha256::digest(format!("{provider} {} {} {now}", next.created, new.name));
            let pod = Pod {
                provider,
                id: id(&new, hex::encode(digest)),
                name: new.name,
                image: new.image,
                port: new.port,
                created_at_ms: now,
                deployed_at_ms: new.deploy.then_some(now),
            };
            next.pods.push(pod.clone());
            self.keep(&mut state, next).map_err(Refused::Broken)?;
            pod
        };
        if pod.deployed_at_ms.is_some() {
            self.start(&pod);
        }
        Ok(pod)
    }

    /// Deploys a registered pod; one that is deployed already stays as it is.
    pub(super) fn deploy(&self, provider: Provider, id: &str) -> anyhow::Result<Option<Pod>> {
        let now = self.now_ms();
        let deployed = {
            let mut state = self.state();
            let mut next = state.kept.clone();
            let Some(pod) = next
                .pods
                .iter_mut()
                .find(|pod| pod.provider == provider && pod.id == id)
            else {
                return Ok(None);
            };
            if pod.deployed_at_ms.is_some() {
                return Ok(Some(pod.clone()));
            }
            pod.deployed_at_ms = Some(now);
            let pod = pod.clone();
            self.keep(&mut state, next)?;
            pod
        };
        self.start(&deployed);
        Ok(Some(deployed))
    }

    /// Deletes a deployment; whether there was one.
    pub(super) fn delete(&self, provider: Provider, id: &str) -> anyhow::Result<bool> {
        let mut state = self.state();
        let mut next = state.kept.clone();
        next.pods
            .retain(|pod| !(pod.provider == provider && pod.id == id));
        if next.pods.len() == state.kept.pods.len() {
            return Ok(false);
        }
        self.keep(&mut state, next)?;
        if let Some(stop) = state.stops.remove(id) {
            stop.cancel();
        }
        state.running.remove(id);
        Ok(true)
    }

    /// Starts the container once its image is pulled.
    fn start(&self, pod: &Pod) {
        let Inner {
            clock,
            options,
            images,
            stop,
            ..
        } = &*self.inner;
        let stop = stop.child_token();
        self.state().stops.insert(pod.id.clone(), stop.clone());
        let answers_at =
            pod.deployed_at_ms.unwrap_or_default() + options.answers_after.as_millis() as u64;
        let (fleet, clock, images, warm_up) =
            (self.clone(), clock.clone(), images.clone(), options.warm_up);
        let pod = pod.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => return,
                () = clock.reached(answers_at) => {}
            }
            let Some(generator) = images(&pod.image) else {
                tracing::info!(
                    pod.name,
                    pod.image,
                    "the image cannot be pulled; its pod will never answer"
                );
                return;
            };
            match RunningPod::start(generator, clock, warm_up, stop.clone()).await {
                Ok(running) => {
                    let mut state = fleet.state();
                    if !stop.is_cancelled() {
                        state.running.insert(pod.id, running);
                    }
                }
                Err(error) => tracing::warn!(
                    pod.name,
                    error = format!("{error:#}"),
                    "a pod cannot listen"
                ),
            }
        });
    }

    fn keep(&self, state: &mut State, next: Kept) -> anyhow::Result<()> {
        write_json(&self.inner.file, &next)?;
        state.kept = next;
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn id_of(state: &State, name: &str) -> anyhow::Result<String> {
    match state.kept.pods.iter().find(|pod| pod.name == name) {
        Some(pod) => Ok(pod.id.clone()),
        None => bail!("no cloud runs a pod named {name}"),
    }
}
