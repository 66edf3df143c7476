//! `url` bodies: fetching a module from a host the operator named, and from nowhere else.
//!
//! The name is resolved here and the connection goes to an address that was checked, so a name that resolves to an
//! internal address, now or a moment later, reaches nothing. Redirects are not followed.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures::StreamExt as _;
use reqwest::Url;
use reqwest::redirect::Policy;

use super::config::ServiceConfig;
use super::respond::ClientError;
use crate::MAX_SOURCE_BYTES;

/// Longest a fetch may take.
const FETCH_TIMEOUT: Duration = Duration::from_secs(30);

/// The module at `url`.
pub async fn module(config: &ServiceConfig, url: &str) -> Result<String, ClientError> {
    let url = Url::parse(url)
        .map_err(|error| ClientError::bad_request(format!("`url` is not an address: {error}")))?;
    let host = url.host_str().unwrap_or_default().to_owned();
    if !config.url_hosts.contains(&host) {
        return Err(ClientError::forbidden(format!(
            "modules are not fetched from `{host}`: send the `source`"
        )));
    }
    if url.scheme() != "https" && !(config.allow_private_hosts && url.scheme() == "http") {
        return Err(ClientError::bad_request("`url` must be an https address"));
    }
    let port = url.port_or_known_default().unwrap_or(443);
    let address = address_of(config, &host, port).await?;
    let client = reqwest::Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .timeout(FETCH_TIMEOUT)
        .resolve(&host, address)
        .build()
        .map_err(|error| ClientError::upstream(format!("cannot fetch from `{host}`: {error}")))?;
    let failed = |error: reqwest::Error| {
        ClientError::upstream(format!(
            "cannot fetch from `{host}`: {}",
            error.without_url()
        ))
    };
    let answer = client.get(url).send().await.map_err(failed)?;
    if !answer.status().is_success() {
        return Err(ClientError::upstream(format!(
            "`{host}` answered {}",
            answer.status().as_u16()
        )));
    }
    let mut bytes = Vec::new();
    let mut chunks = answer.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        bytes.extend_from_slice(&chunk.map_err(failed)?);
        // One byte more than the limit is enough for the analyser to say so.
        if bytes.len() > MAX_SOURCE_BYTES {
            break;
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

async fn address_of(
    config: &ServiceConfig,
    host: &str,
    port: u16,
) -> Result<SocketAddr, ClientError> {
    let addresses = tokio::net::lookup_host((host, port))
        .await
        .map_err(|error| ClientError::upstream(format!("`{host}` cannot be resolved: {error}")))?;
    addresses
        .into_iter()
        .find(|address| config.allow_private_hosts || is_public(address.ip()))
        .ok_or_else(|| ClientError::forbidden(format!("`{host}` has no public address")))
}

/// Whether an address belongs to the public internet.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_broadcast()
                || v4.is_documentation()
                || v4.is_multicast()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0 && c == 0)
                || (a == 198 && (b == 18 || b == 19)))
        }
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_public(IpAddr::V4(v4)),
            // Global unicast is 2000::/3; 2002::/16 and 64:ff9b::/96 carry other addresses inside.
            None => {
                let first = v6.segments()[0];
                (first & 0xe000) == 0x2000
                    && first != 0x2002
                    && !(first == 0x2001 && v6.segments()[1] < 0x0200)
            }
        },
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_public_internet_are_public() {
        for private in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "fe80::1",
            "fd00::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
        for public in ["1.1.1.1", "93.184.216.34", "2606:4700::1111"] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
    }

    #[tokio::test]
    async fn hosts_that_were_not_named_and_hosts_inside_are_refused() {
        let named = ServiceConfig {
            url_hosts: vec!["localhost".to_owned(), "example.org".to_owned()],
            ..ServiceConfig::default()
        };
        for (url, status) in [
            ("https://elsewhere.example/a.js", 403),
            ("https://localhost/a.js", 403),
            ("http://example.org/a.js", 400),
            ("file:///etc/passwd", 403),
            ("not an address", 400),
        ] {
            assert_eq!(
                module(&named, url).await.unwrap_err().status(),
                status,
                "{url}"
            );
        }
    }
}
