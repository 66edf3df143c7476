//! What the chain knows about the subnet: its neurons, their owners, what they locked and what they revealed.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use anyhow::Context;
use parity_scale_codec::{Compact, Encode};
use serde::{Deserialize, Serialize};
use sp_crypto_hashing::blake2_256;
use subxt::utils::AccountId32;

use super::keys::{blake2_128_concat, identity, prefix, twox_64_concat};
use super::{NETUID, RAO_PER_ALPHA};
use crate::files::{read_json, write_json};

/// Reveals the chain keeps of one hotkey: the newest.
const REVEALS_KEPT: usize = 10;

/// An account of the chain: 32 bytes, written as an SS58 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Account(pub [u8; 32]);

impl Account {
    /// The account that belongs to `name` in the world of `seed`. Nobody holds its key.
    pub fn derived(seed: u64, name: &str) -> Self {
        Self(blake2_256(
            &("assize rehearsal account", seed, name).encode(),
        ))
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        AccountId32(self.0).fmt(f)
    }
}

impl FromStr for Account {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let account = AccountId32::from_str(text)
            .map_err(|error| anyhow::anyhow!("`{text}` is no SS58 address: {error}"))?;
        Ok(Self(account.0))
    }
}

/// What a registered key does on the subnet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NeuronRole {
    /// Takes part, or could.
    Miner,
    /// Sets weights.
    Validator,
}

/// One registered key of the subnet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Neuron {
    /// Its place in the subnet.
    pub uid: u16,
    /// The registered key.
    pub hotkey: Account,
    /// The owner's key; several hotkeys may share one.
    pub coldkey: Account,
    /// What it does.
    pub role: NeuronRole,
}

/// One revealed commitment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reveal {
    /// The round it is meant for. The chain does not know it.
    pub round: u32,
    /// Who revealed, as an SS58 address.
    pub hotkey: String,
    /// The block that holds it.
    pub block: u32,
    /// The revealed bytes, in hex; see [`payload_bytes`].
    pub payload: String,
}

/// The bytes a commitment of `text` reveals: its SCALE encoding, a compact length before the text.
pub fn payload_bytes(text: &str) -> Vec<u8> {
    text.as_bytes().encode()
}

/// The state of the subnet.
#[derive(Debug)]
pub struct Ledger {
    owner: Neuron,
    neurons: Vec<Neuron>,
    locks: BTreeMap<Account, u64>,
    file: PathBuf,
    reveals: Mutex<Vec<Reveal>>,
}

impl Ledger {
    /// A ledger with these `neurons`, of which `owner` owns the subnet, and locks in alpha by coldkey. Reveals are kept
    /// in `file`, which may exist.
    pub(crate) fn open(
        file: PathBuf,
        owner: Neuron,
        neurons: Vec<Neuron>,
        locked_alpha: impl IntoIterator<Item = (Account, f64)>,
    ) -> anyhow::Result<Self> {
        let reveals = read_json(&file)?.unwrap_or_default();
        let rao = |alpha: f64| (alpha * RAO_PER_ALPHA as f64).round() as u64;
        let locks = locked_alpha
            .into_iter()
            .map(|(coldkey, alpha)| (coldkey, rao(alpha)))
            .collect();
        Ok(Self {
            owner,
            neurons,
            locks,
            file,
            reveals: Mutex::new(reveals),
        })
    }

    /// All registered keys, by UID.
    pub fn neurons(&self) -> &[Neuron] {
        &self.neurons
    }

    /// What a coldkey has locked on the subnet, in rao.
    pub fn locked_rao(&self, coldkey: &Account) -> Option<u64> {
        self.locks.get(coldkey).copied()
    }

