//! The outside of a round in memory. What it answers follows from names alone, so every run of a step is told the same; what
//! it must not be asked twice for, it remembers.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use assize::{
    clients::{
        cdn::{FakeModuleSource, FetchError, Fetched, ModuleSource},
        chain::{Coldkey, FakeChain},
        clouds::{CloudError, CloudKind, CloudPod, GpuCloud, PodSpec},
        embedder::FakeEmbedder,
        github::{Actions, GithubError, RunQuery, WorkflowJob, WorkflowRun},
        object_store::FakeObjectStore,
        pod::{BatchResults, PodAddress, PodError, PodPrompt, PodState, PodStatus, Pods},
        prompt_images::FakePromptImages,
        registry::FakeRegistry,
        render_service::{FakeRenderService, RenderService, RenderServiceError, RenderedBundle},
        vlm::FakeVlm,
    },
    handlers::{self, RoundSettings, Services},
};
use async_trait::async_trait;
use schema::{BlockNumber, Hotkey, storage::Layout};
use sqlx::PgPool;
use workflow::{
    engine::{
        Effects, Flow, FlowDefinition, FlowError, Handler, Outcome, Registry, Step, StepContext,
    },
    round::{
        flows::{DuelFlow, DuelInput},
        judge::{DuelOutput, DuelSide},
        queues,
    },
    rules::{builds::JOB_NAME_PREFIX, duel::missing_views},
};

/// A miner, by what is special about it.
#[derive(Debug, Clone, Default)]
pub struct Miner {
    /// Begins its hotkey.
    pub name: &'static str,
    /// How good its modules are: what it submitted, then each repeat.
    pub strength: Vec<i32>,
    /// A prompt that its server does not have.
    pub missing: Option<&'static str>,
    /// A prompt whose module breaks a rule.
    pub broken: Option<&'static str>,
    /// A prompt for which its image makes a module that breaks a rule.
    pub broken_again: Option<&'static str>,
    /// Whether its image is still being built when it is looked for first.
    pub is_built_slowly: bool,
    /// Whether its image cannot be built.
    pub is_unbuildable: bool,
    /// How its pods behave.
    pub pods: Manner,
}

/// How a miner's pods behave.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Manner {
    /// They work.
    #[default]
    Work,
    /// The first one asks to be replaced when it is given work.
    FirstIsReplaced,
    /// Each asks to be replaced when it is given work.
    AreReplaced,
    /// Each asks to be replaced before it is ready.
    NeverReady,
    /// The first set of them asks to be replaced when it is given work.
    FirstSetIsReplaced,
}

impl Miner {
    pub fn hotkey(&self) -> Hotkey {
        Hotkey::new(format!(
            "5{}{}",
            self.name,
            "x".repeat(47 - self.name.len())
        ))
    }
}

/// Everything outside the database, for the length of a run.
#[derive(Debug)]
pub struct World {
    pub chain: Arc<FakeChain>,
    store: Arc<FakeObjectStore>,
    miners: Vec<Miner>,
    leaders_pods: Manner,
    pods: Mutex<Vec<CloudPod>>,
    /// How often the builds were looked at.
    looks_at_builds: Mutex<u32>,
    /// Batches by pod.
    batches: Mutex<HashMap<String, Vec<String>>>,
    /// Pods that were rented although there was one of that name.
    rented_twice: Mutex<Vec<String>>,
}

impl World {
    pub fn new(miners: &[Miner], leaders_pods: Manner) -> Arc<Self> {
        let chain = FakeChain::at(BlockNumber(1000));
        for (place, miner) in miners.iter().enumerate() {
            let payload = format!(
                r#"{{"repo": "{0}/models", "commit": "{1:040x}", "cdn_url": "https://{0}.example"}}"#,
                miner.name, place
            );
            // The prefix of a text of 64 bytes and more has two bytes; what it says is not looked at.
            let bytes = [&[0b01, 0], payload.as_bytes()].concat();
            let coldkey = Coldkey(format!("owner of {}", miner.name));
            chain.register(miner.hotkey(), coldkey, vec![(bytes, 1001 + place as u64)]);
        }
        Arc::new(Self {
            chain: Arc::new(chain),
            store: Arc::new(FakeObjectStore::new("https://store.example")),
            miners: miners.to_vec(),
            leaders_pods,
            pods: Mutex::default(),
            looks_at_builds: Mutex::default(),
            batches: Mutex::default(),
            rented_twice: Mutex::default(),
        })
    }

    /// What every run must leave behind outside: nothing that costs money, nothing ordered twice.
    pub fn problems(&self) -> Vec<String> {
        let left = lock(&self.pods)
            .iter()
            .map(|pod| format!("{} is still rented", pod.name))
            .collect::<Vec<_>>();
        let twice = lock(&self.rented_twice)
            .iter()
            .map(|name| format!("{name} was rented twice"))
            .collect();
        [left, twice].concat()
    }

