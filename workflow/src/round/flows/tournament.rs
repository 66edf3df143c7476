//! Reconciler `tournament`: from submissions to a champion.
//!
//! Looks at what is measured, folds it, and starts what the fold lacks: matches, audits, regenerations. It sleeps until one
//! of them ends or somebody edits a source audit. A crash, a repeat or a changed verdict needs no handling of its own.

use async_trait::async_trait;
use schema::{
    Hotkey, RoundNumber, Side, StateFile as _,
    files::{AuditLeft, AuditRequests, Submission, report::MatchReport},
    messages,
    paths::{self, LedgerFile},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sqlx::PgConnection;

use crate::{
    db::{
        self,
        records::Record,
        shown::SupersededResult,
        tournament::{Published, Standing},
    },
    engine::{Decision, Effects, MirrorChange, NewJob, Publication, Reconciler},
    round::{
        entry::Prompt,
        flows::{
            Compare, CompareInput, Match, MatchInput, Regeneration, RegenerationInput,
            compare::compare_key, matches::match_key,
        },
        judge::Pairing,
        ledger,
        steps::{ReleasePods, ReleasePodsInput},
    },
    rules::{
        regeneration::MAX_CONCURRENT_REGENERATIONS,
        tournament::{self, Observation, PublicRow, Timeline},
    },
};

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
        let submissions: schema::files::Submissions = input.submissions.iter().cloned().collect();
        standing.observation.challengers = submissions.challengers().into_iter().cloned().collect();
        Ok(standing)
    }

    fn decide(input: &TournamentInput, standing: Standing) -> anyhow::Result<Decision<Side>> {
        let pictures = |matrix: &str, left: &str, right: &Hotkey| {
            let name = (matrix.to_owned(), left.to_owned(), right.clone());
            standing.stale.get(&name).cloned().unwrap_or_default()
        };
        let timeline = tournament::derive(&standing.observation);
        let wanted = tournament::decide(&standing.observation, &timeline);
        let round = input.round;

        let mut effects = publish(
            round,
            &standing.observation,
            &wanted,
            &standing.published,
            &standing.superseded,
            wanted.winner.is_some(),
        );
        effects.records.push(Record::WaitsFor {
            round: round.0,
            waits_for: wanted.waits_for.clone(),
        });
        if let Some(winner) = wanted.winner {
            return Ok(match leftovers(round, &standing)? {
                Some((moot, starts)) => Decision {
                    starts,
                    moot,
                    effects,
                    end: None,
                },
                None => {
                    effects.starts = last_releases(round, &standing)?;
                    Decision {
                        effects,
                        end: Some(winner),
                        ..Decision::default()
                    }
                }
            });
        }

        let mut starts = Vec::new();
        for play in &wanted.matches_to_play {
            starts.push(NewJob::flow::<Match>(&MatchInput {
                round,
                left: play.left.clone(),
                right: play.right.clone(),
                how: play.how,
                prompts: input.prompts.clone(),
                seed: input.seed,
                pictures: pictures(Pairing::MATCHES, play.left.as_str(), &play.right),
            })?);
        }
        for audit in &wanted.audit_duels_to_play {
            starts.push(NewJob::flow::<Compare>(&CompareInput {
                round,
                left: audit.left.to_string(),
                right: audit.right.clone(),
                how: audit.how,
                prompts: input.prompts.clone(),
                seed: input.seed,
                pictures: pictures(Pairing::AUDITS, &audit.left.to_string(), &audit.right),
            })?);
        }
        for regeneration in regenerations(input, &standing, &timeline, &wanted.audit_requests) {
            starts.push(NewJob::flow::<Regeneration>(&regeneration)?);
        }
        let (moot, releases) = moot_regenerations(round, &timeline, &standing)?;
        starts.extend(releases);
        Ok(Decision {
            starts,
            moot,
            effects,
            end: None,
        })
    }
}

/// The regenerations to begin now: of requested miners whose build is decided, in the order of the requests, as many as may
/// rent a pod at one time. One that was cancelled and is wanted after all begins anew, after the repeats it had reported.
fn regenerations(
    input: &TournamentInput,
    standing: &Standing,
    timeline: &Timeline,
    requests: &AuditRequests,
) -> Vec<RegenerationInput> {
    let is_out = |hotkey: &Hotkey| {
        timeline
            .entry(hotkey)
            .is_some_and(tournament::TimelineEntry::is_rejected)
    };
    let begin = |hotkey: &Hotkey| {
        let before = standing.regenerations.get(hotkey);
        if before.is_some_and(|before| before.state != "cancelled")
            || is_out(hotkey)
            || !standing.built.contains(hotkey)
        {
            return None;
        }
        let submitted = standing.submitted_stems.get(hotkey);
        let was_submitted =
            |prompt: &&Prompt| submitted.is_some_and(|stems| stems.contains(prompt.stem.as_str()));
        let reported = standing.observation.reports.get(hotkey);
        Some(RegenerationInput {
            round: input.round,
            side: Side::Miner(hotkey.clone()),
            image: None,
            prompts: input
                .prompts
                .iter()
                .filter(was_submitted)
                .cloned()
                .collect(),
            seed: input.seed,
            repeats: input.audit_repeats,
            again: before.map_or(0, |before| before.again + 1),
            reported: reported.map_or_else(Vec::new, |report| report.repeats.clone()),
        })
    };
    let seats = MAX_CONCURRENT_REGENERATIONS.saturating_sub(standing.renting);
    requests.keys().filter_map(begin).take(seats).collect()
}

