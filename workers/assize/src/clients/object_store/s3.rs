//! Objects by the S3 protocol: Cloudflare R2 in production, a folder served in process in a rehearsal.

use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
};
use aws_sdk_s3::operation::create_bucket::CreateBucketError;
use aws_sdk_s3::operation::get_object::GetObjectError;
use aws_sdk_s3::operation::head_object::HeadObjectError;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{Object, ObjectStore, ObjectStoreError, public_url};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Tries of one call inside the SDK, on throttling and broken connections. The step's own retries come after these.
const ATTEMPTS: u32 = 3;

/// Where the objects live and who we are there.
#[derive(Debug, Clone)]
pub struct S3Settings {
    /// `R2_ENDPOINT`.
    pub endpoint: Url,
    /// The bucket; `404-gen` in production.
    pub bucket: String,
    /// `R2_ACCESS_KEY_ID`.
    pub access_key_id: String,
    /// `R2_SECRET_ACCESS_KEY`.
    pub secret_access_key: SecretString,
    /// `CDN_URL`: what public URLs start with.
    pub public_base: String,
    /// Deadline of one try of one call.
    pub attempt_deadline: Duration,
}

/// An S3 bucket.
#[derive(Debug, Clone)]
pub struct S3ObjectStore {
    client: Client,
    bucket: String,
    public_base: String,
    deadline: Duration,
}

impl S3ObjectStore {
    /// A client of the bucket. Connects when first used.
    pub fn new(settings: S3Settings) -> Self {
        let credentials = Credentials::new(
            settings.access_key_id,
            settings.secret_access_key.expose_secret(),
            None,
            None,
            "settings",
        );
        let deadline = settings.attempt_deadline * ATTEMPTS;
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(settings.attempt_deadline)
            .operation_timeout(deadline)
            .build();
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(settings.endpoint.as_str().trim_end_matches('/'))
            .region(Region::new("auto"))
            .credentials_provider(credentials)
            .force_path_style(true)
            .timeout_config(timeouts)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            // R2 and other stores do not know the SDK's newer trailing checksums.
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .build();
        Self {
            client: Client::from_conf(config),
            bucket: settings.bucket,
            public_base: settings.public_base,
            deadline,
        }
    }
}

#[async_trait]
impl ObjectStore for S3ObjectStore {
    async fn put(&self, object: Object) -> Result<(), ObjectStoreError> {
        let request = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(&object.key)
            .content_type(object.content_type)
            .body(ByteStream::from(object.bytes));
        request
            .send()
            .await
            .map_err(|source| failed("store", &object.key, source))?;
        Ok(())
    }

    async fn get(&self, key: &str, limit_bytes: usize) -> Result<Option<Bytes>, ObjectStoreError> {
        let too_large = || ObjectStoreError::TooLarge {
            key: key.to_owned(),
            limit_bytes,
        };
        let read = async {
            let answer = match self
                .client
                .get_object()
                .bucket(&self.bucket)
                .key(key)
                .send()
                .await
            {
                Ok(answer) => answer,
                Err(error)
                    if error
                        .as_service_error()
                        .is_some_and(GetObjectError::is_no_such_key) =>
                {
                    return Ok(None);
                }
                Err(error) => return Err(failed("read", key, error)),
            };
            let mut stream = answer.body;
            let mut bytes = Vec::new();
            while let Some(chunk) = stream
                .try_next()
                .await
                .map_err(|error| failed("read", key, error))?
            {
                if chunk.len() > limit_bytes - bytes.len() {
                    return Err(too_large());
                }
                bytes.extend_from_slice(&chunk);
            }
            Ok(Some(bytes.into()))
        };
        // The SDK's deadlines end when the body begins, so the whole is held to one here.
        tokio::time::timeout(self.deadline, read)
            .await
            .unwrap_or_else(|elapsed| Err(failed("read", key, elapsed)))
    }

    async fn exists(&self, key: &str) -> Result<bool, ObjectStoreError> {
        match self
            .client
            .head_object()
            .bucket(&self.bucket)
            .key(key)
            .send()
            .await
        {
            Ok(_) => Ok(true),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(HeadObjectError::is_not_found) =>
            {
                Ok(false)
            }
            Err(error) => Err(failed("find", key, error)),
        }
    }

    async fn ensure_bucket(&self) -> Result<(), ObjectStoreError> {
        match self
            .client
            .create_bucket()
            .bucket(&self.bucket)
            .send()
            .await
        {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(is_there_already) => Ok(()),
            Err(error) => {
                // Keys that may only write objects cannot create buckets; then it is enough that the bucket is there.
                match self.client.head_bucket().bucket(&self.bucket).send().await {
                    Ok(_) => Ok(()),
                    Err(_) => Err(failed("create", &self.bucket, error)),
                }
            }
        }
    }

    fn public_url(&self, key: &str) -> String {
        public_url(&self.public_base, key)
    }
}

