//! What a world is set up from: the repository, and what of it the other parts need.

use std::sync::Arc;

use anyhow::Context;
use schema::files::{Leaders, Schedule, State};
use schema::{Stage, StateFile, paths};

use super::bootstrap::{self, BLOCKS_BEFORE_REVEAL};
use super::{Start, WorldOptions};
use crate::clock::{ChainStart, WorldClock};
use crate::git::Remote;
use crate::github::{Conclusion, Conclusions};
use crate::miners::Cast;

/// Blocks before the world's start that the node still knows; reveals of the first window lie there.
const KNOWN_PAST_BLOCKS: u32 = 600;

/// Opens the remote of the world, or makes it for a new one; and says what had to be added.
pub(super) fn open_remote(
    options: &WorldOptions,
    new: bool,
    cast: &Cast,
    clock: &WorldClock,
) -> anyhow::Result<(Remote, Vec<String>)> {
    let path = options.dir.join("state.git");
    let remote = match &options.start {
        // Also one whose world was killed before it was complete.
        _ if path.exists() => Remote::open(path)?,
        Start::FromDir(source) => Remote::create_from(&path, source)?,
        Start::Bootstrap => {
            let now =
                chrono::DateTime::from_timestamp_millis(clock.now_ms() as i64).unwrap_or_default();
            let (files, message) = bootstrap::bootstrap(options, cast, now);
            Remote::create_with(&path, &files, message)?
        }
    };
    // Once: what an operator changes later is theirs.
    let imported = new && matches!(options.start, Start::FromDir(_));
    let notices = if imported {
        bootstrap::adapt(&remote, options)?
    } else {
        Vec::new()
    };
    Ok((remote, notices))
}

/// Where the chain begins: a few blocks before the end of what the current round waits for.
pub(super) fn chain_start(
    remote: &Remote,
    options: &WorldOptions,
    now_ms: u64,
) -> anyhow::Result<ChainStart> {
    let state = remote
        .read(&paths::state())?
        .context("the state repository has no state.json")?;
    let state = State::parse(&paths::state(), &state)?;
    let path = paths::schedule(state.current_round);
    let schedule = remote
        .read(&path)?
        .with_context(|| format!("the state repository has no {path}"))?;
    let schedule = Schedule::parse(&path, &schedule)?;
    let (latest, deadline) = (
        schedule.latest_reveal_block.0,
        schedule.generation_deadline_block.0,
    );
    let awaited = if state.stage == Stage::Open {
        latest
    } else {
        deadline
    };
    let awaited = u32::try_from(awaited)
        .with_context(|| format!("{path} has a block number that is too large"))?;
    let block = options
        .start_block
        .unwrap_or(awaited.saturating_sub(BLOCKS_BEFORE_REVEAL))
        .max(2);
    Ok(ChainStart {
        first_block: block.saturating_sub(KNOWN_PAST_BLOCKS).max(1),
        block,
        now_ms,
    })
}

pub(super) fn leaders(remote: &Remote) -> anyhow::Result<Vec<String>> {
    let bytes = remote
        .read(&paths::leader())?
        .context("the state repository has no leader.json")?;
    let leaders = Leaders::parse(&paths::leader(), &bytes)?;
    Ok(leaders
        .latest()
        .map(|leader| leader.hotkey.to_string())
        .into_iter()
        .collect())
}

/// How each miner's image build ends. Strangers' sources are not here, so theirs fail.
pub(super) fn conclusions(options: &WorldOptions, cast: &Cast) -> Conclusions {
    let failing = options.failing_builds.clone();
    let hotkeys: Vec<String> = cast
        .miners()
        .iter()
        .map(|miner| miner.hotkey.clone())
        .collect();
    Arc::new(
        move |hotkey| match hotkeys.iter().position(|known| known == hotkey) {
            Some(index) => failing
                .iter()
                .find(|(of, _)| *of == index)
                .map_or(Conclusion::Success, |(_, conclusion)| *conclusion),
            None => Conclusion::Failure,
        },
    )
}
