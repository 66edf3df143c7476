//! Who is registered on the subnet, and what they have locked.

use std::path::PathBuf;

use crate::chain::{Account, Ledger, Neuron, NeuronRole, OWNER_UID};
use crate::miners::{Cast, CastMiner, Reveal};

/// Places of the subnet; all are taken.
const NEURONS: u16 = 256;
/// Accounts that reveal nonsense; see [`super::commitments`].
pub(super) const NOISE_ACCOUNTS: [&str; 3] = ["noise null", "noise x", "noise early"];
/// One hotkey needs 100 alpha.
const REQUIRED_ALPHA: f64 = 100.0;
/// What the miner who fails the lock check has.
const TOO_LITTLE_ALPHA: f64 = 99.0;
/// From this many miners on, the last ones are no members in good standing.
const SMALLEST_CROWD: usize = 7;

/// Why the chain does not let a miner take part, though it revealed in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Registered, with enough locked.
    Good,
    /// Its coldkey has locked too little.
    TooLittleLocked,
    /// Its hotkey is not registered.
    NotRegistered,
}

/// The standing of the miner at `index` of the cast. With more than six, the last has locked too little; with more than
/// seven, the one before it is not registered.
pub(super) fn standing(cast: &Cast, index: usize) -> Standing {
    let count = cast.miners().len();
    if count >= SMALLEST_CROWD && index + 1 == count {
        Standing::TooLittleLocked
    } else if count > SMALLEST_CROWD && index + 2 == count {
        Standing::NotRegistered
    } else {
        Standing::Good
    }
}

/// The hotkeys whose submissions the collector has to accept, in the order of the cast.
pub(super) fn expected_submitters(cast: &Cast) -> Vec<String> {
    let members = cast.miners().iter().enumerate().filter(|(index, miner)| {
        standing(cast, *index) == Standing::Good
            && miner.locked_alpha >= REQUIRED_ALPHA
            && matches!(miner.reveal, Reveal::InWindow { .. })
    });
    members.map(|(_, miner)| miner.hotkey.clone()).collect()
}

/// The ledger of the subnet: the cast, the leaders, the noise, and strangers in all other places.
pub(super) fn ledger(
    seed: u64,
    cast: &Cast,
    leaders: &[String],
    file: PathBuf,
) -> anyhow::Result<Ledger> {
    let owner = Neuron {
        uid: OWNER_UID,
        hotkey: Account::derived(seed, "subnet owner hotkey"),
        coldkey: Account::derived(seed, "subnet owner coldkey"),
        role: NeuronRole::Validator,
    };
    let mut keys: Vec<(Account, Account)> = Vec::new();
    let members = cast.miners().iter().enumerate();
    let registered = members
        .clone()
        .filter(|(index, _)| standing(cast, *index) != Standing::NotRegistered);
    keys.extend(
        registered.map(|(_, miner)| (Account(miner.hotkey_bytes), Account(miner.coldkey_bytes))),
    );
    for leader in leaders {
        let hotkey: Account = leader.parse()?;
        if !keys.iter().any(|(known, _)| *known == hotkey) {
            keys.push((
                hotkey,
                Account::derived(seed, &format!("coldkey of {leader}")),
            ));
        }
    }
    keys.extend(NOISE_ACCOUNTS.iter().map(|name| {
        (
            Account::derived(seed, name),
            Account::derived(seed, &format!("coldkey of {name}")),
        )
    }));

    let mut places = (0..NEURONS).filter(|uid| *uid != OWNER_UID);
    let mut neurons = vec![owner];
    for (hotkey, coldkey) in keys {
        let Some(uid) = places.next() else { break };
        neurons.push(Neuron {
            uid,
            hotkey,
            coldkey,
            role: NeuronRole::Miner,
        });
    }
    for (index, uid) in places.enumerate() {
        // Ten strangers set weights, the others only hold their place.
        let role = if index < 10 {
            NeuronRole::Validator
        } else {
            NeuronRole::Miner
        };
        let hotkey = Account::derived(seed, &format!("stranger {uid}"));
        neurons.push(Neuron {
            uid,
            hotkey,
            coldkey: Account::derived(seed, &format!("coldkey of stranger {uid}")),
            role,
        });
    }
    neurons.sort_by_key(|neuron| neuron.uid);

    let locks = members.map(|(index, miner)| {
        (
            Account(miner.coldkey_bytes),
            locked_alpha(cast, index, miner),
        )
    });
    Ledger::open(file, owner, neurons, locks)
}

fn locked_alpha(cast: &Cast, index: usize, miner: &CastMiner) -> f64 {
    match standing(cast, index) {
        Standing::TooLittleLocked => TOO_LITTLE_ALPHA,
        Standing::Good | Standing::NotRegistered => miner.locked_alpha,
    }
}
