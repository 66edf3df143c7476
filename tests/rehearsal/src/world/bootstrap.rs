//! The first files of the state repository: those of a new competition, and what an imported one lacks.
//!
//! As set up for a real competition (collection-and-rounds.md, "Bootstrap"): round 0 open, the first schedule by hand,
//! one leader entry of weight 0.0 that becomes effective with it.

use anyhow::Context;
use chrono::{DateTime, Duration, NaiveTime, Utc};
use schema::files::{Config, LeaderEntry, Leaders, Prompts, Schedule, State};
use schema::{BlockNumber, Hotkey, RoundNumber, Stage, StateFile, paths};
use serde_json::{Map, Value};

use super::options::{AUDIT_REPEATS, PROMPTS_PER_ROUND, WorldOptions};
use crate::clock::SECONDS_PER_BLOCK;
use crate::git::Remote;
use crate::miners::Cast;
use crate::prompts::prompt_pool;

/// The newest block of a new world, in the age of the real competition.
const START_BLOCK: u32 = 7_454_960;
/// Blocks from the start of the world to the round's reveal block.
pub(super) const BLOCKS_BEFORE_REVEAL: u32 = 6;
/// How long miners could reveal before the world began: one day.
const REVEAL_WINDOW_BLOCKS: u32 = 7200;
/// Days a bootstrapped competition lasts.
const COMPETITION_DAYS: i64 = 365;
/// Where the base miner's image lies.
const BASE_IMAGES: &str = "registry.rehearsal.example/base-miner";
/// The host of generated prompts.
const PROMPT_HOST: &str = "https://prompts.rehearsal.example";

/// A file of the repository: path and bytes.
pub(super) type RepositoryFile = (String, Vec<u8>);

/// The files of a new competition, and the commit message they come with.
pub(super) fn bootstrap(
    options: &WorldOptions,
    cast: &Cast,
    now: DateTime<Utc>,
) -> (Vec<RepositoryFile>, &'static str) {
    let round = RoundNumber(0);
    let start_block = options.start_block.unwrap_or(START_BLOCK).max(1);
    let config = config(options, now);
    let latest = u64::from(start_block + BLOCKS_BEFORE_REVEAL);
    let schedule = Schedule {
        earliest_reveal_block: BlockNumber(latest.saturating_sub(u64::from(REVEAL_WINDOW_BLOCKS))),
        latest_reveal_block: BlockNumber(latest),
        generation_deadline_block: BlockNumber(
            latest + blocks_of_minutes(config.generation_stage_minutes),
        ),
    };
    let eta = now + Duration::seconds((SECONDS_PER_BLOCK * u64::from(BLOCKS_BEFORE_REVEAL)) as i64);
    let state = State {
        current_round: round,
        stage: Stage::Open,
        next_stage_eta: Some(eta),
    };
    let leader = cast.leader();
    let hotkey = Hotkey::new(&leader.hotkey);
    let docker = format!(
        "{BASE_IMAGES}/{}:{}-base-miner",
        hotkey.short(),
        commit7(&leader.commit)
    )
    .to_lowercase();
    let leaders = Leaders(vec![LeaderEntry {
        hotkey,
        repo: leader.repo.clone(),
        commit: leader.commit.as_str().into(),
        docker,
        weight: 0.0,
        effective_block: schedule.latest_reveal_block,
    }]);
    // Hand-made, so it ends like the published one.
    let mut config_bytes = config.to_bytes();
    config_bytes.push(b'\n');
    let files = vec![
        ("README.md".to_owned(), README.as_bytes().to_vec()),
        (paths::config(), config_bytes),
        (paths::state(), state.to_bytes()),
        (paths::leader(), leaders.to_bytes()),
        (
            paths::prompt_pool(),
            pool(options, config.prompts_per_round).to_bytes(),
        ),
        (paths::schedule(round), schedule.to_bytes()),
    ];
    (
        files,
        "Competition rehearsal: configuration, first schedule and base miner",
    )
}

const README: &str = "# Competition state

The public state of a rehearsed competition: every file here is written as in the real one, by the services under
rehearsal and by the people of the rehearsal world.
";

fn config(options: &WorldOptions, now: DateTime<Utc>) -> Config {
    let prompts_per_round = options.prompts_per_round.unwrap_or(PROMPTS_PER_ROUND);
    let today = now.date_naive();
    Config {
        name: "rehearsal".to_owned(),
        description: "Image to procedural Three.js model, rehearsed".to_owned(),
        first_evaluation_date: today,
        last_competition_date: today + Duration::days(COMPETITION_DAYS),
        round_start_time: NaiveTime::from_hms_opt(8, 0, 0).unwrap_or_default(),
        generation_stage_minutes: options.generation_stage_minutes,
        finalization_buffer_hours: 1.0,
        win_margin: 0.05,
        weight_decay: 0.2,
        weight_floor: 0.2,
        prompts_per_round,
        carryover_prompts: prompts_per_round / 4,
        round_duration_days: 1,
        audit_repeats: options.audit_repeats.unwrap_or(AUDIT_REPEATS),
    }
}

fn pool(options: &WorldOptions, prompts_per_round: u32) -> Prompts {
    let prompts = options
        .prompts_in_pool
        .unwrap_or(4 * prompts_per_round as usize)
        .max(prompts_per_round as usize);
    Prompts(
        prompt_pool(options.seed, prompts)
            .iter()
            .map(|stem| format!("{PROMPT_HOST}/{stem}.png"))
            .collect(),
    )
}

/// Brings an imported competition into a state that can be rehearsed, by commits of the operator. Says what it did.
pub(super) fn adapt(remote: &Remote, options: &WorldOptions) -> anyhow::Result<Vec<String>> {
    let mut notices = Vec::new();
    let path = paths::config();
    let bytes = remote
        .read(&path)?
        .with_context(|| format!("the repository has no {path}"))?;
    let mut config = Config::parse(&path, &bytes)?;
    if options.prompts_per_round.is_some() || options.audit_repeats.is_some() {
        let mut edited: Map<String, Value> =
            serde_json::from_slice(&bytes).with_context(|| format!("{path} is no JSON object"))?;
        if let Some(prompts) = options.prompts_per_round {
            edited.insert("prompts_per_round".to_owned(), prompts.into());
            edited.insert("carryover_prompts".to_owned(), (prompts / 4).into());
        }
        if let Some(repeats) = options.audit_repeats {
            edited.insert("audit_repeats".to_owned(), repeats.into());
        }
        let mut new = serde_json::to_vec_pretty(&edited)?;
        new.push(b'\n');
        config = Config::parse(&path, &new)?;
        if new != bytes {
            remote.commit(&[(path, new)], "Shorten the rounds for the rehearsal")?;
            notices.push(format!(
                "the rounds are shortened to {} prompts and {} regenerations an audit",
                config.prompts_per_round, config.audit_repeats
            ));
        }
    }
    let path = paths::prompt_pool();
    if remote.read(&path)?.is_none() {
        let pool = pool(options, config.prompts_per_round);
        remote.commit(
            &[(path, pool.to_bytes())],
            "Add a pool of prompts for the rehearsal",
        )?;
        notices.push(format!(
            "the repository has no prompts.txt; a pool of {} prompts was made for it",
            pool.len()
        ));
    }
    Ok(notices)
}

/// The first seven digits of a commit, as image tags have them.
pub(super) fn commit7(commit: &str) -> &str {
    commit.get(..7).unwrap_or(commit)
}

fn blocks_of_minutes(minutes: u32) -> u64 {
    u64::from(minutes) * 60 / SECONDS_PER_BLOCK
}