    /// Everything that was or will be revealed, in no particular order.
    pub fn reveals(&self) -> Vec<Reveal> {
        self.reveals
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Adds reveals and keeps them. Reveals of blocks that have passed rewrite history; do not add such.
    ///
    /// # Errors
    ///
    /// When a hotkey is no address, a payload is no hex, or they cannot be written down; nothing is added then.
    pub fn add_reveals(&self, new: Vec<Reveal>) -> anyhow::Result<()> {
        for reveal in &new {
            reveal.hotkey.parse::<Account>()?;
            hex::decode(&reveal.payload).context("the payload of a reveal is no hex")?;
        }
        let mut reveals = self.reveals.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = reveals.clone();
        all.extend(new);
        write_json(&self.file, &all)?;
        *reveals = all;
        Ok(())
    }

    /// The whole storage of the chain after `block`, by key.
    pub(super) fn storage_at(&self, block: u32, timestamp_ms: u64) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let netuid = NETUID.to_le_bytes();
        let subnet = |entry: &str| identity(prefix("SubtensorModule", entry), &netuid);
        let mut storage = BTreeMap::from([
            (prefix("System", "Number"), block.encode()),
            (
                prefix("System", "LastRuntimeUpgrade"),
                (Compact(super::runtime::SPEC_VERSION), "node-subtensor").encode(),
            ),
            (prefix("Timestamp", "Now"), timestamp_ms.encode()),
            (subnet("NetworksAdded"), true.encode()),
            (subnet("SubnetworkN"), (self.neurons.len() as u16).encode()),
            (subnet("SubnetOwner"), self.owner.coldkey.0.encode()),
            (subnet("SubnetOwnerHotkey"), self.owner.hotkey.0.encode()),
        ]);
        for neuron in &self.neurons {
            storage.insert(
                blake2_128_concat(subnet("Uids"), &neuron.hotkey.0),
                neuron.uid.encode(),
            );
            storage.insert(
                identity(subnet("Keys"), &neuron.uid.to_le_bytes()),
                neuron.hotkey.0.encode(),
            );
            let owner = blake2_128_concat(prefix("SubtensorModule", "Owner"), &neuron.hotkey.0);
            storage.insert(owner, neuron.coldkey.0.encode());
            let member = blake2_128_concat(
                prefix("SubtensorModule", "IsNetworkMember"),
                &neuron.hotkey.0,
            );
            storage.insert(identity(member, &netuid), true.encode());
        }
        for (hotkey, reveals) in self.revealed_by(block) {
            let key = twox_64_concat(
                identity(prefix("Commitments", "RevealedCommitments"), &netuid),
                &hotkey.0,
            );
            storage.insert(key, reveals.encode());
        }
        storage
    }

    /// The reveals the chain holds after `block`: of each hotkey the newest ten, oldest first.
    fn revealed_by(&self, block: u32) -> BTreeMap<Account, Vec<(Vec<u8>, u64)>> {
        let mut by_hotkey: BTreeMap<Account, Vec<(Vec<u8>, u64)>> = BTreeMap::new();
        for reveal in self.reveals() {
            let (Ok(hotkey), Ok(payload)) = (reveal.hotkey.parse(), hex::decode(&reveal.payload))
            else {
                continue;
            };
            if reveal.block <= block {
                by_hotkey
                    .entry(hotkey)
                    .or_default()
                    .push((payload, u64::from(reveal.block)));
            }
        }
        for reveals in by_hotkey.values_mut() {
            reveals.sort_by_key(|(_, block)| *block);
            let old = reveals.len().saturating_sub(REVEALS_KEPT);
            reveals.drain(..old);
        }
        by_hotkey
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn ledger(file: PathBuf) -> Ledger {
        let owner = Neuron {
            uid: 0,
            hotkey: Account::derived(1, "owner"),
            coldkey: Account::derived(1, "owner cold"),
            role: NeuronRole::Validator,
        };
        Ledger::open(file, owner, vec![owner], [(owner.coldkey, 100.0)]).unwrap()
    }

    fn reveal(block: u32) -> Reveal {
        let hotkey = Account::derived(1, "miner").to_string();
        Reveal {
            round: 0,
            hotkey,
            block,
            payload: hex::encode(payload_bytes(&format!("{{\"block\": {block}}}"))),
        }
    }

    #[test]
    fn a_reveal_is_there_from_its_block_on_and_only_the_newest_ten_stay() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("reveals.json");
        let ledger = ledger(file.clone());
        ledger
            .add_reveals((1..=12).rev().map(|number| reveal(number * 10)).collect())
            .unwrap();

        let blocks = |ledger: &Ledger, at: u32| -> Vec<u64> {
            ledger
                .revealed_by(at)
                .into_values()
                .flatten()
                .map(|(_, block)| block)
                .collect()
        };
        assert_eq!(blocks(&ledger, 9), [0_u64; 0]);
        assert_eq!(blocks(&ledger, 29), [10, 20]);
        assert_eq!(
            blocks(&ledger, 120),
            [30, 40, 50, 60, 70, 80, 90, 100, 110, 120]
        );

        let reopened = super::tests::ledger(file);
        assert_eq!(blocks(&reopened, 29), [10, 20]);
    }

    #[test]
    fn payloads_carry_the_compact_length_of_the_specification() {
        assert_eq!(payload_bytes("14 characters.")[0], 0x38);
        assert_eq!(payload_bytes(&"x".repeat(150))[..2], [0x59, 0x02]);
    }

    #[test]
    fn addresses_are_ss58_of_prefix_42() {
        let text = "5GgpGaDxzTyBAME1Ju9ZhUstWj2VTm1n4tAUkRHLi4birQZg";
        assert_eq!(text.parse::<Account>().unwrap().to_string(), text);
        assert!(
            "5GgpGaDxzTyBAME1Ju9ZhUstWj2VTm1n4tAUkRHLi4birQZh"
                .parse::<Account>()
                .is_err()
        );
    }
}
