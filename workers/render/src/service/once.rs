//! Work that several callers ask for is done once: for those who ask at the same time, and for those who ask soon after.
//!
//! Whoever asks first starts the work; everyone who asks before it ends waits for the same one. It goes on for as long
//! as one of them waits, and is dropped with the last. What may be kept is kept in bounded memory, the longest unused
//! given up first.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt as _;
use futures::future::{BoxFuture, Shared, WeakShared};

/// What a piece of work left: its result, and how many bytes it takes if others may have it later.
#[derive(Debug, Clone)]
pub struct Made<Value> {
    /// The result.
    pub value: Value,
    /// Bytes of memory it takes; none if the next caller must not get it.
    pub kept_bytes: Option<usize>,
}

/// Where a caller's result came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// It started the work.
    Made,
    /// It waited for work that somebody else had started.
    Joined,
    /// It was there.
    Kept,
}

impl Source {
    /// Its name in figures.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Made => "made",
            Self::Joined => "joined",
            Self::Kept => "kept",
        }
    }
}

/// Work by key, running and done.
pub struct Once<Value, Error> {
    state: Mutex<State<Value, Error>>,
}

struct State<Value, Error> {
    running: HashMap<String, (u64, WeakShared<Work<Value, Error>>)>,
    started: u64,
    kept: Kept<Value>,
}

type Work<Value, Error> = BoxFuture<'static, Result<Value, Error>>;

impl<Value, Error> Once<Value, Error>
where
    Value: Clone + Send + Sync + 'static,
    Error: Clone + Send + Sync + 'static,
{
    /// Nothing yet, and never more than `limit_bytes` kept.
    pub fn new(limit_bytes: usize) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                running: HashMap::new(),
                started: 0,
                kept: Kept::new(limit_bytes),
            }),
        })
    }

    /// The result of the work named `key`. `work` is called only if nobody is at it and no result is kept.
    ///
    /// # Errors
    ///
    /// The work's, for everyone who waits for it. Errors are not kept.
    pub async fn get<Working>(
        self: &Arc<Self>,
        key: String,
        work: impl FnOnce() -> Working,
    ) -> Result<(Value, Source), Error>
    where
        Working: Future<Output = Result<Made<Value>, Error>> + Send + 'static,
    {
        let (working, source) = match self.find(&key) {
            Found::Kept(value) => return Ok((value, Source::Kept)),
            Found::Running(working) => (working, Source::Joined),
            Found::Nothing => self.start(key, work()),
        };
        Ok((working.await?, source))
    }

    fn find(&self, key: &str) -> Found<Value, Error> {
        let mut state = self.state();
        if let Some(value) = state.kept.get(key) {
            return Found::Kept(value);
        }
        let running = state.running.get(key);
        match running.and_then(|(_, working)| working.upgrade()) {
            Some(working) => Found::Running(working),
            None => Found::Nothing,
        }
    }

    fn start(
        self: &Arc<Self>,
        key: String,
        work: impl Future<Output = Result<Made<Value>, Error>> + Send + 'static,
    ) -> (Shared<Work<Value, Error>>, Source) {
        let mut state = self.state();
        // Somebody may have started it since we looked.
        if let Some(working) = state.running.get(&key).and_then(|(_, one)| one.upgrade()) {
            return (working, Source::Joined);
        }
        state.started += 1;
        let running = Running {
            once: self.clone(),
            key: key.clone(),
            number: state.started,
        };
        let working = async move {
            let made = work.await?;
            if let Some(bytes) = made.kept_bytes {
                let (key, value) = (running.key.clone(), made.value.clone());
                running.once.state().kept.put(key, value, bytes);
            }
            Ok(made.value)
        }
        .boxed()
        .shared();
        if let Some(weak) = working.downgrade() {
            let number = state.started;
            state.running.insert(key, (number, weak));
        }
        (working, Source::Made)
    }

    fn state(&self) -> MutexGuard<'_, State<Value, Error>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Found<Value, Error> {
    Kept(Value),
    Running(Shared<Work<Value, Error>>),
    Nothing,
}

/// Takes the work off the list when it ended, or when nobody waits for it any more.
struct Running<Value, Error> {
    once: Arc<Once<Value, Error>>,
    key: String,
    number: u64,
}

impl<Value, Error> Drop for Running<Value, Error> {
    fn drop(&mut self) {
        let mut state = self
            .once
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let is_ours = |(number, _): &(u64, _)| *number == self.number;
        if state.running.get(&self.key).is_some_and(is_ours) {
            state.running.remove(&self.key);
        }
    }
}

/// Results in bounded memory.
struct Kept<Value> {
    entries: HashMap<String, Entry<Value>>,
    /// Keys by their last use.
    by_use: BTreeMap<u64, String>,
    uses: u64,
    bytes: usize,
    limit_bytes: usize,
}

struct Entry<Value> {
    value: Value,
    bytes: usize,
    last_use: u64,
}

/// What an entry takes beside its value and its key, roughly.
const ENTRY_BYTES: usize = 256;

impl<Value: Clone> Kept<Value> {
    fn new(limit_bytes: usize) -> Self {
        Self {
            entries: HashMap::new(),
            by_use: BTreeMap::new(),
            uses: 0,
            bytes: 0,
            limit_bytes,
        }
    }

    fn get(&mut self, key: &str) -> Option<Value> {
        self.uses += 1;
        let entry = self.entries.get_mut(key)?;
        let key = self.by_use.remove(&entry.last_use)?;
        entry.last_use = self.uses;
        self.by_use.insert(self.uses, key);
        Some(entry.value.clone())
    }

    fn put(&mut self, key: String, value: Value, value_bytes: usize) {
        let bytes = value_bytes + 2 * key.len() + ENTRY_BYTES;
        if bytes > self.limit_bytes || self.entries.contains_key(&key) {
            return;
        }
        while self.bytes + bytes > self.limit_bytes {
            let Some((_, oldest)) = self.by_use.pop_first() else {
                break;
            };
            if let Some(entry) = self.entries.remove(&oldest) {
                self.bytes -= entry.bytes;
            }
        }
        self.uses += 1;
        self.bytes += bytes;
        self.by_use.insert(self.uses, key.clone());
        let entry = Entry {
            value,
            bytes,
            last_use: self.uses,
        };
        self.entries.insert(key, entry);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
