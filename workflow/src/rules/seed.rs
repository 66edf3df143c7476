//! The round's seed, from the chain instead of from an operator.
//!
//! The seed decides which prompts a round has, so whoever draws it could draw again until it pleases. Here it is a function
//! of things nobody chooses after submissions are closed: the hash of the round's `latest_reveal_block`, the round's number
//! and the competition's name. Anyone recomputes it with ordinary tools:
//!
//! ```text
//! printf 'assize seed v1\n0x%s\n%s\n%s' "$BLOCK_HASH" "$ROUND" "$COMPETITION" | sha256sum | cut -c1-8
//! ```
//!
//! where `BLOCK_HASH` is 64 lower-case hexadecimal digits, `ROUND` the plain number and `COMPETITION` the `name` of
//! `config.json`. The eight digits are the seed in hexadecimal. No newline follows the name, which stands last so that no
//! name can be mistaken for another pair of round and name.
//!
//! What remains possible: the author of that one block can try a few hashes before publishing it. It cannot see the
//! submissions revealed in the same block as anything but what all of the chain sees.
//!
//! Source: collection-and-rounds, weakness W12; the file is the `seed.json` of section 2.1.

use schema::{BlockNumber, RoundNumber};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The first line of what is hashed: a later derivation gets another one.
const DOMAIN: &str = "assize seed v1";

/// A seed with what it was derived from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeedProof {
    /// The seed, as in `seed.json`.
    pub seed: u32,
    /// Name and version of the derivation.
    pub derivation: String,
    /// The block whose hash was used: the round's `latest_reveal_block`.
    pub block_number: BlockNumber,
    /// Its hash: `0x` and 64 lower-case hexadecimal digits.
    pub block_hash: String,
    /// The round.
    pub round: RoundNumber,
    /// `name` in `config.json`.
    pub competition: String,
}

impl SeedProof {
    /// Derives the round's seed.
    pub fn derive(
        block_number: BlockNumber,
        block_hash: [u8; 32],
        round: RoundNumber,
        competition: &str,
    ) -> Self {
        Self {
            seed: derive_seed(block_hash, round, competition),
            derivation: DOMAIN.to_owned(),
            block_number,
            block_hash: format!("0x{}", hex::encode(block_hash)),
            round,
            competition: competition.to_owned(),
        }
    }

    /// A seed that another service published without saying where it is from. It never [holds](Self::holds).
    pub fn unpublished(
        seed: u32,
        block_number: BlockNumber,
        round: RoundNumber,
        competition: &str,
    ) -> Self {
        Self {
            seed,
            derivation: "not published".to_owned(),
            block_number,
            block_hash: String::new(),
            round,
            competition: competition.to_owned(),
        }
    }

    /// Whether the seed follows from what the proof states. That the hash is the chain's is for the caller to check.
    pub fn holds(&self) -> bool {
        let mut hash = [0; 32];
        let digits = self.block_hash.strip_prefix("0x").unwrap_or_default();
        self.derivation == DOMAIN
            && hex::decode_to_slice(digits, &mut hash).is_ok()
            && derive_seed(hash, self.round, &self.competition) == self.seed
    }
}

/// The seed of a round: the first four bytes, big-endian, of the SHA-256 described above.
pub fn derive_seed(block_hash: [u8; 32], round: RoundNumber, competition: &str) -> u32 {
    let text = format!(
        "{DOMAIN}\n0x{}\n{round}\n{competition}",
        hex::encode(block_hash)
    );
    let digest = Sha256::digest(text.as_bytes());
    let mut first = [0; 4];
    first.copy_from_slice(&digest[..4]);
    u32::from_be_bytes(first)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn proof() -> SeedProof {
        SeedProof::derive(BlockNumber(7454966), [0xab; 32], RoundNumber(3), "mesh")
    }

    /// The expected digits come from the command in the module's documentation.
    #[test]
    fn the_seed_is_what_an_auditor_recomputes_with_sha256sum() {
        assert_eq!(
            format!("{:08x}", derive_seed([0xab; 32], RoundNumber(3), "mesh")),
            "6144feb8"
        );
        assert_eq!(
            format!("{:08x}", derive_seed([0; 32], RoundNumber(0), "")),
            "0c7e5b15"
        );
    }

    #[test]
    fn a_seed_without_a_published_derivation_does_not_hold() {
        let round = RoundNumber(3);
        let seed = derive_seed([0; 32], round, "mesh");
        assert!(!SeedProof::unpublished(seed, BlockNumber(7454966), round, "mesh").holds());
    }

    #[test]
    fn block_round_and_competition_each_change_the_seed() {
        let seeds = HashSet::from([
            derive_seed([1; 32], RoundNumber(1), "mesh"),
            derive_seed([2; 32], RoundNumber(1), "mesh"),
            derive_seed([1; 32], RoundNumber(2), "mesh"),
            derive_seed([1; 32], RoundNumber(1), "meshes"),
            derive_seed([1; 32], RoundNumber(1), "1\nmesh"),
        ]);
        assert_eq!(seeds.len(), 5);
    }

    #[test]
    fn a_proof_holds_until_anything_in_it_is_changed() {
        let proof = proof();
        assert!(proof.holds());
        assert!(
            !SeedProof {
                seed: proof.seed ^ 1,
                ..proof.clone()
            }
            .holds()
        );
        assert!(
            !SeedProof {
                round: RoundNumber(4),
                ..proof.clone()
            }
            .holds()
        );
        assert!(
            !SeedProof {
                competition: "mash".into(),
                ..proof.clone()
            }
            .holds()
        );
        assert!(
            !SeedProof {
                derivation: "assize seed v2".into(),
                ..proof.clone()
            }
            .holds()
        );
        assert!(
            !SeedProof {
                block_hash: "0xabab".into(),
                ..proof
            }
            .holds()
        );
    }
}
