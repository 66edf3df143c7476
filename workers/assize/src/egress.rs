//! Egress: where a request of ours may go, and by which road.
//!
//! Miners name the addresses their files are fetched from, and what is fetched ends up in a public bucket. Without a
//! rule, a miner could name a host inside our network and read its answer there. So an address from a miner must be
//! plain `http(s)`, without credentials, query or fragment, on a usual port, and every name is resolved by [`Egress`]
//! itself: only public addresses are kept, and the connection is made to exactly those (collection and rounds, W3).
//! Redirects are never followed, on any road.
//!
//! A rehearsal has no outside. Its host map sends `https://HOST/path` to `http://127.0.0.1:PORT/hosts/HOST/path`, after
//! the same rules were checked, so that the code under rehearsal is the code of a live round.

mod address;
mod host_map;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, ClientBuilder, Method, RequestBuilder};
use url::{Host, Url};

pub use address::is_public;
use host_map::HostMap;
pub use host_map::HostMapError;

/// How long a connection may take to be made. Deadlines of whole requests are set by each client.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Ports below this belong to system services (mail, names, remote login); of those, only 80 and 443 are fetched from.
const FIRST_ORDINARY_PORT: u16 = 1024;

/// How many addresses of one name are tried.
const MAX_ADDRESSES: usize = 8;

const USER_AGENT: &str = concat!("assize/", env!("CARGO_PKG_VERSION"));

/// The two roads out: to addresses miners gave, and to services the operator configured. Cheap to clone.
#[derive(Clone)]
pub struct Egress {
    public: Client,
    service: Client,
    hosts: Arc<HostMap>,
}

/// Why an egress could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// A line of the host map has no meaning.
    #[error(transparent)]
    HostMap(#[from] HostMapError),

    /// The HTTP client could not be made, usually because the machine has no root certificates.
    #[error(
        "cannot set up the HTTP client (are root certificates installed, package ca-certificates?)"
    )]
    Client(#[source] reqwest::Error),
}

/// Why an address that a miner gave is not fetched from. Always the fault of who gave it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// Not an absolute URL with a host.
    #[error("not a URL with a host")]
    NotAUrl,
    /// Neither `http` nor `https`.
    #[error("scheme {scheme} is not fetched, only http and https")]
    Scheme {
        /// The scheme found.
        scheme: String,
    },
    /// A user name or password stands in the URL.
    #[error("URLs with credentials are not fetched")]
    Credentials,
    /// A query stands in the URL.
    #[error("URLs with a query are not fetched")]
    Query,
    /// A fragment stands in the URL.
    #[error("URLs with a fragment are not fetched")]
    Fragment,
    /// A port of a system service.
    #[error("port {port} is not fetched from, only 80, 443 and ports from 1024")]
    Port {
        /// The port found.
        port: u16,
    },
    /// The host is, or resolves only to, addresses outside the public internet.
    #[error("host {host} has no public address")]
    Address {
        /// The host found.
        host: String,
    },
}

impl PolicyError {
    /// A short class name for failure reasons that are published.
    pub fn class(&self) -> &'static str {
        match self {
            Self::NotAUrl => "InvalidURL",
            Self::Scheme { .. } => "UnsupportedProtocol",
            Self::Credentials | Self::Query | Self::Fragment | Self::Port { .. } => "URLNotAllowed",
            Self::Address { .. } => "AddressNotAllowed",
        }
    }
}

/// A GET to an address from a miner, and whether the host map answers it.
pub struct MinerRequest {
    /// The request, without a deadline: the caller sets one.
    pub request: RequestBuilder,
    /// Whether a rehearsal host answers instead of the public internet. A connection refused there is ours.
    pub mapped: bool,
}

/// Turns a name into addresses. The real one asks the system; tests answer themselves.
#[async_trait]
pub trait Lookup: Send + Sync + 'static {
    /// All addresses of `host`.
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

impl Egress {
    /// An egress with the system's name resolution.
    ///
    /// `hosts` pairs a URL prefix such as `https://subnet404.xyz`, or `*` for every host, with the base URL of the
    /// rehearsal host that answers for it; the first pair that fits is used. Empty in a live round.
    ///
    /// # Errors
    ///
    /// [`EgressError`] if a prefix is no URL, or the HTTP client cannot be made.
    pub fn new(hosts: &[(String, Url)]) -> Result<Self, EgressError> {
        Self::with_lookup(hosts, Arc::new(SystemLookup))
    }