    /// The objects, by key.
    pub fn objects(&self) -> BTreeMap<String, String> {
        let objects = self.store.objects().into_iter();
        objects
            .map(|(key, object)| (key, format!("{} bytes", object.bytes.len())))
            .collect()
    }

    /// This world as the handlers see it. Its model says nothing.
    pub fn services(self: &Arc<Self>, pool: &PgPool) -> Services {
        Services {
            pool: pool.clone(),
            chain: self.chain.clone(),
            modules: Arc::new(Outside(self.clone())),
            prompt_images: Arc::new(FakePromptImages::default()),
            store: self.store.clone(),
            layout: Layout::default(),
            renderer: Arc::new(Outside(self.clone())),
            embedder: Arc::new(FakeEmbedder::default()),
            vlm: Arc::new(FakeVlm::default()),
            actions: Arc::new(Outside(self.clone())),
            registry: Arc::new(FakeRegistry::default()),
            clouds: vec![Arc::new(Outside(self.clone()))],
            pods: Arc::new(Outside(self.clone())),
        }
    }

    /// The real handlers on this world, with a duel that needs no model: the real one has scenarios of its own.
    pub fn registry(self: &Arc<Self>, pool: &PgPool) -> Registry {
        let soon = Duration::from_millis(1);
        let settings = RoundSettings {
            required_lock_rao: 0,
            check_build_interval: soon,
            check_pod_interval: soon,
            status_check_interval: soon,
            ..RoundSettings::default()
        };
        handlers::registry(&self.services(pool), &settings)
            .flow::<ShortDuel>()
            .step::<Verdict, _>(Outside(self.clone()))
    }

    fn miner(&self, told_by: impl Fn(&Miner) -> bool) -> Option<&Miner> {
        self.miners.iter().find(|miner| told_by(miner))
    }

    fn miner_of_pod(&self, pod: &str) -> Option<&Miner> {
        self.miner(|miner| pod.contains(&miner.hotkey().short().to_lowercase()))
    }

    fn manner(&self, pod: &str) -> Manner {
        self.miner_of_pod(pod)
            .map_or(self.leaders_pods, |miner| miner.pods)
    }

    /// How good a module is; the leader's all have strength 1, and who has no pictures none.
    fn strength(&self, side: &DuelSide) -> i32 {
        let Some(views) = &side.views else {
            return i32::MIN;
        };
        let repeat = views
            .split_once("/generated_")
            .and_then(|(_, rest)| rest.split('/').next()?.parse().ok())
            .unwrap_or(0);
        self.miner(|miner| views.contains(miner.hotkey().as_str()))
            .map_or(1, |miner| {
                miner.strength.get::<usize>(repeat).copied().unwrap_or(0)
            })
    }
}

/// The world as clients see it.
struct Outside(Arc<World>);

#[async_trait]
impl ModuleSource for Outside {
    async fn fetch(&self, cdn_url: &str, stem: &str) -> Result<Fetched, FetchError> {
        let of = |miner: &Miner| cdn_url.contains(&format!("//{}.", miner.name.to_lowercase()));
        let miner = self.0.miner(of);
        if miner.is_some_and(|miner| miner.missing == Some(stem)) {
            let reason = "js_fetch_failed: HTTP 404".to_owned();
            return Err(FetchError::TheirFault { reason });
        }
        let is_broken = miner.is_some_and(|miner| miner.broken == Some(stem));
        let name = if is_broken { "broken" } else { stem };
        FakeModuleSource::default().fetch(cdn_url, name).await
    }
}

#[async_trait]
impl RenderService for Outside {
    async fn views(
        &self,
        source: &str,
        view_size: u32,
    ) -> Result<RenderedBundle, RenderServiceError> {
        if source.contains("broken") {
            return Err(RenderServiceError::Rejected {
                failures: Vec::new(),
            });
        }
        FakeRenderService::default().views(source, view_size).await
    }

    async fn version(&self) -> Result<String, RenderServiceError> {
        FakeRenderService::default().version().await
    }
}

#[async_trait]
impl Actions for Outside {
    async fn runs(&self, _query: &RunQuery) -> Result<Vec<WorkflowRun>, GithubError> {
        Ok(vec![WorkflowRun {
            id: 1,
            head_sha: "0".repeat(40),
            completed: true,
            conclusion: Some("success".to_owned()),
            attempt: 1,
        }])
    }

    async fn jobs(&self, _run_id: u64) -> Result<Vec<WorkflowJob>, GithubError> {
        let is_first = {
            let mut looks = lock(&self.0.looks_at_builds);
            *looks += 1;
            *looks == 1
        };
        let job = |(id, miner): (u64, &Miner)| {
            let (status, conclusion) = match miner {
                _ if miner.is_built_slowly && is_first => ("in_progress", None),
                _ if miner.is_unbuildable => ("completed", Some("failure")),
                _ => ("completed", Some("success")),
            };
            WorkflowJob {
                id,
                name: format!("{JOB_NAME_PREFIX}{})", miner.hotkey()),
                status: status.to_owned(),
                conclusion: conclusion.map(str::to_owned),
            }
        };
        Ok((0..).zip(&self.0.miners).map(job).collect())
    }
}

