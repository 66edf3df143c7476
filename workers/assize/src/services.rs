//! The clients of outside services, made from the settings.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use sqlx::PgPool;

use crate::{
    clients::{
        cdn::HttpModuleSource,
        chain::{ChainSettings, SubxtChain},
        clouds::{CloudKind, GpuCloud, RunPod, Targon, Verda, VerdaCredentials},
        embedder::HistogramEmbedder,
        github::{ActionsSettings, HttpActions},
        object_store::{ObjectStore, S3ObjectStore, S3Settings},
        pod::HttpPods,
        prompt_images::HttpPromptImages,
        registry::{HttpRegistry, RegistrySettings},
        render_service::{CachedRenderService, HttpRenderService, RenderSettings},
        vlm::{HttpVlm, VlmSettings},
    },
    dashboard::Pictures,
    egress::Egress,
    handlers::Services,
    prompt_cache::PromptCache,
    settings::{CloudSettings, Settings, StoreSettings, Variables},
};

/// One attempt against GitHub's API.
const GITHUB_DEADLINE: Duration = Duration::from_secs(30);
/// One attempt against the object store.
pub(crate) const S3_DEADLINE: Duration = Duration::from_secs(60);
/// One module at the renderer, its queue included: longer than the service itself takes before it gives up (240 s).
const RENDER_DEADLINE: Duration = Duration::from_secs(250);

/// Makes every client.
///
/// # Errors
///
/// If the HTTP client cannot be made or the host map is wrong.
pub fn services(pool: PgPool, settings: &Settings) -> anyhow::Result<Services> {
    let egress = Egress::new(&settings.host_map).context("EGRESS_HOST_MAP cannot be used")?;
    let store: Arc<dyn ObjectStore> = Arc::new(S3ObjectStore::new(S3Settings {
        endpoint: settings.s3_endpoint.clone(),
        bucket: settings.s3_bucket.clone(),
        access_key_id: settings.s3_access_key.clone(),
        secret_access_key: settings.s3_secret_key.clone(),
        public_base: settings.cdn_url.clone(),
        attempt_deadline: S3_DEADLINE,
    }));
    let renderer = HttpRenderService::new(
        egress.clone(),
        RenderSettings {
            base_url: settings.render_url.clone(),
            api_key: settings.render_api_key.clone(),
            deadline: RENDER_DEADLINE,
        },
    );
    Ok(Services {
        pool,
        chain: Arc::new(SubxtChain::new(ChainSettings {
            call_timeout: settings.chain_timeout,
            ..ChainSettings::new(settings.chain_endpoints.clone())
        })),
        modules: Arc::new(HttpModuleSource::new(egress.clone(), settings.cdn.clone())),
        prompt_images: Arc::new(PromptCache::new(HttpPromptImages::new(egress.clone()))),
        store: store.clone(),
        layout: settings.layout.clone(),
        renderer: Arc::new(CachedRenderService::new(renderer, store)),
        embedder: Arc::new(HistogramEmbedder),
        vlm: Arc::new(HttpVlm::new(
            egress.clone(),
            VlmSettings {
                base_url: settings.vlm_url.clone(),
                api_key: settings.vlm_api_key.clone(),
                deadline: settings.vlm_deadline,
            },
        )),
        actions: Arc::new(HttpActions::new(
            egress.clone(),
            ActionsSettings {
                base_url: settings.github_api.clone(),
                repository: settings.github_repository.clone(),
                token: settings.github_token.clone(),
                deadline: GITHUB_DEADLINE,
            },
        )),
        registry: Arc::new(HttpRegistry::new(
            egress.clone(),
            RegistrySettings::default(),
        )),
        clouds: settings
            .clouds
            .iter()
            .map(|cloud| client(cloud, &egress, settings.round.generation_port))
            .collect(),
        pods: Arc::new(HttpPods::new(egress, settings.pods.clone())),
    })
}

/// Where a dashboard on its own takes pictures from: none when it is given no object store.
///
/// # Errors
///
/// If a variable of the object store is missing or wrong.
pub fn pictures(variables: &Variables) -> anyhow::Result<Option<Pictures>> {
    let Some(store) = StoreSettings::find(variables)? else {
        return Ok(None);
    };
    let egress = Egress::new(&store.host_map).context("EGRESS_HOST_MAP cannot be used")?;
    Ok(Some(Pictures {
        layout: store.layout,
        prompts: Arc::new(PromptCache::new(HttpPromptImages::new(egress))),
        store: Arc::new(S3ObjectStore::new(store.s3)),
    }))
}

fn client(cloud: &CloudSettings, egress: &Egress, port: u16) -> Arc<dyn GpuCloud> {
    let (egress, base, key) = (egress.clone(), cloud.base_url.clone(), cloud.key.clone());
    match cloud.kind {
        CloudKind::Targon => Arc::new(Targon::new(egress, base, key)),
        CloudKind::RunPod => Arc::new(RunPod::new(egress, base, key, port)),
        CloudKind::Verda => {
            let credentials = VerdaCredentials {
                client_id: cloud.client_id.clone(),
                client_secret: key,
                generation_token: cloud.pod_token.clone(),
            };
            Arc::new(Verda::new(egress, base, credentials))
        }
    }
}
