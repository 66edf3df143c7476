//! Stands between a worker and the database: counts what is asked, and can let answers get lost.

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use sqlx::{PgPool, postgres::PgConnectOptions};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, UnixListener, UnixStream},
};
use tokio_util::either::Either;

use crate::support::PATIENCE;

/// What becomes of the database's answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    Arrive,
    /// Each connection ends in a moment when the database has just answered: what was asked is done and committed, and nobody
    /// is told. Connections live longer by and by, and are let be after [`ENOUGH`] lost commits.
    GetLost,
}

const ENOUGH: usize = 20;

#[derive(Default)]
struct Counts {
    asked: AtomicUsize,
    lost_commits: AtomicUsize,
}

pub struct Proxy {
    folder: tempfile::TempDir,
    counts: Arc<Counts>,
}

impl Proxy {
    pub fn before(pool: &PgPool, answers: Answers) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join(".s.PGSQL.5432")).unwrap();
        let counts = Arc::<Counts>::default();
        let (server, counted) = ((*pool.connect_options()).clone(), counts.clone());
        tokio::spawn(async move {
            let mut connections = 0;
            while let Ok((client, _)) = listener.accept().await {
                connections += 1;
                // Sooner and later, so that every kind of answer is lost by and by.
                let lost =
                    (answers == Answers::GetLost).then_some(4 + connections % 9 + connections / 10);
                tokio::spawn(forward(client, server.clone(), lost, counted.clone()));
            }
        });
        Self { folder, counts }
    }

    /// The same database, through here.
    pub fn pool(&self, pool: &PgPool) -> PgPool {
        let options = (*pool.connect_options()).clone();
        workflow::db::pool_options()
            .max_connections(3)
            .acquire_timeout(PATIENCE)
            .connect_lazy_with(options.socket(self.folder.path()).port(5432))
    }

    /// Exchanges that clients have begun.
    pub fn asked(&self) -> usize {
        self.counts.asked.load(Ordering::Relaxed)
    }

    /// Lost answers to those connections that commit results.
    pub fn lost_commits(&self) -> usize {
        self.counts.lost_commits.load(Ordering::Relaxed)
    }
}

/// Passes everything on, until the answer that is to be lost.
async fn forward(
    mut client: UnixStream,
    options: PgConnectOptions,
    lost: Option<usize>,
    counts: Arc<Counts>,
) -> std::io::Result<()> {
    let port = options.get_port();
    let socket = options.get_socket().map(PathBuf::as_path);
    let mut server = match socket {
        Some(folder) => {
            Either::Left(UnixStream::connect(folder.join(format!(".s.PGSQL.{port}"))).await?)
        }
        None => Either::Right(TcpStream::connect((options.get_host(), port)).await?),
    };
    let (mut asked, mut answered) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut commits = false;
    let mut answers = 0;
    loop {
        tokio::select! {
            read = client.read(&mut asked) => match read? {
                0 => return Ok(()),
                read => {
                    counts.asked.fetch_add(1, Ordering::Relaxed);
                    // A connection says at its beginning what it is for.
                    let purpose = b"assize commit";
                    commits |= asked[..read].windows(purpose.len()).any(|word| word == purpose);
                    server.write_all(&asked[..read]).await?;
                }
            },
            read = server.read(&mut answered) => match read? {
                0 => return Ok(()),
                read => {
                    answers += 1;
                    if Some(answers) == lost && counts.lost_commits.load(Ordering::Relaxed) < ENOUGH {
                        counts.lost_commits.fetch_add(usize::from(commits), Ordering::Relaxed);
                        return Ok(());
                    }
                    client.write_all(&answered[..read]).await?;
                }
            },
        }
    }
}
