//! Entries: one module of one side for one prompt.

use chrono::{DateTime, Utc};
use schema::{RoundNumber, Side, Stem, files::Generation, messages, paths};
use serde::{Deserialize, Serialize};

use crate::{
    db::records::{EntryRecord, Record},
    engine::{Effects, MirrorChange},
    round::{
        flows::tournament_key,
        ledger::{Artifact, Pictures},
    },
};

/// Names an entry: repeat 0 is what the miner submitted, 1 and up what its image generated.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EntryId {
    /// Round.
    pub round: RoundNumber,
    /// Miner or leader.
    pub side: Side,
    /// 0 for the submission.
    pub repeat: u32,
    /// Prompt.
    pub stem: Stem,
}

impl EntryId {
    /// The part of a key that names the entry.
    pub fn key(&self) -> String {
        format!(
            "round/{}/{}/{}/{}",
            self.round, self.side, self.repeat, self.stem
        )
    }
}

/// A prompt of the round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    /// Image URL, as in `prompts.txt`.
    pub url: String,
    /// Its stem.
    pub stem: Stem,
}

impl Prompt {
    /// The prompt behind a URL.
    pub fn of_url(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            stem: Stem::of_url(url),
        }
    }
}

/// A module in the object store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleRef {
    /// Object key.
    pub key: String,
    /// Public URL.
    pub url: String,
    /// Bytes.
    pub size_bytes: u64,
    /// Digest of the bytes, hexadecimal.
    pub sha256: String,
    /// When it was fetched from the miner's server or pod.
    #[serde(default)]
    pub fetched_at: Option<DateTime<Utc>>,
}

/// What was drawn of a module.
#[derive(Debug, Clone, Copy)]
pub struct Drawn<'a> {
    /// Public URL prefix of the views.
    pub views: &'a str,
    /// Digest of the scene document.
    pub document_sha256: &'a str,
    /// Which renderer drew it.
    pub renderer: &'a str,
    /// Digest of all objects of the views.
    pub pictures_sha256: &'a str,
    /// Bytes of all of them.
    pub pictures_size: u64,
    /// Digest of the prompt's image that they were embedded with.
    pub prompt_sha256: &'a str,
}

/// What becomes of an entry in the database and in the public repository, when nothing more will happen to it.
pub fn settled(
    id: &EntryId,
    module: Option<&ModuleRef>,
    drawn: Option<Drawn<'_>>,
    failure: Option<&str>,
) -> Effects {
    // In `generated_{r}.json` a reason says that the miner's code brought no module (generation, section 6.1). One that cannot be
    // drawn is there without pictures; what is wrong with it is in the ledger.
    let published = failure.filter(|_| id.repeat == 0 || module.is_none());
    let generation = Generation {
        js: module.map(|module| module.url.clone()),
        views: drawn.map(|drawn| drawn.views.to_owned()),
        failure_reason: published.map(str::to_owned),
        size: module.map_or(0, |module| module.size_bytes),
    };
    let (path, message) = match (&id.side, id.repeat) {
        (Side::Miner(hotkey), 0) => (
            paths::submitted(id.round, hotkey),
            messages::submitted(id.round, hotkey),
        ),
        (side, repeat) => (
            paths::generated(id.round, side, repeat),
            messages::generated(id.round, side, repeat),
        ),
    };
    let value = serde_json::to_value(&generation).unwrap_or_default();
    let mut changes = vec![MirrorChange::MergeEntry {
        path,
        key: id.stem.as_str().to_owned(),
        value,
    }];
    if let Some(module) = module {
        changes.push(artifact(id, module, drawn, failure).append(id.round));
    }
    let record = EntryRecord {
        round: id.round.0,
        hotkey: id.side.as_str().to_owned(),
        repeat: id.repeat as i32,
        stem: id.stem.as_str().to_owned(),
        js: generation.js,
        views: generation.views,
        failure_reason: generation.failure_reason,
        size: generation.size as i64,
        module_sha256: module.map(|module| module.sha256.clone()),
        document_sha256: drawn.map(|drawn| drawn.document_sha256.to_owned()),
        pictures_sha256: drawn.map(|drawn| drawn.pictures_sha256.to_owned()),
        prompt_sha256: drawn.map(|drawn| drawn.prompt_sha256.to_owned()),
    };
    // Pictures that are drawn anew may take the ground from matches that were judged on the old ones.
    let is_compared = id.repeat == 0 || id.side.is_leader();
    Effects {
        records: vec![Record::Entry(record)],
        wakes: is_compared
            .then(|| tournament_key(id.round))
            .into_iter()
            .collect(),
        ..Effects::default()
    }
    .publish(message, changes)
}

fn artifact(
    id: &EntryId,
    module: &ModuleRef,
    drawn: Option<Drawn<'_>>,
    failure: Option<&str>,
) -> Artifact {
    Artifact::Module {
        hotkey: id.side.clone(),
        repeat: id.repeat,
        stem: id.stem.clone(),
        path: module.key.clone(),
        url: module.url.clone(),
        sha256: module.sha256.clone(),
        size: module.size_bytes,
        fetched_at: module.fetched_at,
        document_sha256: drawn.map(|drawn| drawn.document_sha256.to_owned()),
        renderer: drawn.map(|drawn| drawn.renderer.to_owned()),
        failure_reason: failure.map(str::to_owned),
        prompt_sha256: drawn.map(|drawn| drawn.prompt_sha256.to_owned()),
        pictures: drawn.map(|drawn| Pictures {
            url: drawn.views.to_owned(),
            sha256: drawn.pictures_sha256.to_owned(),
            size: drawn.pictures_size,
        }),
    }
}
