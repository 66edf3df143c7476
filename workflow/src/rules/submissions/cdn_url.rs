//! The one spelling of a miner's CDN address.
//!
//! Whether the address may be fetched from is not decided here: private hosts are the fetcher's business, at the moment
//! it resolves them.

use url::Url;

/// The longest address accepted, in characters.
const MAX_CHARACTERS: usize = 2083;

/// Why a text is no CDN address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CdnUrlError {
    /// It cannot be read as an absolute address with a host.
    #[error("it is not an absolute URL ({0})")]
    Unreadable(#[from] url::ParseError),
    /// It is neither http nor https.
    #[error("its scheme is {0}, expected http or https")]
    Scheme(String),
    /// It is longer than 2083 characters.
    #[error("it has {0} characters, the limit is 2083")]
    TooLong(usize),
}

/// Checks and normalises an address: trailing slashes and surrounding blanks removed, scheme and host in lower case,
/// international hosts in punycode, the scheme's own port removed, blanks in the path encoded, an empty path written `/`.
///
/// # Errors
///
/// [`CdnUrlError`] if it is too long, has no host, or is neither http nor https.
///
/// # Source
///
/// collection-and-rounds, section 4.3, steps 5 and 7.
pub fn normalize_cdn_url(text: &str) -> Result<String, CdnUrlError> {
    let text = text.trim_end_matches('/');
    let characters = text.chars().count();
    if characters > MAX_CHARACTERS {
        return Err(CdnUrlError::TooLong(characters));
    }
    let url = Url::parse(text)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(CdnUrlError::Scheme(url.scheme().chars().take(20).collect()));
    }
    Ok(url.into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn addresses_have_one_spelling() {
        for (text, expected) in [
            ("https://x.y", "https://x.y/"),
            ("https://x.y///", "https://x.y/"),
            ("https://x.y/a/b///", "https://x.y/a/b"),
            ("https://X.Y/AbC", "https://x.y/AbC"),
            ("https://x.y:443/a", "https://x.y/a"),
            ("HTTP://x.y:80/a", "http://x.y/a"),
            ("https://x.y:8443/a", "https://x.y:8443/a"),
            ("  https://x.y/a b  ", "https://x.y/a%20b"),
            (
                "https://bücher.example/a",
                "https://xn--bcher-kva.example/a",
            ),
            (
                "https://user:word@x.y/a?q=1#f",
                "https://user:word@x.y/a?q=1#f",
            ),
            ("http://127.0.0.1:9/a", "http://127.0.0.1:9/a"),
            ("http://[::1]/a", "http://[::1]/a"),
        ] {
            assert_eq!(normalize_cdn_url(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn other_schemes_missing_hosts_and_endless_addresses_are_refused() {
        for text in [
            "ftp://x.y",
            "x.y/a",
            "",
            "///",
            "https://",
            "http:///",
            "javascript:alert(1)",
            "file:///etc/passwd",
        ] {
            assert!(normalize_cdn_url(text).is_err(), "{text} was accepted");
        }
        let longest = format!("https://x.y/{}", "a".repeat(MAX_CHARACTERS - 12));
        assert_eq!(normalize_cdn_url(&longest), Ok(longest.clone()));
        assert_eq!(
            normalize_cdn_url(&format!("{longest}a")),
            Err(CdnUrlError::TooLong(2084))
        );
    }
}