#[async_trait]
impl GpuCloud for Outside {
    fn kind(&self) -> CloudKind {
        CloudKind::Targon
    }

    async fn list(&self) -> Result<Vec<CloudPod>, CloudError> {
        Ok(lock(&self.0.pods).clone())
    }

    async fn create(&self, spec: &PodSpec) -> Result<String, CloudError> {
        let mut pods = lock(&self.0.pods);
        if pods.iter().any(|pod| pod.name == spec.name) {
            lock(&self.0.rented_twice).push(spec.name.clone());
        }
        pods.push(CloudPod {
            id: spec.name.clone(),
            name: spec.name.clone(),
            url: format!("http://{}.example", spec.name).parse().ok(),
        });
        Ok(spec.name.clone())
    }

    async fn delete(&self, id: &str) -> Result<(), CloudError> {
        lock(&self.0.pods).retain(|pod| pod.id != id);
        lock(&self.0.batches).remove(&format!("http://{id}.example/"));
        Ok(())
    }
}

#[async_trait]
impl Pods for Outside {
    async fn health(&self, _pod: &PodAddress) -> Result<(), PodError> {
        Ok(())
    }

    async fn status(&self, pod: &PodAddress, _remaining: u32) -> Result<PodStatus, PodError> {
        let name = pod.url.as_str();
        let is_working = lock(&self.0.batches).contains_key(name);
        let gives_up = match self.0.manner(name) {
            Manner::Work => false,
            Manner::FirstIsReplaced => is_working && name.contains("-0."),
            Manner::AreReplaced => is_working,
            // The first pod and its three replacements.
            Manner::FirstSetIsReplaced => {
                is_working && (0..4).any(|index| name.contains(&format!("-{index}.")))
            }
            Manner::NeverReady => true,
        };
        let state = match (gives_up, is_working) {
            (true, _) => PodState::Replace,
            (false, true) => PodState::Complete,
            (false, false) => PodState::Ready,
        };
        Ok(PodStatus {
            state,
            progress: None,
            total: None,
            payload: None,
        })
    }

    async fn generate(
        &self,
        pod: &PodAddress,
        prompts: &[PodPrompt],
        _seed: u64,
    ) -> Result<(), PodError> {
        let stems = prompts.iter().map(|prompt| prompt.stem.clone()).collect();
        lock(&self.0.batches).insert(pod.url.to_string(), stems);
        Ok(())
    }

    async fn results(&self, pod: &PodAddress) -> Result<BatchResults, PodError> {
        let stems = lock(&self.0.batches)
            .get(pod.url.as_str())
            .cloned()
            .unwrap_or_default();
        let miner = self.0.miner_of_pod(pod.url.as_str());
        let broken = miner.and_then(|miner| miner.broken_again);
        let module = |stem: String| {
            let quality = if broken == Some(&stem) { "broken " } else { "" };
            let source = format!("// {quality}{stem} by {}", pod.url);
            (stem, source.into())
        };
        Ok(BatchResults {
            modules: stems.into_iter().map(module).collect(),
            ..BatchResults::default()
        })
    }
}

/// A duel of one question instead of nine to twenty-six; see `duels.rs` for those.
struct ShortDuel;

#[async_trait]
impl FlowDefinition for ShortDuel {
    const NAME: &'static str = DuelFlow::NAME;
    type Input = DuelInput;
    type Output = DuelOutput;

    fn key(input: &DuelInput) -> String {
        DuelFlow::key(input)
    }

    fn round(input: &DuelInput) -> Option<u32> {
        DuelFlow::round(input)
    }

    async fn run(flow: &Flow, input: DuelInput) -> Result<DuelOutput, FlowError> {
        flow.step::<Verdict>(input).await
    }

    fn effects(input: &DuelInput, output: &DuelOutput) -> Effects {
        DuelFlow::effects(input, output)
    }
}

/// The one question.
struct Verdict;

impl Step for Verdict {
    const NAME: &'static str = "verdict";
    const QUEUE: &'static str = queues::VLM;
    type Input = DuelInput;
    type Output = DuelOutput;

    fn key(input: &DuelInput) -> String {
        format!("{}/verdict", DuelFlow::key(input))
    }

    fn round(input: &DuelInput) -> Option<u32> {
        DuelFlow::round(input)
    }
}

#[async_trait]
impl Handler<Verdict> for Outside {
    type Error = anyhow::Error;

    async fn run(
        &self,
        input: DuelInput,
        _context: &StepContext,
    ) -> anyhow::Result<Outcome<DuelOutput>> {
        let strength = |side| self.0.strength(side);
        let (left, right) = (strength(&input.bound.left), strength(&input.bound.right));
        // Who is weaker has no pictures, as far as the verdict is concerned.
        let (winner, detail) = missing_views(left > right, right > left)
            .ok_or_else(|| anyhow::anyhow!("both cannot be stronger"))?;
        Ok(Outcome::Done(DuelOutput { winner, detail }))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}
