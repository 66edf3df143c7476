//! Runtime calls: what `state_call` answers.

use parity_scale_codec::{Decode, Encode};

use super::ledger::Account;
use super::neuron::NeuronInfoLite;
use super::node::Node;
use super::{NETUID, RAO_PER_ALPHA};

/// The runtime's version. Its metadata is in `data/`, see the note there.
pub(crate) const SPEC_VERSION: u32 = 365;
pub(super) const TRANSACTION_VERSION: u32 = 1;
const METADATA_VERSION: u32 = 16;

const METADATA: &[u8] = include_bytes!("../../data/subtensor-365.scale");
/// The SCALE-encoded `RuntimeVersion` constant of the same runtime.
const VERSION: &[u8] = include_bytes!("../../data/subtensor-365-version.scale");

/// Stake of every neuron, in rao. Nothing in the competition depends on it.
const STAKE_RAO: u64 = 1_000 * RAO_PER_ALPHA;

/// The runtime's answer to a lock query: `Option<LockState>`.
#[derive(Encode)]
struct LockState {
    locked_mass: u64,
    /// `U64F64` as its bits.
    conviction: u128,
    last_update: u64,
}

/// Answers one runtime call after `block`; the error is the node's message.
pub(super) fn call(
    node: &Node,
    method: &str,
    arguments: &[u8],
    block: u32,
) -> Result<Vec<u8>, String> {
    let mut input = arguments;
    match method {
        "Core_version" => Ok(VERSION.to_vec()),
        "Metadata_metadata_versions" => Ok(vec![METADATA_VERSION].encode()),
        "Metadata_metadata_at_version" => {
            let version: u32 = argument(&mut input, method)?;
            Ok((version == METADATA_VERSION).then_some(METADATA).encode())
        }
        "Metadata_metadata" => Ok(METADATA.encode()),
        "NeuronInfoRuntimeApi_get_neurons_lite" => {
            let netuid: u16 = argument(&mut input, method)?;
            let neurons = if netuid == NETUID {
                node.ledger.neurons()
            } else {
                &[]
            };
            Ok(neurons
                .iter()
                .map(|neuron| NeuronInfoLite::of(neuron, STAKE_RAO, block))
                .collect::<Vec<_>>()
                .encode())
        }
        "NeuronInfoRuntimeApi_get_neuron_lite" => {
            let (netuid, uid): (u16, u16) = argument(&mut input, method)?;
            let neuron = node
                .ledger
                .neurons()
                .iter()
                .find(|neuron| netuid == NETUID && neuron.uid == uid);
            Ok(neuron
                .map(|neuron| NeuronInfoLite::of(neuron, STAKE_RAO, block))
                .encode())
        }
        "StakeInfoRuntimeApi_get_coldkey_lock" => {
            let (coldkey, netuid): ([u8; 32], u16) = argument(&mut input, method)?;
            let locked = node
                .ledger
                .locked_rao(&Account(coldkey))
                .filter(|_| netuid == NETUID);
            let lock = locked.map(|locked_mass| LockState {
                locked_mass,
                conviction: u128::from(locked_mass) << 64,
                last_update: u64::from(block),
            });
            Ok(lock.encode())
        }
        _ => Err(format!(
            "Execution failed: Other: Exported method {method} is not found"
        )),
    }
}

fn argument<T: Decode>(input: &mut &[u8], method: &str) -> Result<T, String> {
    T::decode(input).map_err(|error| format!("Execution failed: {method}: bad input: {error}"))
}

pub(super) fn metadata() -> Vec<u8> {
    METADATA.to_vec()
}
