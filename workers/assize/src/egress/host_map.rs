//! The host map of a rehearsal: which local address answers for which outside host.

use url::Url;

/// Pairs of a URL prefix and who answers for it, in the order they are tried.
#[derive(Debug)]
pub struct HostMap {
    routes: Vec<Route>,
}

#[derive(Debug)]
struct Route {
    prefix: Prefix,
    base: Url,
}

#[derive(Debug)]
enum Prefix {
    Every,
    Url(Url),
}

/// A line of the host map that has no meaning.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("host map entry {entry:?}: {problem}")]
pub struct HostMapError {
    /// The entry as it was given.
    pub entry: String,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl HostMap {
    /// Reads the pairs.
    ///
    /// # Errors
    ///
    /// [`HostMapError`] if a prefix is neither `*` nor a URL with a host, or a base is not an `http` URL with a host.
    pub fn new(pairs: &[(String, Url)]) -> Result<Self, HostMapError> {
        let routes = pairs.iter().map(|(prefix, base)| Route::new(prefix, base));
        Ok(Self {
            routes: routes.collect::<Result<_, _>>()?,
        })
    }

    /// `https://HOST/path` as `{base}/hosts/HOST/path`, or `None` when no pair fits. A port that is not the scheme's
    /// own stays with the host; a query stays with the path.
    pub fn rewrite(&self, url: &Url) -> Option<Url> {
        let route = self.routes.iter().find(|route| route.prefix.fits(url))?;
        let host = url.host_str()?;
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let base = route.base.path().trim_end_matches('/');
        let mut target = route.base.clone();
        target.set_path(&format!("{base}/hosts/{authority}{}", url.path()));
        target.set_query(url.query());
        Some(target)
    }
}

impl Route {
    fn new(prefix: &str, base: &Url) -> Result<Self, HostMapError> {
        let refused = |problem| HostMapError {
            entry: prefix.to_owned(),
            problem,
        };
        if base.cannot_be_a_base() || base.host().is_none() {
            return Err(refused(
                "the address that answers must be a URL such as http://127.0.0.1:9000",
            ));
        }
        let base = base.clone();
        if prefix == "*" {
            return Ok(Self {
                prefix: Prefix::Every,
                base,
            });
        }
        match Url::parse(prefix) {
            Ok(url) if url.host().is_some() => Ok(Self {
                prefix: Prefix::Url(url),
                base,
            }),
            _ => Err(refused("expected * or a URL such as https://subnet404.xyz")),
        }
    }
}

impl Prefix {
    fn fits(&self, url: &Url) -> bool {
        match self {
            // Services of this machine answer for themselves; only what lies outside needs somebody to answer for it.
            Self::Every => url.host().is_some_and(|host| !is_loopback(&host)),
            Self::Url(prefix) => {
                prefix.scheme() == url.scheme()
                    && prefix.host() == url.host()
                    && prefix.port() == url.port()
                    && starts_with_segments(url.path(), prefix.path())
            }
        }
    }
}

fn is_loopback(host: &url::Host<&str>) -> bool {
    match host {
        url::Host::Ipv4(address) => address.is_loopback(),
        url::Host::Ipv6(address) => address.is_loopback(),
        url::Host::Domain(name) => *name == "localhost",
    }
}

/// Whether `path` lies at or below `prefix`, by whole segments.
fn starts_with_segments(path: &str, prefix: &str) -> bool {
    let prefix = prefix.trim_end_matches('/');
    match path.strip_prefix(prefix) {
        Some(rest) => rest.is_empty() || rest.starts_with('/'),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::clients::testing::url;

    fn map(prefix: &str) -> HostMap {
        HostMap::new(&[(prefix.to_owned(), url("http://127.0.0.1:9000/"))]).unwrap()
    }

    fn rewritten(prefix: &str, text: &str) -> Option<String> {
        map(prefix).rewrite(&url(text)).map(String::from)
    }

    #[test]
    fn a_prefix_fits_its_host_and_the_paths_below_it_only() {
        let to = |path: &str| Some(format!("http://127.0.0.1:9000/hosts/{path}"));
        assert_eq!(
            rewritten("https://a.example", "https://a.example/x?y=1"),
            to("a.example/x?y=1")
        );
        assert_eq!(
            rewritten("https://a.example/in", "https://a.example/in/x"),
            to("a.example/in/x")
        );
        assert_eq!(
            rewritten("https://a.example/in", "https://a.example/inside"),
            None
        );
        assert_eq!(
            rewritten("https://a.example", "https://a.example.evil/x"),
            None
        );
        assert_eq!(rewritten("https://a.example", "http://a.example/x"), None);
        assert_eq!(
            rewritten("https://a.example", "https://a.example:444/x"),
            None
        );
    }

    #[test]
    fn the_first_pair_that_fits_answers() {
        let map = HostMap::new(&[
            ("https://a.example".to_owned(), url("http://127.0.0.1:1")),
            ("*".to_owned(), url("http://127.0.0.1:2")),
        ])
        .unwrap();
        assert_eq!(
            map.rewrite(&url("https://a.example/")).unwrap().port(),
            Some(1)
        );
        assert_eq!(
            map.rewrite(&url("https://b.example/")).unwrap().port(),
            Some(2)
        );
    }

    #[test]
    fn an_entry_without_meaning_is_named() {
        let error =
            HostMap::new(&[("a.example".to_owned(), url("http://127.0.0.1:1"))]).unwrap_err();
        assert_eq!(error.entry, "a.example");
        assert!(HostMap::new(&[("*".to_owned(), url("mailto:x@y"))]).is_err());
    }
}