/// What to cancel (keys and reasons) and what to start instead.
type Ended = (Vec<(String, String)>, Vec<NewJob>);

/// Regenerations of miners that are out: cancelled, and their pods given back.
fn moot_regenerations(
    round: RoundNumber,
    timeline: &Timeline,
    standing: &Standing,
) -> serde_json::Result<Ended> {
    let is_out = |hotkey: &Hotkey| {
        timeline
            .entry(hotkey)
            .is_some_and(tournament::TimelineEntry::is_rejected)
    };
    end_regenerations(round, standing, "the miner is rejected already", is_out)
}

/// What still runs when the winner is known: nobody needs it, and nothing may write into the round after its end. None when
/// nothing does.
fn leftovers(round: RoundNumber, standing: &Standing) -> serde_json::Result<Option<Ended>> {
    if standing.unfinished.is_empty() {
        return Ok(None);
    }
    let because = "the round has its winner";
    let (_, releases) = end_regenerations(round, standing, because, |_| true)?;
    let moot = standing.unfinished.iter();
    Ok(Some((
        moot.map(|key| (key.clone(), because.to_owned())).collect(),
        releases,
    )))
}

/// Nothing that was rented for the round outlives it, whatever became of who rented it.
fn last_releases(round: RoundNumber, standing: &Standing) -> serde_json::Result<Vec<NewJob>> {
    let miners = standing.regenerations.keys().cloned().map(Side::Miner);
    [Side::Leader]
        .into_iter()
        .chain(miners)
        .map(|side| NewJob::step::<ReleasePods>(&release(round, side, "round".to_owned())))
        .collect()
}

fn release(round: RoundNumber, side: Side, occasion: String) -> ReleasePodsInput {
    ReleasePodsInput {
        round,
        side,
        pod: None,
        statistics: Vec::new(),
        occasion,
    }
}

fn end_regenerations(
    round: RoundNumber,
    standing: &Standing,
    because: &str,
    whose: impl Fn(&Hotkey) -> bool,
) -> serde_json::Result<Ended> {
    let mut ended = Ended::default();
    for (hotkey, regeneration) in &standing.regenerations {
        if regeneration.is_running() && whose(hotkey) {
            ended.0.push((regeneration.key.clone(), because.to_owned()));
            let occasion = format!("cancelled/{}", regeneration.again);
            let release = release(round, Side::Miner(hotkey.clone()), occasion);
            ended.1.push(NewJob::step::<ReleasePods>(&release)?);
        }
    }
    Ok(ended)
}

/// What the outside has not seen yet: reports with their rows, requests and verdicts, in one commit.
fn publish(
    round: RoundNumber,
    observation: &Observation,
    wanted: &tournament::Decision,
    published: &Published,
    superseded: &[SupersededResult],
    last: bool,
) -> Effects {
    let mut changes = Vec::new();
    let mut said = Vec::new();
    let mut records = Vec::new();

    let mut rows = tournament::publishable_rows(observation, &published.matches);
    if last {
        let mut shown = published.matches.clone();
        for (left, right, margin) in &rows {
            shown.insert(left, right, *margin);
        }
        rows.extend(tournament::remaining_rows(observation, &shown));
    }
    for (left, right, margin) in rows {
        publish_match(
            round,
            &(left, right, margin),
            published,
            observation.win_margin,
            &mut changes,
            &mut said,
            &mut records,
        );
    }
    for (left, right, margin) in observation.audits.rows() {
        publish_audit(
            round,
            left,
            right,
            margin,
            published,
            observation.win_margin,
            &mut changes,
            &mut said,
            &mut records,
        );
    }
    for result in superseded {
        let line = serde_json::json!({
            "kind": "result_superseded", "matrix": result.matrix, "left": result.left_side, "right": result.right_side,
            "score": result.score, "margin": result.margin, "shown_sha256": result.shown_sha256,
            "because": "a side shows other modules or pictures",
        });
        changes.push(MirrorChange::AppendLine {
            path: paths::ledger(round, &LedgerFile::Decisions),
            line: line.to_string(),
        });
        said.push(messages::matches_matrix(round));
        records.push(Record::SupersededPublished {
            round: round.0,
            job_key: result.job_key.clone(),
        });
    }
    if wanted.audit_requests != observation.requests {
        changes.push(MirrorChange::Put {
            path: paths::require_audit(round),
            content: wanted.audit_requests.to_bytes(),
        });
        said.push(messages::audit_requests(round));
    }
    if wanted.verdicts != observation.verdicts {
        changes.push(MirrorChange::Put {
            path: paths::generation_audits(round),
            content: wanted.verdicts.to_bytes(),
        });
        changes.extend(new_verdicts(round, observation, wanted));
        said.push(messages::generation_audits(round));
    }
    let publication = (!changes.is_empty()).then(|| Publication {
        message: messages::joined(said),
        changes,
        urgent: last,
    });
    Effects {
        records,
        publication,
        ..Effects::default()
    }
}

