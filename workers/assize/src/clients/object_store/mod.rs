//! The object store: modules, pictures and embeddings of a round, under public URLs.

mod fake;
mod s3;

use std::fmt::Write;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};

pub use fake::FakeObjectStore;
pub use s3::{S3ObjectStore, S3Settings};

/// Objects of one batch that are stored at the same time.
const PARALLEL_PUTS: usize = 8;

/// One object to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its key in the bucket, without a leading `/`.
    pub key: String,
    /// Its content type, as browsers and the VLM's server see it.
    pub content_type: &'static str,
    /// Its bytes.
    pub bytes: Bytes,
}

/// Stores and returns objects. Storing is idempotent: keys come from the round, and the last write stands.
#[async_trait]
pub trait ObjectStore: Send + Sync {
    /// Stores `object`, over whatever its key held.
    ///
    /// # Errors
    ///
    /// [`ObjectStoreError`]; always ours, always worth another try.
    async fn put(&self, object: Object) -> Result<(), ObjectStoreError>;

    /// The bytes under `key`, or `None` when there is no such object.
    ///
    /// # Errors
    ///
    /// [`ObjectStoreError`], also when the object has more than `limit_bytes`.
    async fn get(&self, key: &str, limit_bytes: usize) -> Result<Option<Bytes>, ObjectStoreError>;

    /// Whether there is an object under `key`.
    ///
    /// # Errors
    ///
    /// [`ObjectStoreError`]; a store that cannot be asked is never taken for an absent object.
    async fn exists(&self, key: &str) -> Result<bool, ObjectStoreError>;

    /// Makes sure that the bucket is there.
    ///
    /// # Errors
    ///
    /// [`ObjectStoreError`]
    async fn ensure_bucket(&self) -> Result<(), ObjectStoreError>;

    /// Where everyone reads the object under `key`: `{CDN_URL}/{key}`.
    fn public_url(&self, key: &str) -> String;

    /// Stores all `objects`, several at a time. All or an error: some may be stored when it fails, and a repeat stores
    /// them again.
    ///
    /// # Errors
    ///
    /// The first [`ObjectStoreError`].
    async fn put_all(&self, objects: Vec<Object>) -> Result<(), ObjectStoreError> {
        stream::iter(objects)
            .map(|object| self.put(object))
            .buffer_unordered(PARALLEL_PUTS)
            .try_collect()
            .await
    }
}

/// Why the object store did not do what was asked. Always ours.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectStoreError {
    /// The store refused, failed or could not be reached.
    #[error("object store cannot {operation} {key}")]
    Failed {
        /// `store`, `read`, `find` or `create`.
        operation: &'static str,
        /// The key, or the bucket.
        key: String,
        /// What the store or the connection said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },

    /// The object is larger than the caller can take.
    #[error("object {key} is larger than {limit_bytes} bytes")]
    TooLarge {
        /// The key.
        key: String,
        /// The limit.
        limit_bytes: usize,
    },
}

/// `{base}/{key}` with what a URL's path cannot hold escaped. Keys of a round hold letters, digits, `-`, `_`, `.` and
/// `/`, and stay as they are.
fn public_url(base: &str, key: &str) -> String {
    let mut url = format!("{}/", base.trim_end_matches('/'));
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/!$&'()*+,;=:@".contains(&byte) {
            url.push(byte.into());
        } else {
            // Writing to a string cannot fail.
            let _ = write!(url, "%{byte:02X}");
        }
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_url_is_the_base_and_the_key() {
        let key = "rounds/6/5Gg/submitted/b0c-1.js";
        assert_eq!(
            public_url("https://subnet404.xyz/", key),
            format!("https://subnet404.xyz/{key}")
        );
        assert_eq!(
            public_url("http://x", "a b?#%é"),
            "http://x/a%20b%3F%23%25%C3%A9"
        );
    }
}
