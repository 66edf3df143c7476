//! `NeuronInfoLite`, the answer of the runtime's neuron query, field by field as the metadata has it.

use parity_scale_codec::Encode;

use super::NETUID;
use super::ledger::{Neuron, NeuronRole};

#[derive(Encode)]
pub(super) struct NeuronInfoLite {
    hotkey: [u8; 32],
    coldkey: [u8; 32],
    #[codec(compact)]
    uid: u16,
    #[codec(compact)]
    netuid: u16,
    active: bool,
    axon_info: AxonInfo,
    prometheus_info: PrometheusInfo,
    stake: Vec<([u8; 32], parity_scale_codec::Compact<u64>)>,
    #[codec(compact)]
    rank: u16,
    #[codec(compact)]
    emission: u64,
    #[codec(compact)]
    incentive: u16,
    #[codec(compact)]
    consensus: u16,
    #[codec(compact)]
    trust: u16,
    #[codec(compact)]
    validator_trust: u16,
    #[codec(compact)]
    dividends: u16,
    #[codec(compact)]
    last_update: u64,
    validator_permit: bool,
    #[codec(compact)]
    pruning_score: u16,
}

#[derive(Encode, Default)]
struct AxonInfo {
    block: u64,
    version: u32,
    ip: u128,
    port: u16,
    ip_type: u8,
    protocol: u8,
    placeholder1: u8,
    placeholder2: u8,
}

#[derive(Encode, Default)]
struct PrometheusInfo {
    block: u64,
    version: u32,
    ip: u128,
    port: u16,
    ip_type: u8,
}

impl NeuronInfoLite {
    pub(super) fn of(neuron: &Neuron, stake_rao: u64, block: u32) -> Self {
        let validator = neuron.role == NeuronRole::Validator;
        Self {
            hotkey: neuron.hotkey.0,
            coldkey: neuron.coldkey.0,
            uid: neuron.uid,
            netuid: NETUID,
            active: true,
            axon_info: AxonInfo::default(),
            prometheus_info: PrometheusInfo::default(),
            stake: vec![(neuron.coldkey.0, stake_rao.into())],
            rank: 0,
            emission: 0,
            incentive: 0,
            consensus: 0,
            trust: 0,
            validator_trust: if validator { u16::MAX } else { 0 },
            dividends: 0,
            last_update: u64::from(block.saturating_sub(u32::from(neuron.uid) % 100)),
            validator_permit: validator,
            pruning_score: u16::MAX,
        }
    }
}
