//! Smart HTTP: `git http-backend` behind the web server, as any git host runs it.

use std::path::Path;
use std::process::Stdio;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, Method, Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::any;
use futures::TryStreamExt;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{ChildStdin, Command};
use tokio_util::io::ReaderStream;

use super::Remote;

/// Serves `remote` at `/{name}.git`, for reading and pushing.
pub(crate) fn router(remote: Remote, name: &str) -> Router {
    let prefix = format!("/{name}.git");
    let backend = Backend {
        remote,
        prefix: prefix.clone(),
    };
    Router::new()
        .route(&format!("{prefix}/{{*rest}}"), any(answer))
        .with_state(backend)
}

#[derive(Clone)]
struct Backend {
    remote: Remote,
    prefix: String,
}

async fn answer(State(backend): State<Backend>, request: Request) -> Response<Body> {
    match run(&backend, request).await {
        Ok(response) => response,
        Err(error) => {
            tracing::warn!(error = format!("{error:#}"), "git http-backend failed");
            (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")).into_response()
        }
    }
}

async fn run(backend: &Backend, request: Request) -> anyhow::Result<Response<Body>> {
    let (head, body) = request.into_parts();
    let rest = head
        .uri
        .path()
        .strip_prefix(&backend.prefix)
        .unwrap_or_default();
    let repository = backend.remote.path();
    let root = repository.parent().unwrap_or(Path::new("/"));
    let name = repository
        .file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default();
    let header = |name: HeaderName| {
        head.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    };
    let push = (head.method == Method::POST && rest.ends_with("/git-receive-pack"))
        .then(|| backend.remote.push_in_flight());

    let mut child = Command::new("git")
        .arg("http-backend")
        .env_remove("GIT_DIR")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", format!("/{name}{rest}"))
        .env("QUERY_STRING", head.uri.query().unwrap_or_default())
        .env("REQUEST_METHOD", head.method.as_str())
        .env("CONTENT_TYPE", header(CONTENT_TYPE))
        .env("CONTENT_LENGTH", header(CONTENT_LENGTH))
        .env("HTTP_CONTENT_ENCODING", header(CONTENT_ENCODING))
        .env(
            "GIT_PROTOCOL",
            header(HeaderName::from_static("git-protocol")),
        )
        .env("REMOTE_USER", "rehearsal")
        .env("REMOTE_ADDR", "127.0.0.1")
        // The folder may belong to another user than this process runs as.
        .env("GIT_CONFIG_COUNT", "2")
        .env("GIT_CONFIG_KEY_0", "safe.directory")
        .env("GIT_CONFIG_VALUE_0", "*")
        .env("GIT_CONFIG_KEY_1", "http.receivepack")
        .env("GIT_CONFIG_VALUE_1", "true")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| {
            anyhow::anyhow!("cannot run `git http-backend`, is git installed? {error}")
        })?;
    let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        anyhow::bail!("git http-backend has no pipes");
    };
    tokio::spawn(feed(body, stdin));

    let mut output = BufReader::new(stdout);
    let mut response = Response::new(Body::empty());
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).await? == 0 {
            anyhow::bail!("git http-backend answered nothing");
        }
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        let Some((name, value)) = line.split_once(':') else {
            continue;
        };
        if name.eq_ignore_ascii_case("status") {
            let code = value.trim().get(..3).and_then(|code| code.parse().ok());
            *response.status_mut() = code
                .and_then(|code| StatusCode::from_u16(code).ok())
                .unwrap_or(StatusCode::OK);
        } else if let (Ok(name), Ok(value)) = (
            name.parse::<HeaderName>(),
            HeaderValue::from_str(value.trim()),
        ) {
            response.headers_mut().append(name, value);
        }
    }
    // The child and the push end with the body: when git has said its last word, the branch has moved.
    let keep = (child, push);
    let stream = ReaderStream::new(output).inspect_ok(move |_| {
        let _ = &keep;
    });
    *response.body_mut() = Body::from_stream(stream);
    Ok(response)
}

