use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use secrecy::SecretString;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{
    ServerConfig, crypto,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

use super::super::testing::{World, commit, put};
use super::super::{MirrorOptions, MirrorRepository, PushOutcome, RepositoryError};
use super::elsewhere;
use super::http_server::HttpHost;

const TOKEN: &str = "ghp_hunter2";

/// TLS before an HTTP host: `https://localhost:{port}`.
struct TlsFront {
    port: u16,
    /// The file with its certificate.
    certificate: PathBuf,
    /// Serves until it is dropped.
    _runtime: Runtime,
}

impl TlsFront {
    /// With a new certificate for `localhost`, written into `folder`.
    fn before(host: &HttpHost, folder: &Path) -> Self {
        std::fs::create_dir(folder).unwrap();
        let (key, certificate) = (folder.join("key.pem"), folder.join("certificate.pem"));
        let made = Command::new("openssl")
            .args(["req", "-x509", "-nodes", "-days", "2", "-newkey", "ec"])
            .args([
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-subj",
                "/CN=localhost",
            ])
            .args(["-addext", "subjectAltName=DNS:localhost", "-keyout"])
            .arg(&key)
            .arg("-out")
            .arg(&certificate)
            .output()
            .unwrap();
        assert!(made.status.success(), "{made:?}");
        let key = PrivateKeyDer::from_pem_file(key).unwrap();
        let chain = vec![CertificateDer::from_pem_file(&certificate).unwrap()];
        let provider = Arc::new(crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let behind = host.port;
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut plain = TcpStream::connect(("127.0.0.1", behind)).await?;
                    let mut stream = acceptor.accept(stream).await?;
                    copy_bidirectional(&mut stream, &mut plain).await
                });
            }
        });
        Self {
            port,
            certificate,
            _runtime: runtime,
        }
    }
}

/// Set for the process that has certificates of its own.
const REMOTE: &str = "ASSIZE_TEST_HTTPS_REMOTE";

fn clone_and_push(remote: String) -> Result<(), RepositoryError> {
    let world = World::new();
    let mut options = MirrorOptions {
        remote,
        ..world.options()
    };
    options.credentials.token = Some(SecretString::from(TOKEN));
    let mirror = MirrorRepository::open_or_clone(options)?;
    commit(&mirror, &[put("rounds/0/a", "1")]);
    assert!(matches!(mirror.push()?, PushOutcome::Pushed(commits) if commits.len() == 1));
    Ok(())
}

#[test]
fn a_token_goes_to_a_host_whose_certificate_is_trusted_and_to_no_other() {
    if let Ok(remote) = std::env::var(REMOTE) {
        match clone_and_push(remote) {
            Ok(()) => println!("it got in"),
            Err(error) => println!("{error}, transient: {}", error.is_transient()),
        }
        return;
    }
    let world = World::new();
    let host = HttpHost::serve(&world.remote, Some(TOKEN));
    let front = TlsFront::before(&host, &world.clone_path("front"));
    let other = TlsFront::before(&host, &world.clone_path("other"));
    let url = format!("https://localhost:{}/remote.git", front.port);
    let trusting = |authorities: &Path| {
        elsewhere::run(
            "over_https::a_token_goes_to_a_host_whose_certificate_is_trusted_and_to_no_other",
            &[
                (REMOTE, url.as_ref()),
                ("SSL_CERT_FILE", authorities.as_os_str()),
                ("SSL_CERT_DIR", world.folder.path().as_os_str()),
            ],
        )
    };
    let refused = trusting(&other.certificate);
    assert!(
        refused.contains("certificate of https://localhost")
            && refused.contains("SSL_CERT_FILE, transient: false"),
        "{refused}"
    );
    assert_eq!(world.file("rounds/0/a"), None);
    let trusted = trusting(&front.certificate);
    assert!(trusted.contains("it got in"), "{trusted}");
    assert_eq!(world.file("rounds/0/a").unwrap(), "1");
}
