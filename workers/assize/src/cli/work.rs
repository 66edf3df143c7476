//! `assize work` and `assize migrate`.

use anyhow::Context as _;
use clap::Args;
use sqlx::PgPool;
use tokio::{
    signal::unix::{Signal, SignalKind},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use workflow::{
    db,
    engine::{Worker, WorkerOptions},
    round::queues,
};

use super::database::{Database, DatabaseArgs};
use crate::{
    chain_watch,
    dashboard::{self, DashboardState, Pictures},
    git_sync::{self, GitSync},
    handlers,
    roles::{self, Role, Sizes},
    services::services,
    settings::{Settings, Variables},
};

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

pub(super) async fn migrate(args: DatabaseArgs) -> anyhow::Result<()> {
    let database = Database::open(&args).await?;
    db::migrate(&database.pool)
        .await
        .context("the database cannot be brought to this build's schema")?;
    database.close().await;
    println!("The database has this build's schema.");
    Ok(())
}

pub(super) async fn run(args: WorkArgs) -> anyhow::Result<()> {
    let roles = roles_of(&args.roles)?;
    let settings = Settings::read(&Variables::of_process(), &roles)?;
    // Before anything is started: it is stopped in order then, whenever the word comes.
    let interrupted = interrupted();
    let database = Database::open(&args.database).await?;
    let ended = work(&args, &roles, &settings, database.pool.clone(), interrupted).await;
    database.close().await;
    ended
}

async fn work(
    args: &WorkArgs,
    roles: &[Role],
    settings: &Settings,
    pool: PgPool,
    interrupted: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    db::migrate(&pool)
        .await
        .context("the database cannot be brought to this build's schema")?;
    let services = services(pool.clone(), settings)?;
    // The limit is one for all replicas; those that use the model say what it is.
    if roles.contains(&Role::Judge) {
        let capacity = i32::try_from(settings.vlm_capacity).unwrap_or(i32::MAX);
        db::queue::configure(&mut *pool.acquire().await?, queues::VLM, capacity).await?;
    }

    let stop = CancellationToken::new();
    let mut tasks: JoinSet<anyhow::Result<()>> = JoinSet::new();
    if roles.contains(&Role::Mirror) {
        let git = GitSync::open(pool.clone(), settings).await?;
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
    let worker = WorkerOptions::new(name, roles::slots(roles, &sizes));
    let worker = Worker::new(pool, handlers::registry(&services, &settings.round), worker);
    let working = stop.clone();
    tasks.spawn(async move { worker.run(working).await.context("the worker ended") });

    let mut ended = Ok(());
    tokio::select! {
        () = interrupted => tracing::info!("stopping: running jobs may end"),
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

/// Ends when the process is asked to stop, also when that was before it is waited for.
pub(super) fn interrupted() -> impl Future<Output = ()> {
    let listen = |kind| tokio::signal::unix::signal(kind).ok();
    let terminate = listen(SignalKind::terminate());
    let interrupt = listen(SignalKind::interrupt());
    let heard = async |signal: Option<Signal>| match signal {
        Some(mut signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    };
    async move {
        tokio::select! {
            () = heard(terminate) => {}
            () = heard(interrupt) => {}
        }
    }
}
