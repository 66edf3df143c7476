//! Reconciler `tournament`: from submissions to a champion.
//!
//! Looks at what is measured, folds it, starts what the fold lacks (matches, audits, regenerations), cancels what it no longer
//! needs, and publishes what is new. It sleeps until one of them ends or somebody edits a source audit. A crash, a repeat or a
//! changed verdict needs no handling of its own.

mod plan;
mod publish;

use async_trait::async_trait;
use schema::{Hotkey, RoundNumber, Side, files::Submission};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;

use crate::{
    db::{self, records::Record, tournament::Standing},
    engine::{Decision, Reconciler},
    round::{entry::Prompt, judging::Judging},
    rules::{regeneration::Budget, tournament},
};

use plan::Plan;
use publish::publish;

/// The tournament of a round.
pub struct Tournament;

/// What it is about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TournamentInput {
    /// Round.
    pub round: RoundNumber,
    /// `win_margin` in force.
    pub win_margin: f64,
    /// `audit_repeats` in force.
    pub audit_repeats: u32,
    /// In the order of `submissions.json`.
    pub submissions: Vec<(Hotkey, Submission)>,
    /// The round's prompts.
    pub prompts: Vec<Prompt>,
    /// The round's seed.
    pub seed: u32,
    /// How matches are measured.
    #[serde(default)]
    pub judging: Judging,
    /// What regenerations may take.
    #[serde(default)]
    pub budget: Budget,
}

/// The key of a round's tournament, for whoever changes something it looks at.
pub fn tournament_key(round: RoundNumber) -> String {
    format!("round/{round}/tournament")
}

#[async_trait]
impl Reconciler for Tournament {
    const NAME: &'static str = "tournament";
    type Input = TournamentInput;
    /// The champion.
    type Output = Side;
    type Observation = Standing;

    fn key(input: &TournamentInput) -> String {
        tournament_key(input.round)
    }

    fn round(input: &TournamentInput) -> Option<u32> {
        Some(input.round.0)
    }

    async fn observe(conn: &mut PgConnection, input: &TournamentInput) -> anyhow::Result<Standing> {
        let mut standing = db::tournament::standing(conn, input.round, input.prompts.len()).await?;
        standing.observation.win_margin = input.win_margin;
        standing.observation.audit_repeats = input.audit_repeats;
        standing.observation.alternates = input.judging.speculative_audits;
        let submissions: schema::files::Submissions = input.submissions.iter().cloned().collect();
        standing.observation.challengers = submissions.challengers().into_iter().cloned().collect();
        Ok(standing)
    }

    fn decide(input: &TournamentInput, standing: Standing) -> anyhow::Result<Decision<Side>> {
        let observation = &standing.observation;
        let timeline = tournament::derive(observation);
        let wanted = tournament::decide(observation, &timeline);

        let plan = Plan {
            input,
            standing: &standing,
            timeline: &timeline,
            wanted: &wanted,
        };
        let mut starts = plan.matches()?;
        starts.extend(plan.audits()?);
        starts.extend(plan.regenerations()?);
        let repeats = plan.repeats()?;
        starts.extend(repeats.starts);
        let (moot, releases) = plan.moot()?;
        starts.extend(releases);

        let mut waits_for = wanted.waits_for.clone();
        waits_for.extend(repeats.waits_for);
        waits_for.extend(standing.redrawn.iter().cloned());
        // What nobody needs any more is cancelled in a pass before the last: its end wakes us.
        let is_over = waits_for.is_empty() && moot.is_empty();
        let mut effects = publish(input, &standing, &timeline, &wanted, is_over);
        if is_over {
            effects.starts = plan.last_releases()?;
        }
        effects.records.push(Record::WaitsFor {
            round: input.round.0,
            waits_for,
        });
        Ok(Decision {
            starts,
            moot,
            effects,
            end: wanted.winner.filter(|_| is_over),
        })
    }
}
