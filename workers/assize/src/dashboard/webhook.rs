//! Who may say that the repository has moved: whoever knows the secret, proven as GitHub does.

use axum::http::HeaderMap;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

/// GitHub's header: `sha256=` and the HMAC of the body, hexadecimal.
const SIGNATURE: &str = "x-hub-signature-256";
/// Bytes that SHA-256 takes in at a time.
const BLOCK: usize = 64;

/// Whether the request carries the HMAC-SHA-256 of its body under `secret`.
pub(super) fn is_signed(secret: &SecretString, headers: &HeaderMap, body: &[u8]) -> bool {
    let given = headers
        .get(SIGNATURE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("sha256="))
        .and_then(|given| hex::decode(given).ok());
    let Some(given) = given else { return false };
    // Digests are compared: how long that takes says nothing about the right signature.
    let expected = hmac(secret.expose_secret().as_bytes(), body);
    Sha256::digest(given) == Sha256::digest(expected)
}

/// The signature of `body`, hexadecimal.
#[cfg(test)]
pub(super) fn signature(secret: &[u8], body: &[u8]) -> String {
    hex::encode(hmac(secret, body))
}

/// HMAC-SHA-256 (RFC 2104).
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0_u8; BLOCK];
    if key.len() > BLOCK {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let pad = |byte: u8| block.map(|key| key ^ byte);
    let inner = Sha256::new()
        .chain_update(pad(0x36))
        .chain_update(message)
        .finalize();
    Sha256::new()
        .chain_update(pad(0x5c))
        .chain_update(inner)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// RFC 4231, test cases 2 and 6.
    #[test]
    fn the_code_is_the_one_of_the_standard() {
        assert_eq!(
            hex::encode(hmac(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            hex::encode(hmac(
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First"
            )),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    #[test]
    fn only_the_signature_of_this_body_under_this_secret_counts() {
        let secret = SecretString::from("s");
        let signed = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(SIGNATURE, value.parse().unwrap());
            is_signed(&secret, &headers, b"body")
        };
        assert!(signed(&format!(
            "sha256={}",
            hex::encode(hmac(b"s", b"body"))
        )));
        for wrong in [
            format!("sha256={}", hex::encode(hmac(b"t", b"body"))),
            format!("sha256={}", hex::encode(hmac(b"s", b"other"))),
            hex::encode(hmac(b"s", b"body")),
            "sha256=".to_owned(),
            "sha256=zz".to_owned(),
        ] {
            assert!(!signed(&wrong), "{wrong}");
        }
        assert!(!is_signed(&secret, &HeaderMap::new(), b"body"));
    }
}
