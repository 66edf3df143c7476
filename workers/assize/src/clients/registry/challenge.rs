//! How a registry asks for a token: `WWW-Authenticate: Bearer realm="…",service="…",scope="…"`.

use url::Url;

/// Where a token is fetched from, with everything the registry wants to be told there.
///
/// None when `header` asks for something else than a bearer token, or when the place is not as safe as the registry's own:
/// a registry that is asked by HTTPS must not send us to plain HTTP.
pub(super) fn token_url(header: &str, registry: &Url) -> Option<Url> {
    let (scheme, mut rest) = header.trim_start().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let (mut realm, mut told) = (None, Vec::new());
    while let Some((name, value, after)) = parameter(rest) {
        match name {
            "realm" => realm = Some(value),
            "service" | "scope" => told.push((name, value)),
            _ => {}
        }
        rest = after;
    }
    let mut url = Url::parse(realm?).ok()?;
    if !matches!(url.scheme(), "https" | "http")
        || (registry.scheme() == "https" && url.scheme() != "https")
        || !url.username().is_empty()
        || url.password().is_some()
    {
        return None;
    }
    url.query_pairs_mut().extend_pairs(told);
    Some(url)
}

/// The next `name=value` or `name="value"`, and what follows it.
fn parameter(text: &str) -> Option<(&str, &str, &str)> {
    let (name, rest) = text.trim_start_matches([' ', ',', '\t']).split_once('=')?;
    let name = name.trim();
    match rest.strip_prefix('"') {
        Some(quoted) => {
            let (value, after) = quoted.split_once('"')?;
            Some((name, value, after))
        }
        None => {
            let (value, after) = rest.split_once(',').unwrap_or((rest, ""));
            Some((name, value.trim(), after))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn asked_at(header: &str, registry: &str) -> Option<String> {
        token_url(header, &Url::parse(registry).unwrap()).map(String::from)
    }

    #[test]
    fn the_challenge_of_a_real_registry_says_where_to_get_a_token() {
        let header = r#"Bearer realm="https://europe-west3-docker.pkg.dev/v2/token",service="europe-west3-docker.pkg.dev",scope="repository:a/b/c:pull""#;
        assert_eq!(
            asked_at(header, "https://europe-west3-docker.pkg.dev").as_deref(),
            Some(
                "https://europe-west3-docker.pkg.dev/v2/token?service=europe-west3-docker.pkg.dev&scope=repository%3Aa%2Fb%2Fc%3Apull"
            )
        );
        let loose = r#"bearer error=invalid_token, realm="http://127.0.0.1:1/t?x=1" , scope="repository:a:pull,push""#;
        assert_eq!(
            asked_at(loose, "http://127.0.0.1:1").as_deref(),
            Some("http://127.0.0.1:1/t?x=1&scope=repository%3Aa%3Apull%2Cpush")
        );
    }

    #[test]
    fn no_other_challenge_is_followed() {
        for header in [
            "",
            "Bearer",
            "Bearer scope=\"x\"",
            "Bearer realm=\"never ends",
            "Basic realm=\"https://host.example\"",
            "Bearer realm=\"file:///etc/passwd\"",
            "Bearer realm=\"http://host.example/t\"",
            "Bearer realm=\"https://user:word@host.example/t\"",
        ] {
            assert_eq!(asked_at(header, "https://host.example"), None, "{header}");
        }
    }
}
