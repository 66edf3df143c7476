//! The object store: the S3 protocol over a folder.
//!
//! Also what the binary serves when it is given no S3 settings: a store for one machine, not a durability layer. Each
//! object keeps its name as a path, and its headers in a file whose name is the encoded key, so a key may have at most
//! about 160 bytes on file systems that allow names of 255.

use std::path::Path;

use anyhow::Context;
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::clock::WorldClock;
use crate::faults::{Faults, Service};
use crate::http::{Door, serve};

/// Serves the S3 protocol over `folder` on `listener`, for one pair of keys, until the future is dropped.
///
/// Path-style addressing, any region. Buckets are the folders below `folder`: a client creates them with
/// `CreateBucket`, or [`create_bucket`] does.
///
/// # Errors
///
/// When the folder cannot be created or read.
pub async fn serve_s3(
    listener: TcpListener,
    folder: &Path,
    access_key: &str,
    secret_key: &str,
) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let _ends_connections = stop.clone().drop_guard();
    let door = Door {
        service: Service::S3,
        faults: Faults::new(WorldClock::in_memory()),
        stop,
    };
    serve(listener, door, s3_service(folder, access_key, secret_key)?).await;
    Ok(())
}

/// Creates a bucket if it is not there yet.
///
/// # Errors
///
/// When the folder cannot be created.
pub fn create_bucket(folder: &Path, bucket: &str) -> anyhow::Result<()> {
    let path = folder.join(bucket);
    std::fs::create_dir_all(&path)
        .with_context(|| format!("cannot create the bucket {}", path.display()))
}

/// The S3 service over `folder`.
pub(crate) fn s3_service(
    folder: &Path,
    access_key: &str,
    secret_key: &str,
) -> anyhow::Result<S3Service> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot create {}", folder.display()))?;
    let files = FileSystem::new(folder).map_err(|error| {
        anyhow::anyhow!("cannot serve objects from {}: {error:?}", folder.display())
    })?;
    let mut builder = S3ServiceBuilder::new(files);
    builder.set_auth(SimpleAuth::from_single(access_key, secret_key));
    Ok(builder.build())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use aws_sdk_s3::Client;
    use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
    use aws_sdk_s3::primitives::ByteStream;

    use super::*;

    async fn started(folder: &Path) -> (String, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let folder = folder.to_owned();
        let task =
            tokio::spawn(
                async move { serve_s3(listener, &folder, "key", "secret").await.unwrap() },
            );
        (endpoint, task)
    }

    fn client(endpoint: &str, secret: &str) -> Client {
        Client::from_conf(
            aws_sdk_s3::Config::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new("auto"))
                .endpoint_url(endpoint)
                .force_path_style(true)
                .credentials_provider(Credentials::new("key", secret, None, None, "test"))
                .build(),
        )
    }

    #[tokio::test]
    async fn objects_are_kept_with_their_type_for_a_real_client_and_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let (endpoint, task) = started(folder.path()).await;
        let s3 = client(&endpoint, "secret");
        s3.create_bucket().bucket("404-gen").send().await.unwrap();
        // As long as the longest key of a round: full hotkey, 64-digit stem.
        let key = format!(
            "rounds/10/{}/generated_1/{}/white/front_right.png",
            "5".repeat(48),
            "a".repeat(64)
        );
        s3.put_object()
            .bucket("404-gen")
            .key(&key)
            .content_type("image/png")
            .body(ByteStream::from_static(b"picture"))
            .send()
            .await
            .unwrap();
        task.abort();

        let (endpoint, _task) = started(folder.path()).await;
        let s3 = client(&endpoint, "secret");
        let object = s3
            .get_object()
            .bucket("404-gen")
            .key(&key)
            .send()
            .await
            .unwrap();
        assert_eq!(object.content_type(), Some("image/png"));
        assert_eq!(object.body.collect().await.unwrap().into_bytes(), "picture");
        let listed = s3
            .list_objects_v2()
            .bucket("404-gen")
            .prefix("rounds/10/")
            .send()
            .await
            .unwrap();
        assert_eq!(listed.contents().first().unwrap().key(), Some(key.as_str()));
        let absent = s3
            .get_object()
            .bucket("404-gen")
            .key("rounds/none")
            .send()
            .await
            .unwrap_err();
        assert!(absent.into_service_error().is_no_such_key());
    }

    #[tokio::test]
    async fn a_wrong_secret_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        create_bucket(folder.path(), "404-gen").unwrap();
        let (endpoint, _task) = started(folder.path()).await;
        let put = client(&endpoint, "wrong")
            .put_object()
            .bucket("404-gen")
            .key("a")
            .send()
            .await;
        assert!(put.is_err());
        assert!(!folder.path().join("404-gen/a").exists());
    }
}
