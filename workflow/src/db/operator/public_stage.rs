//! `state.json` when a paused round goes on: it says again in which stage the round is.
//!
//! PAUSED is written there by `PAUSE_ON_STAGE_END` or by a person. Whoever lets the round go on in another way than by editing
//! the file must not leave it saying that the competition stands still: miners and validators read nothing else.

use schema::{RoundNumber, Stage, StateFile as _, files::State, messages, paths};
use sqlx::PgConnection;

use crate::{
    db::{conflict, state_file},
    engine::{MirrorChange, Publication},
};

/// What takes PAUSED out of `state.json`, if the file is about one of these rounds, which go on. A person's PAUSED is not
/// protected any longer: what waited for it is made now.
pub(super) async fn after_resuming(
    conn: &mut PgConnection,
    rounds: &[i32],
) -> sqlx::Result<Option<Publication>> {
    let path = paths::state();
    let Some(content) = state_file::read(conn, &path).await? else {
        return Ok(None);
    };
    // One that cannot be read is for people to repair.
    let Ok(state) = State::parse(&path, &content) else {
        return Ok(None);
    };
    let round = state.current_round;
    if !rounds.contains(&(round.0 as i32)) {
        return Ok(None);
    }
    let unsettled = conflict::unsettled(conn).await?;
    let is_theirs = |edit: &conflict::ConflictRow| edit.path == path && edit.owner == "people";
    if unsettled.iter().any(is_theirs) {
        conflict::withdraw(conn, &path).await?;
        conflict::wake_mirror(conn, "").await?;
    }
    if state.stage != Stage::Paused {
        return Ok(None);
    }
    let Some(stage) = stage_of(conn, round).await? else {
        return Ok(None);
    };
    let goes_on = State { stage, ..state };
    Ok(Some(Publication {
        message: messages::update_state(stage, false, false, round),
        changes: vec![MirrorChange::Put {
            path,
            content: goes_on.to_bytes(),
        }],
        urgent: true,
    }))
}

/// Where the round is. One that has not begun is going to open.
async fn stage_of(conn: &mut PgConnection, round: RoundNumber) -> sqlx::Result<Option<Stage>> {
    let stage: Option<String> = sqlx::query_scalar("SELECT stage FROM round WHERE round = $1")
        .bind(round.0 as i32)
        .fetch_optional(conn)
        .await?;
    Ok(match stage {
        None => Some(Stage::Open),
        Some(stage) => stage.parse().ok(),
    })
}
