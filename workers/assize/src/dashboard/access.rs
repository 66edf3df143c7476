//! Who may act.
//!
//! An action changes what miners are paid for, so three things are asked of it:
//!
//! - **It comes from our own pages.** Another site that an operator has open could post forms to this one. Browsers say
//!   where a request comes from (`Sec-Fetch-Site`, else `Origin`); one that does not say so is refused. The cookie is
//!   `SameSite=Strict` besides.
//! - **Somebody gave a name, and the token where one is set.** The name goes into the record with the reason.
//! - **Without a token, the dashboard is asked for by IP address or as localhost.** A site whose name was pointed at our
//!   loopback address (DNS rebinding) counts as the same origin, but it cannot be an IP address.

use axum::http::{HeaderMap, Uri, header};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

use super::DashboardState;
use super::error::DashboardError;

/// Holds the operator's name and the proof that it came with the token.
const COOKIE: &str = "assize_operator";

/// The longest name of an operator, in letters.
const LONGEST_NAME: usize = 64;

/// Who is signed in, if anybody.
pub(super) fn operator(headers: &HeaderMap, state: &DashboardState) -> Option<String> {
    let cookies = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    let value = cookies
        .flat_map(|cookies| cookies.split(';'))
        .find_map(|cookie| cookie.trim().strip_prefix(COOKIE)?.strip_prefix('='))?;
    let (name, proof) = value.split_once('.')?;
    let name = String::from_utf8(hex::decode(name).ok()?).ok()?;
    (hex::decode(proof).ok()? == prove(&name, state.token.as_ref())).then_some(name)
}

/// The operator who takes an action, after every check.
///
/// - `back`: the page that they come back to after signing in.
pub(super) fn acting_operator(
    headers: &HeaderMap,
    state: &DashboardState,
    back: &str,
) -> Result<String, DashboardError> {
    check_origin(headers, state)?;
    operator(headers, state).ok_or_else(|| DashboardError::SignedOut {
        back: back.to_owned(),
    })
}

/// Refuses requests that other sites could have made.
pub(super) fn check_origin(
    headers: &HeaderMap,
    state: &DashboardState,
) -> Result<(), DashboardError> {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let host = text(header::HOST).ok_or(DashboardError::ForeignOrigin)?;
    let is_own = match headers
        .get("sec-fetch-site")
        .and_then(|value| value.to_str().ok())
    {
        Some(site) => site == "same-origin",
        None => text(header::ORIGIN)
            .and_then(|origin| origin.parse::<Uri>().ok())
            .and_then(|origin| {
                origin
                    .authority()
                    .map(|authority| authority.as_str() == host)
            })
            .unwrap_or(false),
    };
    if !is_own {
        return Err(DashboardError::ForeignOrigin);
    }
    if state.token.is_none() && !is_address_or_localhost(host) {
        return Err(DashboardError::NameNeedsToken);
    }
    Ok(())
}

/// The `Set-Cookie` value that signs `name` in, if `token` is the right one.
pub(super) fn sign_in(
    name: &str,
    token: &str,
    state: &DashboardState,
) -> Result<String, DashboardError> {
    let name = name.trim();
    let is_name = !name.is_empty()
        && name.chars().count() <= LONGEST_NAME
        && !name.chars().any(char::is_control);
    if !is_name {
        return Err(DashboardError::BadField("a name has 1 to 64 letters"));
    }
    if let Some(expected) = &state.token {
        // Digests are compared: how long that takes says nothing about the token.
        let digest = |token: &str| Sha256::digest(token.as_bytes());
        if digest(token) != digest(expected.expose_secret()) {
            return Err(DashboardError::BadField("this is not the token"));
        }
    }
    let proof = hex::encode(prove(name, state.token.as_ref()));
    let name = hex::encode(name);
    Ok(format!(
        "{COOKIE}={name}.{proof}; Path=/; HttpOnly; SameSite=Strict; Max-Age=2592000"
    ))
}

/// The `Set-Cookie` value that signs out.
pub(super) fn sign_out() -> String {
    format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0")
}

/// What only somebody who knows the token can say about `name`. The digest is taken twice, so that it cannot be extended
/// to a longer name.
fn prove(name: &str, token: Option<&SecretString>) -> Vec<u8> {
    let token = token.map_or("", |token| token.expose_secret());
    let inner = Sha256::new()
        .chain_update("assize dashboard operator\0")
        .chain_update(token)
        .chain_update("\0")
        .chain_update(name)
        .finalize();
    Sha256::new()
        .chain_update(token)
        .chain_update(inner)
        .finalize()
        .to_vec()
}

fn is_address_or_localhost(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn state(token: Option<&str>) -> DashboardState {
        let pool = sqlx::PgPool::connect_lazy("postgres://nobody@localhost/none").unwrap();
        DashboardState {
            token: token.map(SecretString::from),
            ..DashboardState::new(pool)
        }
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    fn signed_in(cookie: &str) -> HeaderMap {
        headers(&[("cookie", cookie.split(';').next().unwrap())])
    }

    #[tokio::test]
    async fn a_name_signs_in_with_the_right_token_only() {
        let state = state(Some("open sesame"));
        assert!(sign_in("Ada", "open says me", &state).is_err());
        let cookie = sign_in(" Ada ", "open sesame", &state).unwrap();
        assert_eq!(
            operator(&signed_in(&cookie), &state).as_deref(),
            Some("Ada")
        );
    }

    #[tokio::test]
    async fn a_cookie_of_another_token_or_another_name_signs_nobody_in() {
        let before = state(Some("old"));
        let cookie = sign_in("Ada", "old", &before).unwrap();
        assert_eq!(operator(&signed_in(&cookie), &state(Some("new"))), None);
        assert_eq!(operator(&signed_in(&cookie), &state(None)), None);
        let forged = cookie.replace(&hex::encode("Ada"), &hex::encode("Bob"));
        assert_eq!(operator(&signed_in(&forged), &before), None);
    }

    #[tokio::test]
    async fn only_requests_of_the_dashboards_own_pages_act() {
        let state = state(Some("t"));
        let check = |pairs| check_origin(&headers(pairs), &state).is_ok();
        assert!(check(&[
            ("host", "a.example"),
            ("sec-fetch-site", "same-origin")
        ]));
        assert!(check(&[
            ("host", "a.example:80"),
            ("origin", "http://a.example:80")
        ]));
        assert!(!check(&[
            ("host", "a.example"),
            ("sec-fetch-site", "same-site")
        ]));
        assert!(!check(&[
            ("host", "a.example"),
            ("sec-fetch-site", "cross-site"),
            ("origin", "http://a.example")
        ]));
        assert!(!check(&[
            ("host", "a.example"),
            ("origin", "http://b.example")
        ]));
        assert!(!check(&[("host", "a.example"), ("origin", "null")]));
        assert!(!check(&[("host", "a.example")]));
    }

    #[tokio::test]
    async fn without_a_token_a_name_that_was_pointed_at_us_cannot_act() {
        let state = state(None);
        let check = |host| {
            check_origin(
                &headers(&[("host", host), ("sec-fetch-site", "same-origin")]),
                &state,
            )
            .is_ok()
        };
        assert!(check("127.0.0.1:8080"));
        assert!(check("localhost:8080"));
        assert!(check("[::1]:8080"));
        assert!(!check("rebound.example:8080"));
    }

    #[tokio::test]
    async fn a_name_must_be_one() {
        let state = state(None);
        assert!(sign_in("  ", "", &state).is_err());
        assert!(sign_in("a\nb", "", &state).is_err());
        assert!(sign_in(&"a".repeat(65), "", &state).is_err());
    }
}
