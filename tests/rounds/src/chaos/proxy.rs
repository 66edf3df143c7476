//! A proxy from TCP to the database's unix socket, which can fall silent.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
};
use tokio_util::task::AbortOnDropHandle;

/// Forwards bytes until it is dropped.
pub(super) struct Proxy {
    address: SocketAddr,
    silent: watch::Sender<bool>,
    _serving: AbortOnDropHandle<()>,
}

impl Proxy {
    /// Listens on a free port of `host`.
    pub(super) async fn start(host: &str, socket: &Path) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((host, 0))
            .await
            .with_context(|| format!("no free port on {host}"))?;
        let address = listener.local_addr()?;
        let silent = watch::Sender::new(false);
        let serving = serve(listener, socket.to_owned(), silent.subscribe());
        Ok(Self {
            address,
            silent,
            _serving: AbortOnDropHandle::new(tokio::spawn(serving)),
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Keeps every byte to itself, as a link does that is down; nobody is told.
    pub(super) fn silence(&self, silent: bool) {
        self.silent.send_replace(silent);
    }
}

async fn serve(listener: TcpListener, socket: PathBuf, silent: watch::Receiver<bool>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => if let Ok((client, _)) = accepted {
                connections.spawn(forward(client, socket.clone(), silent.clone()));
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Ends when either side does; a server that is not there is a connection that ends at once.
async fn forward(client: TcpStream, socket: PathBuf, silent: watch::Receiver<bool>) {
    let Ok(server) = UnixStream::connect(socket).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::select! {
        () = pump(from_client, to_server, silent.clone()) => {}
        () = pump(from_server, to_client, silent) => {}
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut silent: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if silent.wait_for(|silent| !silent).await.is_err()
            || to.write_all(&buffer[..read]).await.is_err()
        {
            return;
        }
    }
}
