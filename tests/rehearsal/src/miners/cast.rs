//! Who takes part, and what each delivers.

use std::sync::Arc;

use subxt::utils::AccountId32;

use super::{Behaviour, CastGenerator, InvalidKind, Reveal, hostile};
use crate::scenes::{self, Random, Scene};

/// The skill of the leader that the challengers of a first round meet.
const LEADER_SKILL: f64 = 0.45;
/// What a dishonest miner's image is really capable of.
const DISHONEST_SKILL: f64 = 0.3;
/// How far an unsteady miner's skill strays; too little for a judge to prefer one repeat over another.
const UNSTEADINESS: f64 = 0.01;
/// What every coldkey has locked, in alpha; enough for many hotkeys.
const LOCKED_ALPHA: f64 = 1000.0;

/// One miner of a rehearsal.
#[derive(Debug, Clone, PartialEq)]
pub struct CastMiner {
    /// A name for people, for example `miner-00-good`.
    pub name: String,
    /// The hotkey's public key.
    pub hotkey_bytes: [u8; 32],
    /// The hotkey as SS58, prefix 42.
    pub hotkey: String,
    /// The coldkey's public key.
    pub coldkey_bytes: [u8; 32],
    /// The coldkey as SS58, prefix 42.
    pub coldkey: String,
    /// What the coldkey has locked, in alpha.
    pub locked_alpha: f64,
    /// `owner/name`.
    pub repo: String,
    /// 40 lower-case hexadecimal digits.
    pub commit: String,
    /// How close the modules of its image come to the reference, `0.0..=1.0`.
    pub skill: f64,
    /// What it does with that skill.
    pub behaviour: Behaviour,
    /// When its submission is revealed.
    pub reveal: Reveal,
}

/// The leader that the first round's challengers meet.
#[derive(Debug, Clone, PartialEq)]
pub struct CastLeader {
    /// The hotkey as SS58, prefix 42.
    pub hotkey: String,
    /// `owner/name`.
    pub repo: String,
    /// 40 lower-case hexadecimal digits.
    pub commit: String,
    /// As [`CastMiner::skill`].
    pub skill: f64,
}

/// The miners of a rehearsal and the leader they challenge.
#[derive(Debug, Clone, PartialEq)]
pub struct Cast {
    world_seed: u64,
    miners: Vec<CastMiner>,
    leader: CastLeader,
}

impl Cast {
    /// The cast of `count` miners that follows from the world's seed. With six or more, each kind of
    /// [`super`]'s table is there; with fewer, the first of them.
    pub fn new(world_seed: u64, count: usize) -> Self {
        let miners = (0..count)
            .map(|index| CastMiner::new(world_seed, index))
            .collect();
        let mut random = Random::of("cast leader", &[&world_seed.to_be_bytes()]);
        let mut key = [0; 32];
        random.fill(&mut key);
        let leader = CastLeader {
            hotkey: ss58(key),
            repo: "rehearsal-miners/previous-leader".to_owned(),
            commit: commit(&mut random),
            skill: LEADER_SKILL,
        };
        Self {
            world_seed,
            miners,
            leader,
        }
    }

    /// All miners, in a fixed order.
    pub fn miners(&self) -> &[CastMiner] {
        &self.miners
    }

    /// The leader of the first round.
    pub fn leader(&self) -> &CastLeader {
        &self.leader
    }

    /// The miner with this hotkey.
    pub fn miner(&self, hotkey: &str) -> Option<&CastMiner> {
        self.miners.iter().find(|miner| miner.hotkey == hotkey)
    }

    /// The miner with this repository.
    pub fn miner_of_repo(&self, repo: &str) -> Option<&CastMiner> {
        self.miners.iter().find(|miner| miner.repo == repo)
    }

    /// Who must win the first round: the accepted, honest miner of the highest skill if it beats the leader's.
    /// `None` where the leader must defend, for example without miners.
    pub fn expected_winner(&self) -> Option<&CastMiner> {
        let honest = self.miners.iter().filter(|miner| {
            matches!(
                miner.behaviour,
                Behaviour::Good | Behaviour::Mediocre | Behaviour::Unsteady
            ) && miner.skill > self.leader.skill
        });
        honest.max_by(|a, b| a.skill.total_cmp(&b.skill))
    }

    /// What the miner's server has for a prompt; `None` is a 404. Late miners' files are there.
    pub fn submitted_module(&self, hotkey: &str, stem: &str) -> Option<String> {
        let miner = self.miner(hotkey)?;
        match miner.behaviour {
            Behaviour::Dishonest => Some(self.imitation(stem, 1.0, &miner.hotkey)),
            _ => self.made_module(miner, stem, 0).ok(),
        }
    }

    /// What the miner's image makes of a prompt, the `repeat`-th time it is asked (from 0).
    ///
    /// # Errors
    ///
    /// The reason why it makes none, for an unknown hotkey too.
    pub fn regenerated_module(
        &self,
        hotkey: &str,
        stem: &str,
        repeat: u64,
    ) -> Result<String, String> {
        let miner = self
            .miner(hotkey)
            .ok_or_else(|| format!("no miner {hotkey} in this world"))?;
        self.made_module(miner, stem, repeat)
    }

    /// What the image of the previous leader makes of a prompt.
    pub fn leader_module(&self, stem: &str) -> String {
        self.imitation(stem, self.leader.skill, &self.leader.hotkey)
    }

    /// A generator for the pod that runs this miner's image.
    pub fn generator(self: &Arc<Self>, hotkey: &str) -> Option<CastGenerator> {
        self.miner(hotkey)
            .map(|miner| CastGenerator::of_miner(Arc::clone(self), miner.hotkey.clone()))
    }

