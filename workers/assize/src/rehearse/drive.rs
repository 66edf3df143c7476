//! Plays the rounds: lets the chain's clock run ahead when the round waits for a block, and shows how far it is.

use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use schema::{RoundNumber, Stage, StateFile as _, files::State, paths};

use super::{RehearseArgs, Summary, parts::Parts, progress::Progress};

/// How often the round is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// A rehearsal in which nothing ends for this long is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(600);

/// Plays until the remote shows the end of the last round.
pub(super) async fn play(args: &RehearseArgs, parts: &Parts) -> anyhow::Result<Summary> {
    let started = Instant::now();
    let last = parts.first_round + args.rounds - 1;
    let mut progress = Progress::new(args, parts);
    let mut ended_jobs = 0;
    let mut moved = Instant::now();
    loop {
        let seen = progress.look(&parts.pool).await?;
        if seen.ended_jobs != ended_jobs {
            (ended_jobs, moved) = (seen.ended_jobs, Instant::now());
        }
        if let Some(parked) = seen.parked.first() {
            bail!(
                "the round waits for a parked step, {}: {}; see {}",
                parked.0,
                parked.1,
                parts.dashboard_url
            );
        }
        if moved.elapsed() > STUCK_AFTER {
            bail!(
                "nothing has ended for {} s; see {}",
                STUCK_AFTER.as_secs(),
                parts.dashboard_url
            );
        }
        if over(&seen, last) && mirrored(parts, last).await? {
            break;
        }
        // Nobody in a rehearsal waits for blocks to pass: the chain jumps to the one the round waits for.
        if let Some(block) = seen.awaited_block
            && (seen.current_round <= last)
        {
            let block = u32::try_from(block)
                .context("the round waits for a block that no chain will reach")?;
            if block > parts.world.chain().current() {
                parts.world.chain().advance_to(block)?;
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    progress.finish();
    Summary::read(args, parts, RoundNumber(last), started.elapsed()).await
}

fn over(seen: &super::progress::Seen, last: u32) -> bool {
    seen.finished_round.is_some_and(|round| round >= last) && seen.outbox == 0
}

/// Whether the remote, not our clone, shows the end of the round.
async fn mirrored(parts: &Parts, last: u32) -> anyhow::Result<bool> {
    let remote = parts.world.remote().clone();
    let state = tokio::task::spawn_blocking(move || remote.read(&paths::state())).await??;
    let state = State::parse(
        &paths::state(),
        &state.context("the remote has lost its state.json")?,
    )?;
    Ok(match state.stage {
        Stage::Open => state.current_round.0 > last,
        Stage::Finished => state.current_round.0 >= last,
        _ => false,
    })
}
