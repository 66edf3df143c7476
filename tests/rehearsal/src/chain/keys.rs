//! Storage keys: two hashed names, then the hashed map keys.

use sp_crypto_hashing::{blake2_128, twox_64, twox_128};

pub(crate) fn prefix(pallet: &str, entry: &str) -> Vec<u8> {
    [twox_128(pallet.as_bytes()), twox_128(entry.as_bytes())].concat()
}

/// Appends a map key under the hasher `Identity`.
pub(crate) fn identity(mut key: Vec<u8>, part: &[u8]) -> Vec<u8> {
    key.extend_from_slice(part);
    key
}

/// Appends a map key under the hasher `Twox64Concat`.
pub(crate) fn twox_64_concat(mut key: Vec<u8>, part: &[u8]) -> Vec<u8> {
    key.extend_from_slice(&twox_64(part));
    key.extend_from_slice(part);
    key
}

/// Appends a map key under the hasher `Blake2_128Concat`.
pub(crate) fn blake2_128_concat(mut key: Vec<u8>, part: &[u8]) -> Vec<u8> {
    key.extend_from_slice(&blake2_128(part));
    key.extend_from_slice(part);
    key
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::chain::Account;

    #[test]
    fn keys_are_those_of_the_real_chain() {
        assert_eq!(
            hex::encode(prefix("System", "Number")),
            "26aa394eea5630e07c48ae0c9558cef702a5c1b19ab7a04f536c519aca4983ac"
        );
        let subnet = identity(
            prefix("Commitments", "RevealedCommitments"),
            &17_u16.to_le_bytes(),
        );
        assert_eq!(
            hex::encode(&subnet),
            "ca407206ec1ab726b2636c4b145ac2879055a2cffd4b296f38f2de8d9b333cab1100"
        );
        let account: Account = "5GgpGaDxzTyBAME1Ju9ZhUstWj2VTm1n4tAUkRHLi4birQZg"
            .parse()
            .unwrap();
        let key = twox_64_concat(subnet.clone(), &account.0);
        assert_eq!(
            hex::encode(key.strip_prefix(subnet.as_slice()).unwrap()),
            "2f8e07f1a62f164fcc7b5a8593078d9e973752a387e158a7564d1419afaa146bcb684bff3fcd8862"
        );
    }
}