/// A line of the ledger for each verdict that is new or has changed.
fn new_verdicts(
    round: RoundNumber,
    observation: &Observation,
    wanted: &tournament::Decision,
) -> Vec<MirrorChange> {
    let is_new = |hotkey: &Hotkey| observation.verdicts.get(hotkey) != wanted.verdicts.get(hotkey);
    wanted
        .verdicts
        .iter()
        .filter(|(hotkey, _)| is_new(hotkey))
        .map(|(hotkey, audit)| {
            ledger::Decision::Verdict {
                hotkey: hotkey.clone(),
                verdict: audit.verdict,
                reason: audit.reason.clone(),
                win_margin: observation.win_margin,
                audit_repeats: observation.audit_repeats,
            }
            .append(round)
        })
        .collect()
}

/// The line of the ledger for a published match or audit.
fn decision(
    round: RoundNumber,
    matrix: &str,
    (left, right, margin): (&str, &Hotkey, f64),
    win_margin: f64,
    report: Option<&MatchReport>,
) -> MirrorChange {
    ledger::Decision::Match {
        matrix: matrix.to_owned(),
        left: left.to_owned(),
        right: right.clone(),
        margin,
        win_margin,
        report_sha256: report.map(|report| hex::encode(Sha256::digest(report.to_bytes()))),
    }
    .append(round)
}

#[allow(
    clippy::too_many_arguments,
    reason = "the three lists are one commit in the making"
)]
fn publish_match(
    round: RoundNumber,
    (left, right, margin): &PublicRow,
    published: &Published,
    win_margin: f64,
    changes: &mut Vec<MirrorChange>,
    said: &mut Vec<String>,
    records: &mut Vec<Record>,
) {
    let report = published.reports.get(&match_key(round, left, right));
    if let Some(report) = report {
        changes.push(MirrorChange::Put {
            path: paths::duels_report(round, left, right),
            content: report.to_bytes(),
        });
        said.push(messages::match_report(left, right));
    }
    push_row(
        paths::matches_matrix(round),
        left.as_str(),
        right,
        *margin,
        changes,
    );
    said.push(messages::matches_matrix(round));
    let row = (left.as_str(), right, *margin);
    changes.push(decision(round, "matches", row, win_margin, report));
    records.push(shown(round, "matches", left.as_str(), right));
}

#[allow(
    clippy::too_many_arguments,
    reason = "the three lists are one commit in the making"
)]
fn publish_audit(
    round: RoundNumber,
    left: &str,
    right: &Hotkey,
    margin: f64,
    published: &Published,
    win_margin: f64,
    changes: &mut Vec<MirrorChange>,
    said: &mut Vec<String>,
    records: &mut Vec<Record>,
) {
    let Some(side) = AuditLeft::parse(left).filter(|side| !published.audits.contains(side, right))
    else {
        return;
    };
    let report: Option<&MatchReport> = published.reports.get(&compare_key(round, left, right));
    if let Some(report) = report {
        let path = paths::audit_report(round, &report.left, right, side.repeat());
        changes.push(MirrorChange::Put {
            path,
            content: report.to_bytes(),
        });
        said.push(messages::audit_report(&report.left, right));
    }
    push_row(paths::audit_matrix(round), left, right, margin, changes);
    said.push(messages::audit_matrix(round));
    let row = (left, right, margin);
    changes.push(decision(round, "audits", row, win_margin, report));
    records.push(shown(round, "audits", left, right));
}

fn push_row(
    path: String,
    left: &str,
    right: &Hotkey,
    margin: f64,
    changes: &mut Vec<MirrorChange>,
) {
    changes.push(MirrorChange::MatrixRow {
        path,
        left: left.to_owned(),
        right: right.as_str().to_owned(),
        margin,
    });
}

fn shown(round: RoundNumber, matrix: &'static str, left: &str, right: &Hotkey) -> Record {
    Record::MatchPublished {
        round: round.0,
        matrix,
        left: left.to_owned(),
        right: right.as_str().to_owned(),
    }
}