    /// As [`Egress::new`], with another name resolution.
    ///
    /// # Errors
    ///
    /// As [`Egress::new`].
    pub fn with_lookup(
        hosts: &[(String, Url)],
        lookup: Arc<dyn Lookup>,
    ) -> Result<Self, EgressError> {
        let public = builder().dns_resolver(Arc::new(PublicOnly { lookup }));
        Ok(Self {
            public: public.build().map_err(EgressError::Client)?,
            service: builder().build().map_err(EgressError::Client)?,
            hosts: Arc::new(HostMap::new(hosts)?),
        })
    }

    /// A GET to an address that a miner gave.
    ///
    /// # Errors
    ///
    /// [`PolicyError`] if the address breaks a rule that can be seen before its name is resolved. A name that resolves
    /// to no public address fails when the request is sent; [`refused_address`] finds that in the error.
    pub fn get_for_miner(&self, url: &Url) -> Result<MinerRequest, PolicyError> {
        check_miner_url(url)?;
        Ok(match self.hosts.rewrite(url) {
            Some(mapped) => MinerRequest {
                request: self.service.get(mapped),
                mapped: true,
            },
            None => MinerRequest {
                request: self.public.get(url.clone()),
                mapped: false,
            },
        })
    }

    /// A request to an address that the operator or a trusted service gave, by the host map where it fits.
    pub fn request(&self, method: Method, url: &Url) -> RequestBuilder {
        let target = self.rewrite(url);
        self.service.request(method, target)
    }

    /// Where a request to `url` really goes: a rehearsal host, or `url` itself.
    pub fn rewrite(&self, url: &Url) -> Url {
        self.hosts.rewrite(url).unwrap_or_else(|| url.clone())
    }
}

impl std::fmt::Debug for Egress {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Egress")
            .field("hosts", &self.hosts)
            .finish_non_exhaustive()
    }
}

/// The policy error inside the error of a request whose name had no public address, if that is why it failed.
pub fn refused_address(error: &reqwest::Error) -> Option<PolicyError> {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(refused) = cause.downcast_ref::<PolicyError>() {
            return Some(refused.clone());
        }
        source = cause.source();
    }
    None
}

fn builder() -> ClientBuilder {
    Client::builder()
        .user_agent(USER_AGENT)
        .redirect(reqwest::redirect::Policy::none())
        // A proxy would resolve names itself and so undo the address rule, and would be asked for loopback too.
        .no_proxy()
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
}

fn check_miner_url(url: &Url) -> Result<(), PolicyError> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err(PolicyError::Scheme {
            scheme: url.scheme().to_owned(),
        });
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(PolicyError::Credentials);
    }
    if url.query().is_some() {
        return Err(PolicyError::Query);
    }
    if url.fragment().is_some() {
        return Err(PolicyError::Fragment);
    }
    if let Some(port) = url.port().filter(|port| !usual_port(*port)) {
        return Err(PolicyError::Port { port });
    }
    let literal = match url.host().ok_or(PolicyError::NotAUrl)? {
        Host::Domain(_) => return Ok(()),
        Host::Ipv4(address) => IpAddr::V4(address),
        Host::Ipv6(address) => IpAddr::V6(address),
    };
    if is_public(literal) {
        Ok(())
    } else {
        Err(PolicyError::Address {
            host: literal.to_string(),
        })
    }
}

fn usual_port(port: u16) -> bool {
    matches!(port, 80 | 443) || port >= FIRST_ORDINARY_PORT
}

/// The name resolution of the road to miners. The connector dials what this returns and asks nobody else, so the
/// address that was checked is the address that is used.
struct PublicOnly {
    lookup: Arc<dyn Lookup>,
}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let lookup = Arc::clone(&self.lookup);
        Box::pin(async move {
            let host = name.as_str();
            let public: Vec<SocketAddr> = lookup
                .lookup(host)
                .await?
                .into_iter()
                .filter(|address| is_public(*address))
                .take(MAX_ADDRESSES)
                .map(|address| SocketAddr::new(address, 0))
                .collect();
            if public.is_empty() {
                return Err(PolicyError::Address {
                    host: host.to_owned(),
                }
                .into());
            }
            let addresses: Addrs = Box::new(public.into_iter());
            Ok(addresses)
        })
    }
}

struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn lookup(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let addresses = tokio::net::lookup_host((host, 0)).await?;
        Ok(addresses.map(|address| address.ip()).collect())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::Router;
    use axum::http::Uri;

    use super::*;
    use crate::clients::testing::{serve, url};

    /// Answers every name with the same addresses and counts the questions.
    struct FixedLookup {
        addresses: Vec<IpAddr>,
        asked: AtomicUsize,
    }

    fn fixed(addresses: &[&str]) -> Arc<FixedLookup> {
        Arc::new(FixedLookup {
            addresses: addresses
                .iter()
                .map(|address| address.parse().unwrap())
                .collect(),
            asked: AtomicUsize::new(0),
        })
    }

    #[async_trait]
    impl Lookup for FixedLookup {
        async fn lookup(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            Ok(self.addresses.clone())
        }
    }

    fn refusal(text: &str) -> PolicyError {
        let egress = Egress::new(&[]).unwrap();
        egress.get_for_miner(&url(text)).err().unwrap()
    }

    #[test]
    fn an_address_with_credentials_a_query_a_fragment_or_a_system_port_is_refused() {
        assert_eq!(
            refusal("https://user@cdn.example/a"),
            PolicyError::Credentials
        );
        assert_eq!(
            refusal("https://:word@cdn.example/a"),
            PolicyError::Credentials
        );
        assert_eq!(refusal("https://cdn.example/a?x=1"), PolicyError::Query);
        assert_eq!(refusal("https://cdn.example/a?"), PolicyError::Query);
        assert_eq!(refusal("https://cdn.example/a#x"), PolicyError::Fragment);
        assert_eq!(
            refusal("http://cdn.example:25/a"),
            PolicyError::Port { port: 25 }
        );
        assert_eq!(
            refusal("ftp://cdn.example/a"),
            PolicyError::Scheme {
                scheme: "ftp".to_owned()
            }
        );
        assert_eq!(refusal("file:///etc/passwd").class(), "UnsupportedProtocol");
    }

    #[test]
    fn a_literal_address_inside_is_refused_however_it_is_written() {
        for text in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://[::1]/",
            "http://[::ffff:10.0.0.1]/",
            "http://169.254.169.254/latest",
        ] {
            assert!(
                matches!(refusal(text), PolicyError::Address { .. }),
                "{text} was accepted"
            );
        }
    }

    #[test]
    fn ordinary_addresses_of_miners_pass() {
        let egress = Egress::new(&[]).unwrap();
        for text in [
            "https://cdn.example/a/b.js",
            "http://cdn.example:8080/a",
            "https://8.8.8.8/x",
        ] {
            assert!(
                egress.get_for_miner(&url(text)).is_ok(),
                "{text} was refused"
            );
        }
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_an_inside_address_is_never_connected_to() {
        let inside = serve(Router::new().fallback(|| async { "secret" })).await;
        let lookup = fixed(&["127.0.0.1", "10.0.0.8", "::1"]);
        let egress = Egress::with_lookup(&[], lookup.clone()).unwrap();

        let target = url(&format!(
            "http://rebind.example:{}/a.js",
            inside.port().unwrap()
        ));
        let error = egress
            .get_for_miner(&target)
            .unwrap()
            .request
            .send()
            .await
            .unwrap_err();

        assert_eq!(
            refused_address(&error),
            Some(PolicyError::Address {
                host: "rebind.example".to_owned()
            })
        );
        assert_eq!(lookup.asked.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn the_host_map_answers_for_the_outside_and_keeps_host_and_path() {
        let world = serve(Router::new().fallback(|uri: Uri| async move { uri.to_string() })).await;
        let egress = Egress::new(&[("*".to_owned(), world)]).unwrap();

        let target = url("https://CDN.example:8443/a/b%20c.js");
        let request = egress.get_for_miner(&target).unwrap();

        assert!(request.mapped);
        let text = request.request.send().await.unwrap().text().await.unwrap();
        assert_eq!(text, "/hosts/cdn.example:8443/a/b%20c.js");
    }

    #[tokio::test]
    async fn a_rehearsal_keeps_the_rules_of_a_live_round() {
        let world = url("http://127.0.0.1:9");
        let egress = Egress::new(&[("*".to_owned(), world)]).unwrap();

        let refused = egress
            .get_for_miner(&url("https://127.0.0.1/a"))
            .err()
            .unwrap();

        assert_eq!(refused.class(), "AddressNotAllowed");
    }

    #[tokio::test]
    async fn redirects_are_not_followed() {
        let router =
            Router::new().fallback(|| async { axum::response::Redirect::to("/elsewhere") });
        let world = serve(router).await;
        let egress = Egress::new(&[("*".to_owned(), world)]).unwrap();

        let request = egress
            .get_for_miner(&url("https://cdn.example/a"))
            .unwrap()
            .request;

        assert_eq!(request.send().await.unwrap().status(), 303);
    }
}