async fn feed(body: Body, mut stdin: ChildStdin) {
    let mut chunks = body.into_data_stream();
    // A client that hangs up or a git that stops reading both end the request; the answer tells the client.
    while let Ok(Some(chunk)) = chunks.try_next().await {
        if stdin.write_all(&chunk).await.is_err() {
            return;
        }
    }
    let _ = stdin.shutdown().await;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::time::Duration;

    use git2::{Repository, Signature};
    use tokio::net::TcpListener;
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::clock::WorldClock;
    use crate::faults::{Faults, Service};
    use crate::http::{Door, serve};

    fn commit_and_push(url: &str, work: &Path, file: &str) -> Result<(), git2::Error> {
        let repository = Repository::open(work).or_else(|_| Repository::clone(url, work))?;
        let head = repository.refname_to_id("refs/heads/main")?;
        let parent = repository.find_commit(head)?;
        let blob = repository.blob(file.as_bytes())?;
        let mut tree = repository.treebuilder(Some(&parent.tree()?))?;
        tree.insert(file, blob, 0o100_644)?;
        let tree = repository.find_tree(tree.write()?)?;
        let signature = Signature::now("Test", "test@rehearsal.example")?;
        repository.commit(
            Some("refs/heads/main"),
            &signature,
            &signature,
            file,
            &tree,
            &[&parent],
        )?;
        let mut refused = None;
        let mut callbacks = git2::RemoteCallbacks::new();
        callbacks.push_update_reference(|_, status| {
            refused = status.map(str::to_owned);
            Ok(())
        });
        let mut options = git2::PushOptions::new();
        options.remote_callbacks(callbacks);
        repository
            .remote_anonymous(url)?
            .push(&["refs/heads/main"], Some(&mut options))?;
        drop(options);
        refused.map_or(Ok(()), |refused| Err(git2::Error::from_str(&refused)))
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn libgit2_clones_and_pushes_over_http_and_each_push_is_one_move() {
        let folder = tempfile::tempdir().unwrap();
        let files = [("config.json".to_owned(), b"{}".to_vec())];
        let remote =
            Remote::create_with(&folder.path().join("remote.git"), &files, "First").unwrap();
        let mut moves = remote.moves();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!(
            "http://{}/rehearsal/state.git",
            listener.local_addr().unwrap()
        );
        let stop = CancellationToken::new();
        let door = Door {
            service: Service::Git,
            faults: Faults::new(WorldClock::in_memory()),
            stop: stop.clone(),
        };
        tokio::spawn(serve(
            listener,
            door,
            router(remote.clone(), "rehearsal/state"),
        ));

        let (first, second) = (folder.path().join("first"), folder.path().join("second"));
        let push = |work: std::path::PathBuf, file: &'static str| {
            let url = url.clone();
            tokio::task::spawn_blocking(move || commit_and_push(&url, &work, file))
        };
        {
            let url = url.clone();
            let second = second.clone();
            tokio::task::spawn_blocking(move || Repository::clone(&url, second).map(|_| ()))
                .await
                .unwrap()
                .unwrap();
        }
        push(first.clone(), "one.json").await.unwrap().unwrap();
        push(first, "two.json").await.unwrap().unwrap();

        for _ in 0..2 {
            let told = tokio::time::timeout(Duration::from_secs(5), moves.recv())
                .await
                .unwrap()
                .unwrap();
            assert!(told.one_push);
        }
        assert_eq!(remote.read("two.json").unwrap().unwrap(), b"two.json");

        // A clone that has not seen those pushes loses the race and changes nothing.
        let head = remote.head().unwrap();
        assert!(push(second, "late.json").await.unwrap().is_err());
        assert_eq!(remote.head().unwrap(), head);
        stop.cancel();
    }
}
