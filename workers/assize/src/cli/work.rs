//! `assize work` and `assize migrate`.

use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use sqlx::{Connection as _, PgConnection, PgPool};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use workflow::{
    db,
    engine::{Worker, WorkerOptions},
    round::queues,
};

use crate::{
    chain_watch,
    dashboard::{self, DashboardState, Pictures},
    git_sync::{self, GitSync},
    handlers,
    roles::{self, Role, Sizes},
    services::services,
    settings::{Settings, Variables},
};

/// Where the database is.
#[derive(Debug, Clone, Args)]
pub struct DatabaseArgs {
    /// Address of the database.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_name = "URL")]
    pub database_url: String,
}

/// Options of a worker.
#[derive(Debug, Clone, Args)]
pub struct WorkArgs {
    /// Roles, separated by commas: engine, chain, download, render, gpu, judge, mirror, or all.
    #[arg(long, default_value = "all", value_delimiter = ',')]
    pub roles: Vec<String>,
    /// Modules at the renderer at once.
    #[arg(long, default_value_t = 4)]
    pub render_slots: usize,
    /// Calls of the vision-language model at once.
    #[arg(long, default_value_t = 64)]
    pub vlm_slots: usize,
    /// Also serve the dashboard at this address of the machine.
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub dashboard: Option<std::net::SocketAddr>,
    /// Where the database is.
    #[command(flatten)]
    pub database: DatabaseArgs,
}

/// Connects, with a sentence for the operator when that fails.
pub(super) async fn connect(args: &DatabaseArgs) -> anyhow::Result<PgPool> {
    // A pool would only say that time ran out; a single connection says why.
    let first =
        tokio::time::timeout(CONNECT_TIMEOUT, PgConnection::connect(&args.database_url)).await;
    let first = first
        .context("the database does not answer in time; check DATABASE_URL and the network")?;
    let first = first
        .context("the database cannot be reached; check DATABASE_URL and that PostgreSQL runs")?;
    drop(first.close().await);
    db::pool_options()
        .max_connections(30)
        .acquire_timeout(CONNECT_TIMEOUT)
        .connect(&args.database_url)
        .await
        .context("the database does not answer; check DATABASE_URL and that PostgreSQL runs")
}

/// How long a start waits for the database.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

pub(super) async fn migrate(args: DatabaseArgs) -> anyhow::Result<()> {
    let pool = connect(&args).await?;
    db::migrate(&pool)
        .await
        .context("the database cannot be brought to this build's schema")?;
    println!("The database has this build's schema.");
    Ok(())
}

pub(super) async fn run(args: WorkArgs) -> anyhow::Result<()> {
    let roles = roles_of(&args.roles)?;
    let settings = Settings::read(&Variables::of_process(), &roles)?;
    let pool = connect(&args.database).await?;
    db::migrate(&pool)
        .await
        .context("the database cannot be brought to this build's schema")?;
    let services = services(pool.clone(), &settings)?;
    // The limit is one for all replicas; those that use the model say what it is.
    if roles.contains(&Role::Judge) {
        let capacity = i32::try_from(settings.vlm_capacity).unwrap_or(i32::MAX);
        db::queue::configure(&mut *pool.acquire().await?, queues::VLM, capacity).await?;
    }

    let stop = CancellationToken::new();
    let mut tasks: JoinSet<anyhow::Result<()>> = JoinSet::new();
    if roles.contains(&Role::Mirror) {
        let git = GitSync::open(pool.clone(), &settings).await?;
        git_sync::start_current_round(&pool, git.mirror(), &settings.state_repository).await?;
        let stop = stop.clone();
        tasks.spawn(async move {
            git.run(stop).await;
            Ok(())
        });
    }
    if roles.contains(&Role::Chain) {
        let (pool, chain, stop) = (pool.clone(), services.chain.clone(), stop.clone());
        tasks.spawn(async move {
            chain_watch::watch(pool, chain, stop).await;
            Ok(())
        });
    }
    if let Some(address) = args.dashboard {
        let listener = tokio::net::TcpListener::bind(address)
            .await
            .with_context(|| {
                format!("{address} cannot be used for the dashboard; is its port in use?")
            })?;
        let mut state = DashboardState::new(pool.clone());
        state.webhook_secret.clone_from(&settings.webhook_secret);
        state.shutdown = stop.clone();
        state.pictures = Some(Pictures::of_services(&services));
        tasks.spawn(async move {
            dashboard::serve(listener, state)
                .await
                .context("the dashboard ended")
        });
    }
    let sizes = Sizes {
        render: args.render_slots.max(1),
        calls: args.vlm_slots.max(1),
    };
    let name = roles
        .iter()
        .map(|role| role.as_str())
        .collect::<Vec<_>>()
        .join("+");
    let worker = WorkerOptions::new(name, roles::slots(&roles, &sizes));
    let worker = Worker::new(pool, handlers::registry(&services, &settings.round), worker);
    let working = stop.clone();
    tasks.spawn(async move { worker.run(working).await.context("the worker ended") });

    let mut ended = Ok(());
    tokio::select! {
        () = interrupted() => tracing::info!("stopping: running jobs may end"),
        Some(first) = tasks.join_next() => ended = first.context("a part of the worker failed").and_then(|ended| ended),
    }
    stop.cancel();
    while tasks.join_next().await.is_some() {}
    ended
}

fn roles_of(words: &[String]) -> anyhow::Result<Vec<Role>> {
    if words.iter().any(|word| word == "all") {
        return Ok(Role::ALL.to_vec());
    }
    Ok(words
        .iter()
        .map(|word| word.parse())
        .collect::<Result<Vec<Role>, _>>()?)
}

/// Ends when the process is asked to stop.
pub(super) async fn interrupted() {
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = terminate => {}
        interrupt = tokio::signal::ctrl_c() => drop(interrupt),
    }
}
