//! Handlers: how each step of the round is done, one file a step.
//!
//! A handler's fields are what it needs. Its documentation says why running it twice is safe.

mod ask;
mod collect;
mod count_downloads;
mod declare;
mod deploy_pod;
mod download;
mod end_stage;
mod finalize;
mod find_build_run;
mod fingerprint_prompt;
mod load_match;
mod note_time;
mod open_round;
mod order_pod;
mod regenerate;
mod release_pods;
mod render;
mod renew_pods;
mod seed;
mod state_files;
mod verify_build;
mod views_of_both;
mod without_work;

use std::{sync::Arc, time::Duration};

use schema::storage::Layout;
use secrecy::SecretString;
use sqlx::PgPool;
use workflow::{
    engine::Registry,
    round::{self, judge::Judge, judging::Judging, steps},
    rules::{duel::DuelThresholds, regeneration::Budget, vlm_calls},
};

use crate::clients::{
    cdn::ModuleSource, chain::Chain, clouds::GpuCloud, embedder::Embedder, github::Actions,
    object_store::ObjectStore, pod::Pods, prompt_images::PromptImages, registry::ImageRegistry,
    render_service::RenderService, vlm::Vlm,
};

pub use ask::{AskHandler, Failing};
pub use collect::CollectHandler;
pub use count_downloads::CountDownloadsHandler;
pub use declare::DeclareHandler;
pub use deploy_pod::DeployPodHandler;
pub use download::DownloadHandler;
pub use end_stage::EndStageHandler;
pub use finalize::FinalizeHandler;
pub use find_build_run::FindBuildRunHandler;
pub use fingerprint_prompt::FingerprintPromptHandler;
pub use load_match::LoadMatchHandler;
pub use note_time::NoteTimeHandler;
pub use open_round::OpenRoundHandler;
pub use order_pod::OrderPodHandler;
pub use regenerate::RegenerateHandler;
pub use release_pods::ReleasePodsHandler;
pub use render::RenderHandler;
pub use renew_pods::RenewPodsHandler;
pub use seed::SeedHandler;
pub use verify_build::VerifyBuildHandler;
pub use views_of_both::{CompareEmbeddingsHandler, MeasureGrayHandler, StoredViews};
pub use without_work::WithoutWork;

/// The outside, as the handlers see it.
#[derive(Clone)]
pub struct Services {
    /// Our database.
    pub pool: PgPool,
    /// The chain.
    pub chain: Arc<dyn Chain>,
    /// Miners' servers.
    pub modules: Arc<dyn ModuleSource>,
    /// Prompt images.
    pub prompt_images: Arc<dyn PromptImages>,
    /// Our object store.
    pub store: Arc<dyn ObjectStore>,
    /// Where in it things lie.
    pub layout: Layout,
    /// The renderer.
    pub renderer: Arc<dyn RenderService>,
    /// The embedding model.
    pub embedder: Arc<dyn Embedder>,
    /// The vision-language model.
    pub vlm: Arc<dyn Vlm>,
    /// The public build runs.
    pub actions: Arc<dyn Actions>,
    /// The registries of miners' images.
    pub registry: Arc<dyn ImageRegistry>,
    /// Where GPUs are rented, in the order of preference.
    pub clouds: Vec<Arc<dyn GpuCloud>>,
    /// Miners' pods.
    pub pods: Arc<dyn Pods>,
}

/// Numbers of the round that are the operator's to choose. The defaults are the reference's.
#[derive(Debug, Clone)]
pub struct RoundSettings {
    /// `NETUID`.
    pub netuid: u16,
    /// `REQUIRED_LOCK_ALPHA` in rao: what an owner must have locked for each of its submissions.
    pub required_lock_rao: u64,
    /// Edge of a picture, in pixels. Live rounds draw 1024.
    pub view_size: u32,
    /// `DOCKER_IMAGE_FORMAT`.
    pub docker_image_format: String,
    /// `CHECK_BUILD_INTERVAL`.
    pub check_build_interval: Duration,
    /// `BUILD_TIMEOUT`.
    pub build_timeout: Duration,
    /// `CHECK_POD_INTERVAL`.
    pub check_pod_interval: Duration,
    /// `POD_VISIBILITY_TIMEOUT`.
    pub pod_visibility_timeout: Duration,
    /// `POD_WARMUP_TIMEOUT`.
    pub pod_warmup_timeout: Duration,
    /// `STATUS_CHECK_INTERVAL`.
    pub status_check_interval: Duration,
    /// `MAX_CONSECUTIVE_UNHEALTHY`: how many looks at a pod in a row may fail before it is replaced.
    pub max_unhealthy: u32,
    /// `BATCH_TIME_LIMIT`.
    pub batch_time_limit: Duration,
    /// `GPU_TYPE`.
    pub gpu_type: String,
    /// `GPU_COUNT`.
    pub gpu_count: u32,
    /// `GENERATION_PORT`.
    pub generation_port: u16,
    /// `HF_TOKEN`, given to pods.
    pub hf_token: Option<SecretString>,
    /// `VLM_MODEL`: the model that judges, by its name at the server.
    pub vlm_model: String,
    /// `DUEL_THRESHOLDS`: what duels are decided by.
    pub duel_thresholds: DuelThresholds,
    /// How matches are measured, for rounds that open from now on.
    pub judging: Judging,
    /// What regenerations may take, in rounds whose reveal window ends from now on.
    pub budget: Budget,
    /// `PAUSE_ON_STAGE_END`: whether an operator has to let the round go on to FINALIZING and to the next OPEN.
    pub pause_on_stage_end: bool,
}

