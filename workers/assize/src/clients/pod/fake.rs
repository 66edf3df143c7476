//! A pod that does what its script says, and otherwise generates everything at once.

use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;

use super::{BatchResults, PodAddress, PodError, PodPrompt, PodState, PodStatus, Pods};
use crate::clients::script::{Script, lock};

/// Remembers what it was asked; by itself it is ready, then complete with a module for every stem.
#[derive(Debug, Default)]
pub struct FakePods {
    /// Answers to `/health`, and the pods asked.
    pub healths: Script<String, Result<(), PodError>>,
    /// Answers to `/status`, and the replacements announced.
    pub statuses: Script<u32, Result<PodStatus, PodError>>,
    /// Answers to `/generate`, and the stems and seed.
    pub batches: Script<(Vec<String>, u64), Result<(), PodError>>,
    /// Answers to `/results`, and the pods asked.
    pub results: Script<String, Result<BatchResults, PodError>>,
    batch: Mutex<Option<Vec<String>>>,
}

#[async_trait]
impl Pods for FakePods {
    async fn health(&self, pod: &PodAddress) -> Result<(), PodError> {
        self.healths.ask(pod.url.to_string()).unwrap_or(Ok(()))
    }

    async fn status(
        &self,
        _pod: &PodAddress,
        replacements_remaining: u32,
    ) -> Result<PodStatus, PodError> {
        self.statuses
            .ask(replacements_remaining)
            .unwrap_or_else(|| {
                let state = if lock(&self.batch).is_some() {
                    PodState::Complete
                } else {
                    PodState::Ready
                };
                Ok(PodStatus {
                    state,
                    progress: None,
                    total: None,
                    payload: None,
                })
            })
    }

    async fn generate(
        &self,
        _pod: &PodAddress,
        prompts: &[PodPrompt],
        seed: u64,
    ) -> Result<(), PodError> {
        let stems: Vec<String> = prompts.iter().map(|prompt| prompt.stem.clone()).collect();
        self.batches.ask((stems.clone(), seed)).unwrap_or_else(|| {
            *lock(&self.batch) = Some(stems);
            Ok(())
        })
    }

    async fn results(&self, pod: &PodAddress) -> Result<BatchResults, PodError> {
        self.results.ask(pod.url.to_string()).unwrap_or_else(|| {
            let stems = lock(&self.batch).clone().unwrap_or_default();
            let module = |stem: &String| {
                Bytes::from(format!(
                    "export default (THREE) => new THREE.Group(); // {stem}"
                ))
            };
            let modules = stems
                .iter()
                .map(|stem| (stem.clone(), module(stem)))
                .collect();
            Ok(BatchResults {
                modules,
                ..BatchResults::default()
            })
        })
    }
}