fn is_there_already(error: &CreateBucketError) -> bool {
    error.is_bucket_already_exists() || error.is_bucket_already_owned_by_you()
}

fn failed(
    operation: &'static str,
    key: &str,
    source: impl std::error::Error + Send + Sync + 'static,
) -> ObjectStoreError {
    ObjectStoreError::Failed {
        operation,
        key: key.to_owned(),
        source: Box::new(source),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use axum::Router;
    use axum::http::StatusCode;
    use hyper_util::rt::{TokioExecutor, TokioIo};
    use hyper_util::server::conn::auto;
    use s3s::auth::SimpleAuth;
    use s3s::service::S3ServiceBuilder;
    use tokio::net::TcpListener;

    use super::*;
    use crate::clients::testing::{Raw, serve, serve_raw, unused_address, url};

    fn store(endpoint: Url) -> S3ObjectStore {
        S3ObjectStore::new(S3Settings {
            endpoint,
            bucket: "rehearsal".to_owned(),
            access_key_id: "key".to_owned(),
            secret_access_key: "secret".into(),
            public_base: "https://cdn.example".to_owned(),
            attempt_deadline: Duration::from_secs(5),
        })
    }

    /// Serves S3 from `folder`.
    async fn serve_s3(folder: &std::path::Path) -> Url {
        let files = s3s_fs::FileSystem::new(folder).unwrap();
        let mut builder = S3ServiceBuilder::new(files);
        builder.set_auth(SimpleAuth::from_single("key", "secret"));
        let service = builder.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = url(&format!("http://{}/", listener.local_addr().unwrap()));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let service = service.clone();
                tokio::spawn(async move {
                    let builder = auto::Builder::new(TokioExecutor::new());
                    let _ = builder
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        base
    }

    fn object(key: &str, bytes: &[u8]) -> Object {
        Object {
            key: key.to_owned(),
            content_type: "image/png",
            bytes: bytes.to_vec().into(),
        }
    }

    #[tokio::test]
    async fn objects_come_back_as_they_were_stored_and_the_last_write_stands() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(serve_s3(folder.path()).await);
        store.ensure_bucket().await.unwrap();
        store.ensure_bucket().await.unwrap();

        store.put(object("rounds/1/a.png", b"first")).await.unwrap();
        store
            .put(object("rounds/1/a.png", b"second"))
            .await
            .unwrap();

        assert_eq!(
            store.get("rounds/1/a.png", 100).await.unwrap().as_deref(),
            Some(&b"second"[..])
        );
        assert!(store.exists("rounds/1/a.png").await.unwrap());
        assert!(!store.exists("rounds/1/b.png").await.unwrap());
        assert_eq!(store.get("rounds/1/b.png", 100).await.unwrap(), None);
        assert_eq!(
            store.public_url("rounds/1/a.png"),
            "https://cdn.example/rounds/1/a.png"
        );
        let head = store
            .client
            .head_object()
            .bucket("rehearsal")
            .key("rounds/1/a.png");
        assert_eq!(head.send().await.unwrap().content_type(), Some("image/png"));
    }

    #[tokio::test]
    async fn an_object_above_the_callers_limit_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(serve_s3(folder.path()).await);
        store.ensure_bucket().await.unwrap();
        store.put(object("a", &[0; 1000])).await.unwrap();
        assert!(matches!(
            store.get("a", 999).await,
            Err(ObjectStoreError::TooLarge { .. })
        ));
        assert_eq!(store.get("a", 1000).await.unwrap().unwrap().len(), 1000);
    }

    #[tokio::test]
    async fn a_batch_is_stored_whole() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(serve_s3(folder.path()).await);
        store.ensure_bucket().await.unwrap();
        let objects = (0..20)
            .map(|index| object(&format!("b/{index}"), &[index]))
            .collect();
        store.put_all(objects).await.unwrap();
        for index in 0..20 {
            assert!(
                store.exists(&format!("b/{index}")).await.unwrap(),
                "{index}"
            );
        }
    }

    #[tokio::test]
    async fn a_store_that_fails_is_an_error_and_never_an_absent_object() {
        let forbidden =
            store(serve(Router::new().fallback(|| async { StatusCode::FORBIDDEN })).await);
        assert!(forbidden.exists("a").await.is_err());
        assert!(forbidden.get("a", 10).await.is_err());
        assert!(forbidden.put(object("a", b"x")).await.is_err());
        assert!(forbidden.ensure_bucket().await.is_err());

        let down = store(unused_address().await);
        assert!(down.exists("a").await.is_err());
        assert!(down.put_all(vec![object("a", b"x")]).await.is_err());
    }

    #[tokio::test]
    async fn a_store_that_never_answers_meets_the_deadline() {
        let mut silent = store(serve_raw(Raw::Silent).await);
        silent.deadline = Duration::from_millis(200);
        assert!(silent.get("a", 10).await.is_err());
    }
}