impl Default for RoundSettings {
    fn default() -> Self {
        Self {
            netuid: 17,
            required_lock_rao: 100_000_000_000,
            view_size: schema::views::IMAGE_SIZE_PX,
            docker_image_format: schema::files::Build::DEFAULT_IMAGE_FORMAT.to_owned(),
            check_build_interval: Duration::from_secs(120),
            build_timeout: Duration::from_secs(10_800),
            check_pod_interval: Duration::from_secs(30),
            pod_visibility_timeout: Duration::from_secs(1800),
            pod_warmup_timeout: Duration::from_secs(12_600),
            status_check_interval: Duration::from_secs(10),
            max_unhealthy: 18,
            batch_time_limit: Duration::from_secs(3600),
            gpu_type: "H200".to_owned(),
            gpu_count: 4,
            generation_port: 10_006,
            hf_token: None,
            vlm_model: vlm_calls::MODEL.to_owned(),
            duel_thresholds: DuelThresholds::default(),
            judging: Judging::default(),
            budget: Budget::default(),
            pause_on_stage_end: false,
        }
    }
}

/// Everything this build can run.
pub fn registry(services: &Services, settings: &RoundSettings) -> Registry {
    let s = services.clone();
    let views = StoredViews {
        store: s.store.clone(),
        layout: s.layout.clone(),
    };
    let render = RenderHandler {
        renderer: s.renderer.clone(),
        embedder: s.embedder.clone(),
        prompt_images: s.prompt_images.clone(),
        store: s.store.clone(),
        layout: s.layout.clone(),
        view_size: settings.view_size,
    };
    let open_round = OpenRoundHandler {
        pool: s.pool.clone(),
        judging: settings.judging.clone(),
        budget: settings.budget,
    };
    let registry = Registry::new()
        .step::<steps::OpenRound, _>(open_round.clone())
        .step::<steps::FixRules, _>(open_round)
        .step::<steps::LoadMatch, _>(LoadMatchHandler {
            pool: s.pool.clone(),
            judge: Judge::new(settings.vlm_model.clone(), settings.duel_thresholds),
        })
        .step::<steps::NoteTime, _>(NoteTimeHandler {
            pool: s.pool.clone(),
        })
        .step::<steps::CountDownloads, _>(CountDownloadsHandler {
            pool: s.pool.clone(),
        })
        .step::<steps::EnterStage, _>(WithoutWork)
        .step::<steps::EndStage, _>(EndStageHandler {
            pause_on_stage_end: settings.pause_on_stage_end,
        })
        .step::<steps::StartBuilds, _>(WithoutWork)
        .step::<steps::ReportGeneration, _>(WithoutWork)
        .step::<steps::Declare, _>(DeclareHandler {
            pool: s.pool.clone(),
        })
        .step::<steps::Collect, _>(CollectHandler {
            chain: s.chain.clone(),
            netuid: settings.netuid,
            required_lock_rao: settings.required_lock_rao,
        })
        .step::<steps::SeedRound, _>(SeedHandler {
            pool: s.pool.clone(),
            chain: s.chain.clone(),
        })
        .step::<steps::Finalize, _>(FinalizeHandler {
            pool: s.pool.clone(),
            chain: s.chain.clone(),
        })
        .step::<steps::Download, _>(DownloadHandler {
            modules: s.modules.clone(),
            store: s.store.clone(),
            layout: s.layout.clone(),
        })
        .step::<steps::FingerprintPrompt, _>(FingerprintPromptHandler {
            prompt_images: s.prompt_images.clone(),
        })
        .step::<steps::Render, _>(render.clone())
        .step::<steps::Redraw, _>(render)
        .step::<steps::Ask, _>(AskHandler {
            vlm: s.vlm.clone(),
            pool: s.pool.clone(),
            failing: Failing::default(),
        })
        .step::<steps::CompareEmbeddings, _>(CompareEmbeddingsHandler(views.clone()))
        .step::<steps::MeasureGray, _>(MeasureGrayHandler(views))
        .step::<steps::FindBuildRun, _>(FindBuildRunHandler {
            actions: s.actions.clone(),
            interval: settings.check_build_interval * 2,
        })
        .step::<steps::VerifyBuild, _>(VerifyBuildHandler::new(
            s.pool.clone(),
            s.actions.clone(),
            s.registry.clone(),
            settings,
        ))
        .step::<steps::OrderPod, _>(OrderPodHandler {
            clouds: s.clouds.clone(),
            settings: settings.clone(),
        })
        .step::<steps::RenewPods, _>(RenewPodsHandler {
            pool: s.pool.clone(),
        })
        .step::<steps::DeployPod, _>(DeployPodHandler {
            clouds: s.clouds.clone(),
            pods: s.pods.clone(),
            settings: settings.clone(),
        })
        .step::<steps::Regenerate, _>(RegenerateHandler {
            pool: s.pool.clone(),
            clouds: s.clouds.clone(),
            pods: s.pods.clone(),
            store: s.store.clone(),
            layout: s.layout.clone(),
            settings: settings.clone(),
            heard_within: regenerate::HEARD_WITHIN,
        })
        .step::<steps::ReleasePods, _>(ReleasePodsHandler {
            clouds: s.clouds.clone(),
            look_every: settings.check_pod_interval,
        });
    round::with_flows(registry)
}
