//! What operators do, by `workflow::db::operator`, which keeps who did it and why.

use axum::extract::{Form, Path};
use axum::response::Redirect;
use schema::{Hotkey, RoundNumber};
use workflow::db::measurement::MatchName;
use workflow::db::operator::{self, Filter, Operator};
use workflow::db::rejudge;

use super::{DashboardError, HeaderMap, State, access, format};
use crate::dashboard::queries::steps;

#[derive(Debug, serde::Deserialize)]
pub(super) struct StepAction {
    action: String,
    reason: String,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct QueueAction {
    queue: String,
    action: String,
    reason: String,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct Reason {
    reason: String,
}

#[derive(Debug, serde::Deserialize)]
pub(super) struct ParkedRetry {
    /// `name` or `name round`, as the form offers them.
    steps: String,
    reason: String,
}

/// Retries, cancels, pauses or resumes one step.
pub(super) async fn act_on_step(
    state: State,
    headers: HeaderMap,
    Path(id): Path<i64>,
    Form(form): Form<StepAction>,
) -> Result<Redirect, DashboardError> {
    let back = format!("/steps/{id}");
    let name = access::acting_operator(&headers, &state, &back)?;
    let operator = Operator {
        name: &name,
        reason: &form.reason,
    };
    let filter = Filter {
        id: Some(id),
        ..Filter::default()
    };
    let mut connection = state.pool.acquire().await?;
    if steps::find(&mut connection, id).await?.is_none() {
        return Err(DashboardError::NotFound(format!("step {id}")));
    }
    let changed = match form.action.as_str() {
        "retry" => operator::retry(&mut connection, &filter, &operator).await?,
        "force-retry" => operator::force_retry(&mut connection, &filter, &operator).await?,
        "pause" => operator::pause(&mut connection, &filter, &operator).await?,
        "resume" => operator::resume(&mut connection, &filter, &operator).await?,
        "cancel" => operator::cancel(&mut connection, &filter, &operator).await?,
        _ => return Err(DashboardError::BadField("choose what to do with the step")),
    };
    Ok(Redirect::to(&format!(
        "{back}?did={}&steps={changed}",
        form.action
    )))
}

/// Retries every parked step of a name in a round.
pub(super) async fn retry_parked(
    state: State,
    headers: HeaderMap,
    Form(form): Form<ParkedRetry>,
) -> Result<Redirect, DashboardError> {
    let name = access::acting_operator(&headers, &state, "/parked")?;
    let operator = Operator {
        name: &name,
        reason: &form.reason,
    };
    let (step, round) = form.steps.split_once(' ').unwrap_or((&form.steps, ""));
    let filter = Filter {
        name: Some(step.to_owned()).filter(|name| !name.is_empty()),
        round: round.parse().ok(),
        ..Filter::default()
    };
    if filter.name.is_none() {
        return Err(DashboardError::BadField("choose which steps to retry"));
    }
    let mut connection = state.pool.acquire().await?;
    let changed = operator::retry(&mut connection, &filter, &operator).await?;
    Ok(Redirect::to(&format!("/parked?did=retry&steps={changed}")))
}

/// Has a match judged anew; its result so far stays public.
pub(super) async fn judge_anew(
    state: State,
    headers: HeaderMap,
    Path((round, matrix, left, right)): Path<(u32, String, String, String)>,
    Form(form): Form<Reason>,
) -> Result<Redirect, DashboardError> {
    let back = format!(
        "/rounds/{round}/matches/{}/{}/{}",
        format::encode(&matrix),
        format::encode(&left),
        format::encode(&right)
    );
    let name = access::acting_operator(&headers, &state, &back)?;
    let operator = Operator {
        name: &name,
        reason: &form.reason,
    };
    let which = MatchName {
        matrix: match matrix.as_str() {
            "matches" => "matches",
            "audits" => "audits",
            _ => return Err(DashboardError::NotFound(format!("matrix {matrix}"))),
        },
        left,
        right: Hotkey::new(right),
    };
    let mut connection = state.pool.acquire().await?;
    rejudge::judge_anew(&mut connection, RoundNumber(round), &which, &operator).await?;
    Ok(Redirect::to(&format!("{back}?did=judge-anew")))
}

/// Pauses or resumes a queue over all workers.
pub(super) async fn act_on_queue(
    state: State,
    headers: HeaderMap,
    Form(form): Form<QueueAction>,
) -> Result<Redirect, DashboardError> {
    let name = access::acting_operator(&headers, &state, "/queues")?;
    let operator = Operator {
        name: &name,
        reason: &form.reason,
    };
    let paused = match form.action.as_str() {
        "pause" => true,
        "resume" => false,
        _ => return Err(DashboardError::BadField("choose what to do with the queue")),
    };
    if form.queue.is_empty() {
        return Err(DashboardError::BadField("choose a queue"));
    }
    let mut connection = state.pool.acquire().await?;
    operator::pause_queue(&mut connection, &form.queue, paused, &operator).await?;
    Ok(Redirect::to(&format!("/queues?did={}-queue", form.action)))
}

/// What an action before this page did, from the page's query.
pub(super) fn notice(query: &str) -> Option<String> {
    let fields = || url::form_urlencoded::parse(query.as_bytes());
    let (_, action) = fields().find(|(name, _)| name == "did")?;
    let steps: u64 = fields()
        .find(|(name, _)| name == "steps")
        .and_then(|(_, steps)| steps.parse().ok())
        .unwrap_or(0);
    // Only words of ours are repeated: a link from elsewhere must not put sentences on the page.
    let (what, fits) = match action.as_ref() {
        "retry" => ("due again", "parked, failed or waiting for its next try"),
        "force-retry" => ("given to another worker", "running"),
        "pause" => ("paused", "due or waiting for its next try"),
        "resume" => ("resumed", "paused"),
        "cancel" => ("cancelled", "unfinished"),
        "pause-queue" => {
            return Some(
                "The queue is paused: nothing of it starts until it is resumed.".to_owned(),
            );
        }
        "accept-edit" => {
            return Some("The edit is accepted; git-sync carries it out at once.".to_owned());
        }
        "reject-edit" => {
            return Some("The edit is rejected; git-sync takes it back at once.".to_owned());
        }
        "judge-anew" => {
            return Some(
                "The result is set aside and stays public; the match is judged anew.".to_owned(),
            );
        }
        "resume-queue" => return Some("The queue is resumed.".to_owned()),
        _ => return None,
    };
    Some(match steps {
        0 => format!("Nothing changed: no step was {fits}."),
        1 => format!("1 step is {what}."),
        _ => format!("{steps} steps are {what}."),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_says_what_was_done_and_when_nothing_was() {
        assert_eq!(
            notice("did=retry&steps=18").as_deref(),
            Some("18 steps are due again.")
        );
        assert_eq!(
            notice("did=cancel&steps=1").as_deref(),
            Some("1 step is cancelled.")
        );
        assert_eq!(
            notice("did=resume&steps=0").as_deref(),
            Some("Nothing changed: no step was paused.")
        );
        assert_eq!(notice("state=parked"), None);
    }

    #[test]
    fn a_link_from_elsewhere_cannot_put_words_on_the_page() {
        assert_eq!(notice("did=your+account+is+closed&steps=1"), None);
    }
}