    /// A generator for the pod that runs the previous leader's image, whoever that is.
    pub fn leader_generator(self: &Arc<Self>) -> CastGenerator {
        CastGenerator::of_leader(Arc::clone(self))
    }

    /// Whether this miner's behaviour shows on this prompt: the file is missing, the module broken or endless.
    pub fn misbehaves_on(&self, miner: &CastMiner, stem: &str) -> bool {
        let one_in = match miner.behaviour {
            Behaviour::MissingFiles | Behaviour::InvalidModule => 2,
            Behaviour::EndlessLoop => 3,
            _ => return false,
        };
        self.dice(miner, stem).next_u64().is_multiple_of(one_in)
    }

    fn made_module(&self, miner: &CastMiner, stem: &str, repeat: u64) -> Result<String, String> {
        let misbehaves = self.misbehaves_on(miner, stem);
        match miner.behaviour {
            Behaviour::MissingFiles if misbehaves => {
                Err("the model gave up on this prompt".to_owned())
            }
            Behaviour::InvalidModule if misbehaves => {
                let mut dice = self.dice(miner, stem);
                dice.next_u64();
                Ok(hostile::invalid_module(*dice.pick(&InvalidKind::ALL)))
            }
            Behaviour::EndlessLoop if misbehaves => Ok(hostile::endless_module()),
            Behaviour::Dishonest => Ok(self.imitation(stem, DISHONEST_SKILL, &miner.hotkey)),
            Behaviour::Unsteady => {
                let mut mood = self.dice(miner, &format!("{stem} {repeat}"));
                let skill = miner.skill + mood.between(-UNSTEADINESS, UNSTEADINESS);
                Ok(self.imitation(stem, skill, &miner.hotkey))
            }
            Behaviour::PaintedText => {
                let scene = Scene::of(self.world_seed, stem);
                let copy =
                    scenes::imitate(&scene, miner.skill, self.noise_seed(stem, &miner.hotkey));
                Ok(scenes::module_text_with_painted_text(&copy))
            }
            _ => Ok(self.imitation(stem, miner.skill, &miner.hotkey)),
        }
    }

    fn imitation(&self, stem: &str, skill: f64, hotkey: &str) -> String {
        let scene = Scene::of(self.world_seed, stem);
        scenes::module_source(&scene, skill, self.noise_seed(stem, hotkey))
    }

    fn noise_seed(&self, stem: &str, hotkey: &str) -> u64 {
        Random::of(
            "cast mistakes",
            &[
                &self.world_seed.to_be_bytes(),
                stem.as_bytes(),
                hotkey.as_bytes(),
            ],
        )
        .next_u64()
    }

    fn dice(&self, miner: &CastMiner, stem: &str) -> Random {
        Random::of(
            "cast misbehaves",
            &[
                &self.world_seed.to_be_bytes(),
                miner.hotkey.as_bytes(),
                stem.as_bytes(),
            ],
        )
    }
}

impl CastMiner {
    fn new(world_seed: u64, index: usize) -> Self {
        let mut random = Random::of(
            "cast miner",
            &[&world_seed.to_be_bytes(), &(index as u64).to_be_bytes()],
        );
        let (mut hotkey_bytes, mut coldkey_bytes) = ([0; 32], [0; 32]);
        random.fill(&mut hotkey_bytes);
        random.fill(&mut coldkey_bytes);
        let (behaviour, skill) = role(index, &mut random);
        let word = word(behaviour);
        let reveal = match behaviour {
            Behaviour::Late => Reveal::AfterWindow {
                blocks: u64::from(random.count(1, 20)),
            },
            _ => Reveal::InWindow {
                share: random.unit(),
            },
        };
        Self {
            name: format!("miner-{index:02}-{word}"),
            hotkey: ss58(hotkey_bytes),
            hotkey_bytes,
            coldkey: ss58(coldkey_bytes),
            coldkey_bytes,
            locked_alpha: LOCKED_ALPHA,
            repo: format!("rehearsal-miners/{word}-{index:02}"),
            commit: commit(&mut random),
            skill,
            behaviour,
            reveal,
        }
    }
}

/// The behaviour and skill of the `index`-th miner.
fn role(index: usize, random: &mut Random) -> (Behaviour, f64) {
    match index {
        0 => (Behaviour::Good, 0.9),
        1 => (Behaviour::Dishonest, DISHONEST_SKILL),
        2 => (Behaviour::MissingFiles, 0.65),
        3 => (Behaviour::InvalidModule, 0.6),
        4 => (Behaviour::EndlessLoop, 0.55),
        5 => (Behaviour::Late, 0.97),
        _ => match index % 4 {
            2 => (Behaviour::Mediocre, random.between(0.35, 0.65)),
            3 => (Behaviour::Unsteady, random.between(0.5, 0.7)),
            0 => (Behaviour::PaintedText, random.between(0.2, 0.35)),
            _ => (Behaviour::Mediocre, random.between(0.1, 0.4)),
        },
    }
}

fn word(behaviour: Behaviour) -> &'static str {
    match behaviour {
        Behaviour::Good => "good",
        Behaviour::Mediocre => "mediocre",
        Behaviour::Unsteady => "unsteady",
        Behaviour::MissingFiles => "missing-files",
        Behaviour::InvalidModule => "invalid-module",
        Behaviour::EndlessLoop => "endless-loop",
        Behaviour::Dishonest => "dishonest",
        Behaviour::Late => "late",
        Behaviour::PaintedText => "painted-text",
    }
}

/// The address format of the chain: SS58 with prefix 42 and a checksum.
fn ss58(key: [u8; 32]) -> String {
    AccountId32(key).to_string()
}

fn commit(random: &mut Random) -> String {
    let mut bytes = [0; 20];
    random.fill(&mut bytes);
    hex::encode(bytes)
}
