//! The parts of a rehearsal, started in the order in which they need each other.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use rehearsal::{
    prompts::PromptHost,
    world::{Addresses, Start, World, WorldOptions},
};
use render::{Renderer, RendererConfig};
use schema::storage::{DEFAULT_STORAGE_KEY_TEMPLATE, DEFAULT_STORAGE_ROOT_FOLDER, Layout};
use secrecy::{ExposeSecret as _, SecretString};
use sqlx::PgPool;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;
use url::Url;
use workflow::{
    db::{self, notice::RenderAlert},
    embedded::{EmbeddedOptions, EmbeddedPostgres},
    engine::{Worker, WorkerOptions},
    round::queues,
};

use super::{RehearseArgs, images::DrawnPrompts};
use crate::{
    chain_watch,
    clients::{cdn::CdnSettings, clouds::CloudKind, pod::PodSettings},
    dashboard::{self, DashboardState, Pictures},
    git_sync::{self, GitSync},
    handlers::{self, RoundSettings},
    repository::SigningKey,
    roles::{self, Role, Sizes},
    services::services,
    settings::{CloudSettings, Settings},
};

/// Connections to our own database.
const CONNECTIONS: u32 = 40;
/// How often a rehearsal looks at builds and pods: its world is quick.
const LOOK_EVERY: Duration = Duration::from_millis(400);
/// How often people's edits of the repository are read.
const POLL_REPOSITORY: Duration = Duration::from_millis(1500);

/// Everything that runs.
pub(super) struct Parts {
    pub(super) pool: PgPool,
    pub(super) world: World,
    pub(super) dashboard_url: String,
    pub(super) first_round: u32,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    postgres: EmbeddedPostgres,
    renderer: Arc<Renderer>,
}

impl Parts {
    pub(super) async fn start(args: &RehearseArgs, state_dir: &Path) -> anyhow::Result<Self> {
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let dashboard = TcpListener::bind(("127.0.0.1", args.port))
            .await
            .with_context(|| {
                format!(
                    "port {} of this machine is in use; choose another one with --port",
                    args.port
                )
            })?;
        let dashboard_url = format!("http://{}", dashboard.local_addr()?);

        let renderer = Renderer::launch(RendererConfig::from_env())
            .await
            .context("the renderer cannot be started")?;
        let renderer = Arc::new(renderer);
        let render_listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .context("no free port for the renderer")?;
        let render_url = Url::parse(&format!("http://{}", render_listener.local_addr()?))?;
        let serving = render::serve(
            render_listener,
            renderer.clone(),
            stop.clone().cancelled_owned(),
        );
        tasks.spawn(async move {
            if let Err(error) = serving.await {
                tracing::error!(error = %error, "the render service ended");
            }
        });

        let prompts = PromptHost::new(state_dir.join("prompts"), args.seed, renderer.clone());
        let mut options = WorldOptions::new(
            state_dir.join("world"),
            args.seed,
            Arc::new(DrawnPrompts(prompts)),
        );
        options.miners = usize::from(args.miners);
        options.prompts_per_round = (args.prompts > 0).then_some(args.prompts);
        options.audit_repeats = Some(args.audit_repeats);
        options.start = args.from.clone().map_or(Start::Bootstrap, Start::FromDir);
        let world = World::start(options)
            .await
            .context("the rehearsal world cannot be started")?;
        for notice in world.notices() {
            eprintln!("Note: {notice}.");
        }

        let postgres =
            EmbeddedPostgres::start(EmbeddedOptions::new(state_dir.join("postgres"))).await?;
        postgres.create_database("assize").await?;
        let pool = db::pool_options()
            .max_connections(CONNECTIONS)
            .acquire_timeout(Duration::from_secs(30))
            .connect(&postgres.url("assize"))
            .await
            .context("our own PostgreSQL does not answer")?;
        db::migrate(&pool)
            .await
            .context("the database cannot be brought to this build's schema")?;

        let settings = settings(args, state_dir, world.addresses(), render_url)?;
        let services = services(pool.clone(), &settings)?;
        services
            .store
            .ensure_bucket()
            .await
            .context("the object store has no bucket")?;
        let git = GitSync::open(pool.clone(), &settings)
            .await?
            .polling_every(POLL_REPOSITORY);
        let state =
            git_sync::start_current_round(&pool, git.mirror(), &settings.state_repository).await?;
        let capacity = i32::try_from(settings.vlm_capacity).unwrap_or(i32::MAX);
        db::queue::configure(&mut *pool.acquire().await?, queues::VLM, capacity).await?;

        tasks.spawn(git.run(stop.clone()));
        tasks.spawn(chain_watch::watch(
            pool.clone(),
            services.chain.clone(),
            stop.clone(),
        ));
        let mut worker =
            WorkerOptions::new("rehearsal", roles::slots(&Role::ALL, &Sizes::default()));
        worker.alone = true;
        worker.grace = Duration::from_secs(5);
        let worker = Worker::new(
            pool.clone(),
            handlers::registry(&services, &settings.round),
            worker,
        );
        let working = worker.run(stop.clone());
        tasks.spawn(async move {
            if let Err(error) = working.await {
                tracing::error!(error = %error, "the worker ended");
            }
        });
        let mut shown = DashboardState::new(pool.clone());
        shown.shutdown = stop.clone();
        shown.pictures = Some(Pictures::of_services(&services));
        shown.repository = Some(world.addresses().git_remote_path.display().to_string());
        tasks.spawn(async move {
            if let Err(error) = dashboard::serve(dashboard, shown).await {
                tracing::error!(error = %error, "the dashboard ended");
            }
        });
        let first_round = first_round(&pool, state.current_round.0).await?;
        Ok(Self {
            pool,
            world,
            dashboard_url,
            first_round,
            stop,
            tasks,
            postgres,
            renderer,
        })
    }

