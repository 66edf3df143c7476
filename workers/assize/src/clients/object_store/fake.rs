//! An object store in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;

use super::{Object, ObjectStore, ObjectStoreError, public_url};
use crate::clients::script::{Script, lock};

/// Keeps objects in memory; fails when told to.
#[derive(Debug)]
pub struct FakeObjectStore {
    /// Failures to give to the next writes, and the keys written so far.
    pub writes: Script<String, ObjectStoreError>,
    base: String,
    objects: Mutex<BTreeMap<String, Object>>,
}

impl FakeObjectStore {
    /// An empty store whose objects are read below `base`.
    pub fn new(base: &str) -> Self {
        Self {
            writes: Script::default(),
            base: base.to_owned(),
            objects: Mutex::default(),
        }
    }

    /// All objects, by key.
    pub fn objects(&self) -> BTreeMap<String, Object> {
        lock(&self.objects).clone()
    }
}

#[async_trait]
impl ObjectStore for FakeObjectStore {
    async fn put(&self, object: Object) -> Result<(), ObjectStoreError> {
        if let Some(error) = self.writes.ask(object.key.clone()) {
            return Err(error);
        }
        lock(&self.objects).insert(object.key.clone(), object);
        Ok(())
    }

    async fn get(&self, key: &str, limit_bytes: usize) -> Result<Option<Bytes>, ObjectStoreError> {
        let bytes = lock(&self.objects)
            .get(key)
            .map(|object| object.bytes.clone());
        match bytes {
            Some(bytes) if bytes.len() > limit_bytes => Err(ObjectStoreError::TooLarge {
                key: key.to_owned(),
                limit_bytes,
            }),
            found => Ok(found),
        }
    }

    async fn exists(&self, key: &str) -> Result<bool, ObjectStoreError> {
        Ok(lock(&self.objects).contains_key(key))
    }

    async fn ensure_bucket(&self) -> Result<(), ObjectStoreError> {
        Ok(())
    }

    fn public_url(&self, key: &str) -> String {
        public_url(&self.base, key)
    }
}
