//! Headers and hashes of the rehearsal chain: each follows from the seed and the block's number.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use parity_scale_codec::{Compact, Encode};
use sp_crypto_hashing::blake2_256;

/// A block's hash: blake2-256 of its SCALE-encoded header.
pub(crate) type Hash = [u8; 32];

/// The headers from the genesis, then from `first_block` on. In between the node knows nothing, like one that was
/// synchronised from a recent state.
#[derive(Debug)]
pub(crate) struct Headers {
    seed: u64,
    first_block: u32,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    hashes: Vec<Hash>,
    numbers: HashMap<Hash, u32>,
}

/// One block's header, as Substrate chains have it. The digest is empty: the rehearsal has no block authors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub parent_hash: Hash,
    pub number: u32,
    pub state_root: Hash,
    pub extrinsics_root: Hash,
}

impl Header {
    pub(crate) fn hash(&self) -> Hash {
        let digest_items = Compact(0_u32);
        let encoded = (
            self.parent_hash,
            Compact(self.number),
            self.state_root,
            self.extrinsics_root,
            digest_items,
        )
            .encode();
        blake2_256(&encoded)
    }
}

impl Headers {
    /// The chain of `seed` whose oldest known block is `first_block`, which must not be the genesis.
    pub(crate) fn new(seed: u64, first_block: u32) -> Self {
        Self {
            seed,
            first_block: first_block.max(1),
            known: Mutex::default(),
        }
    }

    pub(crate) fn genesis(&self) -> Header {
        self.header_after([0; 32], 0)
    }

    /// The header of a block the node knows.
    pub(crate) fn header(&self, number: u32) -> Option<Header> {
        if number == 0 {
            return Some(self.genesis());
        }
        let parent = match number.checked_sub(self.first_block)? {
            0 => self.unknown_parent(),
            _ => self.hash(number - 1)?,
        };
        Some(self.header_after(parent, number))
    }

    /// The hash of a block the node knows.
    pub(crate) fn hash(&self, number: u32) -> Option<Hash> {
        if number == 0 {
            return Some(self.genesis().hash());
        }
        let index = number.checked_sub(self.first_block)? as usize;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        while known.hashes.len() <= index {
            let next = self.first_block + known.hashes.len() as u32;
            let parent = known
                .hashes
                .last()
                .copied()
                .unwrap_or_else(|| self.unknown_parent());
            let hash = self.header_after(parent, next).hash();
            known.hashes.push(hash);
            known.numbers.insert(hash, next);
        }
        known.hashes.get(index).copied()
    }

    /// The number of a block of at most `newest` with this hash.
    pub(crate) fn number(&self, hash: &Hash, newest: u32) -> Option<u32> {
        if *hash == self.genesis().hash() {
            return Some(0);
        }
        self.hash(newest)?;
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .numbers
            .get(hash)
            .copied()
            .filter(|number| *number <= newest)
    }

    fn unknown_parent(&self) -> Hash {
        self.derive("parent", self.first_block)
    }

    fn header_after(&self, parent_hash: Hash, number: u32) -> Header {
        Header {
            parent_hash,
            number,
            state_root: self.derive("state", number),
            extrinsics_root: self.derive("extrinsics", number),
        }
    }

    fn derive(&self, what: &str, number: u32) -> Hash {
        blake2_256(&("assize rehearsal", self.seed, what, number).encode())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn hashes_depend_on_seed_and_number_alone_and_form_a_chain() {
        let chain = Headers::new(7, 1000);
        let late = chain.hash(1500).unwrap();
        let again = Headers::new(7, 1000);
        assert_eq!(again.hash(1200).unwrap(), chain.hash(1200).unwrap());
        assert_eq!(again.hash(1500).unwrap(), late);
        assert_ne!(Headers::new(8, 1000).hash(1500).unwrap(), late);

        let header = chain.header(1201).unwrap();
        assert_eq!(header.parent_hash, chain.hash(1200).unwrap());
        assert_eq!(header.hash(), chain.hash(1201).unwrap());
    }

    #[test]
    fn pruned_and_future_blocks_are_unknown_and_the_genesis_is_not() {
        let chain = Headers::new(7, 1000);
        assert!(chain.hash(999).is_none());
        assert!(chain.header(999).is_none());
        assert_eq!(chain.number(&chain.hash(0).unwrap(), 1000), Some(0));
        let future = chain.hash(1010).unwrap();
        assert_eq!(chain.number(&future, 1009), None);
        assert_eq!(chain.number(&future, 1010), Some(1010));
    }
}