    /// Stops everything, database last.
    pub(super) async fn stop(mut self) {
        self.stop.cancel();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(Duration::from_secs(15), ended)
            .await
            .is_err()
        {
            tracing::warn!("some parts did not stop in time and are dropped");
            self.tasks.shutdown().await;
        }
        self.world.stop().await;
        self.pool.close().await;
        if let Ok(renderer) = Arc::try_unwrap(self.renderer) {
            renderer.close().await;
        }
        self.postgres.stop().await;
    }
}

/// The first round this folder's rehearsal plays, also when it is continued.
async fn first_round(pool: &PgPool, current: u32) -> sqlx::Result<u32> {
    let first: Option<i32> = sqlx::query_scalar("SELECT min(round) FROM job WHERE name = 'round'")
        .fetch_one(pool)
        .await?;
    Ok(first
        .and_then(|round| u32::try_from(round).ok())
        .unwrap_or(current))
}

fn settings(
    args: &RehearseArgs,
    state_dir: &Path,
    world: &Addresses,
    render_url: Url,
) -> anyhow::Result<Settings> {
    let cloud = |kind, base: &str, key: &str| -> anyhow::Result<CloudSettings> {
        Ok(CloudSettings {
            kind,
            base_url: Url::parse(base)?,
            key: SecretString::from(key),
            client_id: world.verda_client_id.clone(),
            pod_token: SecretString::from(world.verda_generation_token.as_str()),
        })
    };
    Ok(Settings {
        chain_endpoints: vec![Url::parse(&world.chain_ws)?],
        chain_timeout: Duration::from_secs(120),
        host_map: vec![("*".to_owned(), Url::parse(&world.gateway)?)],
        github_api: Url::parse(&world.github_api)?,
        github_repository: world.github_repo.clone(),
        github_token: SecretString::from(world.github_token.as_str()),
        state_repository: world.git_remote_http.clone(),
        branch: world.branch.clone(),
        mirror_dir: state_dir.join("mirror.git"),
        signing_key: Some(signing_key(state_dir)?),
        trusted_signing_keys: Vec::new(),
        author_email: "assize@rehearsal.example".to_owned(),
        ssh_key: None,
        ssh_passphrase: None,
        ssh_host_keys: Vec::new(),
        webhook_secret: None,
        discord_webhook: Some(SecretString::from(world.discord_webhook.as_str())),
        render_alert: RenderAlert::default(),
        s3_endpoint: Url::parse(&world.s3_endpoint)?,
        s3_access_key: world.s3_access_key.clone(),
        s3_secret_key: SecretString::from(world.s3_secret_key.as_str()),
        s3_bucket: world.bucket.clone(),
        cdn_url: world.public_cdn.clone(),
        layout: Layout::new(
            world.public_cdn.clone(),
            DEFAULT_STORAGE_KEY_TEMPLATE,
            DEFAULT_STORAGE_ROOT_FOLDER,
        ),
        cdn: CdnSettings::default(),
        pods: PodSettings::default(),
        render_url,
        render_api_key: None,
        vlm_url: Url::parse(&world.vlm)?,
        vlm_api_key: SecretString::from("rehearsal"),
        vlm_deadline: Duration::from_secs(120),
        vlm_capacity: 64,
        clouds: vec![
            cloud(CloudKind::Targon, &world.targon, &world.targon_api_key)?,
            cloud(CloudKind::Verda, &world.verda, &world.verda_client_secret)?,
            cloud(CloudKind::RunPod, &world.runpod, &world.runpod_api_key)?,
        ],
        round: RoundSettings {
            netuid: world.netuid,
            view_size: args.view_size,
            vlm_model: world.vlm_model.clone(),
            check_build_interval: LOOK_EVERY,
            check_pod_interval: LOOK_EVERY,
            status_check_interval: LOOK_EVERY,
            pause_on_stage_end: args.pause_on_stage_end,
            ..RoundSettings::default()
        },
    })
}

/// The key that signs the rehearsal's commits: made at the first start, kept for the next ones.
fn signing_key(state_dir: &Path) -> anyhow::Result<SecretString> {
    use std::{
        io::Write as _,
        os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    };

    let path = state_dir.join("signing_key");
    if path.exists() {
        let key = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read the signing key {}", path.display()))?;
        return Ok(SecretString::from(key));
    }
    let key = SigningKey::generate().to_openssh()?;
    let partial = path.with_extension("partial");
    let write = || -> std::io::Result<()> {
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&partial)?;
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        file.write_all(key.expose_secret().as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&partial, &path)
    };
    write().with_context(|| format!("cannot keep the signing key {}", path.display()))?;
    Ok(key)
}
