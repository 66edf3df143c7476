//! Servers the clients are tested against: well-behaved ones by axum, misbehaving ones by hand.

#![allow(clippy::unwrap_used)]

use std::sync::OnceLock;

use axum::Router;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use url::Url;

use crate::egress::Egress;

/// Parses `text`.
pub fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

/// An egress without a host map. One for all tests, because making one reads the machine's certificates.
pub fn egress() -> Egress {
    static EGRESS: OnceLock<Egress> = OnceLock::new();
    EGRESS.get_or_init(|| Egress::new(&[]).unwrap()).clone()
}

/// An HTTP client with no deadline of its own.
pub fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// Serves `router` on a free local port until the test's runtime ends.
pub async fn serve(router: Router) -> Url {
    let (listener, base) = listen().await;
    tokio::spawn(async move { axum::serve(listener, router).await });
    base
}

/// How a server misbehaves once a request arrived.
#[derive(Clone, Copy)]
pub enum Raw {
    /// Never answers.
    Silent,
    /// Sends these bytes and closes.
    Then(&'static [u8]),
}

/// Serves every connection by `raw`.
pub async fn serve_raw(raw: Raw) -> Url {
    let (listener, base) = listen().await;
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = [0_u8; 4096];
            let _ = stream.read(&mut request).await;
            match raw {
                Raw::Silent => kept.push(stream),
                Raw::Then(bytes) => {
                    let _ = stream.write_all(bytes).await;
                    let _ = stream.shutdown().await;
                }
            }
        }
    });
    base
}

/// An address where nobody listens.
pub async fn unused_address() -> Url {
    listen().await.1
}

async fn listen() -> (TcpListener, Url) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = url(&format!("http://{}/", listener.local_addr().unwrap()));
    (listener, base)
}

/// A small picture of one colour.
pub fn png(width: u32, height: u32, colour: [u8; 3]) -> Vec<u8> {
    let picture = image::RgbImage::from_pixel(width, height, image::Rgb(colour));
    encode(&picture)
}

/// A picture as PNG bytes.
pub fn encode(picture: &image::RgbImage) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture
        .write_to(&mut bytes, image::ImageFormat::Png)
        .unwrap();
    bytes.into_inner()
}
