//! git-sync on a real Postgres and a real remote.
#![allow(clippy::unwrap_used)]

mod conflicts;
mod edits;
mod pushing;
mod telling;

use std::sync::Arc;

use sqlx::PgPool;
use workflow::{
    db,
    engine::{MirrorChange, Publication},
};

use super::GitSync;
use crate::{
    clients::discord::FakeNotices,
    repository::{MirrorOptions, SigningKey, testing::World},
};

/// A competition's remote, and the git-sync that serves it.
struct Bench {
    world: World,
    pool: PgPool,
    sync: GitSync,
    notices: Arc<FakeNotices>,
    key: SigningKey,
}

impl Bench {
    async fn new(pool: &PgPool) -> Self {
        let world = World::new();
        let key = SigningKey::generate();
        let notices = Arc::new(FakeNotices::default());
        let sync = GitSync::with_options(pool.clone(), options(&world, &key), notices.clone())
            .await
            .unwrap();
        Self {
            world,
            pool: pool.clone(),
            sync,
            notices,
            key,
        }
    }

    /// A git-sync after the process died, with the clone it left or without one.
    async fn restarted(self, clone_is_lost: bool) -> Self {
        drop(self.sync);
        if clone_is_lost {
            std::fs::remove_dir_all(self.world.clone_path("clone")).unwrap();
        }
        let options = options(&self.world, &self.key);
        let sync = GitSync::with_options(self.pool.clone(), options, self.notices.clone())
            .await
            .unwrap();
        Self { sync, ..self }
    }

    /// The end of a step that publishes `changes`.
    async fn step(&self, job: i64, name: &str, urgent: bool, changes: Vec<MirrorChange>) {
        let publication = Publication {
            message: format!("Step {name}"),
            changes,
            urgent,
        };
        let mut conn = self.pool.acquire().await.unwrap();
        db::mirror::publish(&mut conn, job, 1, name, Some(0), &publication)
            .await
            .unwrap();
    }

    async fn drain(&self) {
        assert!(self.sync.drain().await.unwrap(), "the outbox is not empty");
    }

    async fn in_force(&self, path: &str) -> Option<String> {
        let mut conn = self.pool.acquire().await.unwrap();
        let content = db::state_file::read(&mut conn, path).await.unwrap();
        content.map(|content| String::from_utf8(content).unwrap())
    }

    async fn scalar<T>(&self, sql: &'static str) -> T
    where
        T: Send + Unpin,
        (T,): for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow>,
    {
        sqlx::query_as::<_, (T,)>(sql)
            .fetch_one(&self.pool)
            .await
            .unwrap()
            .0
    }

    /// Subjects of the remote's commits, newest first.
    fn subjects(&self) -> Vec<String> {
        let subject = |message: &String| message.lines().next().unwrap_or_default().to_owned();
        self.world.messages().iter().map(subject).collect()
    }
}

fn options(world: &World, key: &SigningKey) -> MirrorOptions {
    MirrorOptions {
        signing_key: Some(key.clone()),
        author_email: "assize@example.org".to_owned(),
        ..world.options()
    }
}

fn put(path: &str, content: &str) -> MirrorChange {
    MirrorChange::Put {
        path: path.to_owned(),
        content: content.as_bytes().to_vec(),
    }
}

fn entry(path: &str, key: &str, value: serde_json::Value) -> MirrorChange {
    MirrorChange::MergeEntry {
        path: path.to_owned(),
        key: key.to_owned(),
        value,
    }
}
