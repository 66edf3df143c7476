//! From a decision of the fold to work: what to start, what to cancel.
//!
//! A job's key says what it measures, so that starting it again is starting it once. What was cancelled as moot has used its
//! key up; if the fold asks for it after all, a new judgement (a match) or epoch (a regeneration) begins.

use schema::{Hotkey, Side, files::AuditLeft};

use super::TournamentInput;
use crate::{
    db::{
        measurement::{MOOT, MatchName, MatchUnderWay},
        tournament::Standing,
    },
    engine::NewJob,
    round::{
        entry::Prompt,
        flows::{Compare, CompareInput, Match, MatchInput, Regeneration, RegenerationInput},
        judging::{Measurement, thresholds},
        steps::{ReleasePods, ReleasePodsInput},
    },
    rules::{
        matches::{Play, is_near},
        regeneration,
        tournament::{self, AuditDuelToPlay, Decision, MatchPurpose, Timeline},
    },
};

/// Exploratory matches yield to everything the round waits for, and runs beside the first to them.
const EXPLORATORY_PRIORITY: i16 = 140;
const REPEAT_PRIORITY: i16 = 160;

/// One pass of the tournament.
pub(super) struct Plan<'a> {
    pub(super) input: &'a TournamentInput,
    pub(super) standing: &'a Standing,
    pub(super) timeline: &'a Timeline,
    pub(super) wanted: &'a Decision,
}

/// Runs beside the first.
#[derive(Default)]
pub(super) struct Repeats {
    pub(super) starts: Vec<NewJob>,
    pub(super) waits_for: Vec<String>,
}

/// When its turn is: against what was submitted first, as a rejection looks at them.
fn turn(audit: &AuditDuelToPlay) -> (bool, u32) {
    let is_against_defender = matches!(audit.left, AuditLeft::Defender { .. });
    (is_against_defender, audit.left.repeat())
}

impl Plan<'_> {
    /// Matches the fold lacks.
    pub(super) fn matches(&self) -> serde_json::Result<Vec<NewJob>> {
        let mut starts = Vec::new();
        for play in &self.wanted.matches_to_play {
            let name = MatchName {
                matrix: "matches",
                left: play.left.to_string(),
                right: play.right.clone(),
            };
            let mut job = self.job(&name, play.how, self.first_run(&name))?;
            if play.purpose == MatchPurpose::Exploratory {
                job.priority = EXPLORATORY_PRIORITY;
            }
            starts.push(job);
        }
        Ok(starts)
    }

    /// Audit duels the fold lacks, of each miner one at a time and in the order in which they would reject it. So the published
    /// reason never depends on which of two ends first, and no call is spent on a duel that the one before makes needless.
    pub(super) fn audits(&self) -> serde_json::Result<Vec<NewJob>> {
        let mut next: Vec<&AuditDuelToPlay> = Vec::new();
        for audit in &self.wanted.audit_duels_to_play {
            match next.iter_mut().find(|first| first.right == audit.right) {
                Some(first) if turn(audit) < turn(first) => *first = audit,
                Some(_) => {}
                None => next.push(audit),
            }
        }
        next.into_iter()
            .filter(|audit| !self.is_being_audited(&audit.right))
            .map(|audit| {
                let name = MatchName {
                    matrix: "audits",
                    left: audit.left.to_string(),
                    right: audit.right.clone(),
                };
                self.job(&name, audit.how, self.first_run(&name))
            })
            .collect()
    }

    fn is_being_audited(&self, hotkey: &Hotkey) -> bool {
        let audits = |playing: &MatchUnderWay| {
            playing.name.matrix == "audits" && playing.name.right == *hotkey
        };
        self.standing.under_way.iter().any(audits)
    }

    /// Regenerations of requested miners and of alternates whose build is decided, in this order, as many as may rent a pod at
    /// one time. One that was cancelled and is wanted after all begins anew, after the repeats it had reported.
    pub(super) fn regenerations(&self) -> serde_json::Result<Vec<NewJob>> {
        let requested = self.wanted.audit_requests.keys();
        let at_once = self.input.budget.at_once;
        let seats = at_once.saturating_sub(self.standing.renting);
        requested
            .chain(&self.wanted.alternates)
            .filter_map(|hotkey| self.regeneration(hotkey))
            .take(seats)
            .map(|input| NewJob::flow::<Regeneration>(&input))
            .collect()
    }

    fn regeneration(&self, hotkey: &Hotkey) -> Option<RegenerationInput> {
        let before = self.standing.regenerations.get(hotkey);
        if before.is_some_and(|before| before.state != "cancelled")
            || !self.standing.built.contains(hotkey)
            || tournament::regeneration_is_moot(self.timeline, self.wanted, hotkey)
        {
            return None;
        }
        let report = self.standing.observation.reports.get(hotkey);
        Some(RegenerationInput {
            round: self.input.round,
            side: Side::Miner(hotkey.clone()),
            image: None,
            prompts: self.submitted_by(hotkey),
            seed: self.input.seed,
            repeats: self.input.audit_repeats,
            first_pod: self.first_pod(&Side::Miner(hotkey.clone())),
            again: before.map_or(0, |before| before.again + 1),
            reported: report.map_or_else(Vec::new, |report| report.repeats.clone()),
            budget: self.input.budget,
        })
    }

    /// Nothing that was rented for the round outlives it, whatever became of who rented it.
    pub(super) fn last_releases(&self) -> serde_json::Result<Vec<NewJob>> {
        let miners = self.standing.regenerations.keys().cloned().map(Side::Miner);
        [Side::Leader]
            .into_iter()
            .chain(miners)
            .map(|side| self.release(side, "round".to_owned()))
            .collect()
    }

    fn release(&self, side: Side, occasion: String) -> serde_json::Result<NewJob> {
        NewJob::step::<ReleasePods>(&ReleasePodsInput {
            round: self.input.round,
            first_pod: self.first_pod(&side),
            side,
            pod: None,
            statistics: Vec::new(),
            occasion,
        })
    }

    fn first_pod(&self, side: &Side) -> u32 {
        let submissions = self.input.submissions.iter();
        regeneration::first_pod(side, submissions.map(|(hotkey, _)| hotkey))
    }

    /// Runs beside the first of every match that was measured near a threshold. The round waits for them: they are published
    /// whatever they say, and never decide.
    pub(super) fn repeats(&self) -> serde_json::Result<Repeats> {
        let judging = &self.input.judging;
        let prompts = self.input.prompts.len() as u32;
        let mut repeats = Repeats::default();
        for measured in &self.standing.measured {
            let name = &measured.name;
            let is_near = self.thresholds(name).into_iter().any(|threshold| {
                is_near(
                    measured.margin,
                    threshold,
                    prompts,
                    judging.near_band_prompts,
                )
            });
            if measured.duels == 0 || !is_near {
                continue;
            }
            for run in 1..=judging.near_repeats {
                let measurement = Measurement {
                    judgement: measured.judgement,
                    run,
                };
                let this = (name.clone(), measurement);
                if self.standing.repeated.contains(&this) {
                    continue;
                }
                repeats.waits_for.push(format!(
                    "run {} of {} {} vs {}, whose margin is near the threshold",
                    run + 1,
                    if name.matrix == "matches" {
                        "match"
                    } else {
                        "audit duel"
                    },
                    short(&name.left),
                    name.right.short()
                ));
                if !self.standing.repeats.contains(&this) {
                    let mut job = self.job(name, Play::Judge, measurement)?;
                    job.priority = REPEAT_PRIORITY;
                    repeats.starts.push(job);
                }
            }
        }
        Ok(repeats)
    }

    /// What is under way and can change nothing any more: keys with reasons, and the pods to give back.
    pub(super) fn moot(&self) -> serde_json::Result<(Vec<(String, String)>, Vec<NewJob>)> {
        let observation = &self.standing.observation;
        let mut moot = Vec::new();
        for playing in &self.standing.under_way {
            let MatchName {
                matrix,
                left,
                right,
            } = &playing.name;
            let is_moot = match AuditLeft::parse(left).filter(|_| *matrix == "audits") {
                Some(left) => tournament::audit_is_moot(self.timeline, self.wanted, &left, right),
                None => tournament::match_is_moot(
                    observation,
                    self.timeline,
                    self.wanted,
                    &Side::from(left.as_str()),
                    right,
                ),
            };
            if is_moot {
                moot.push((playing.key.clone(), self.reason()));
            }
        }
        let mut releases = Vec::new();
        for (hotkey, regeneration) in &self.standing.regenerations {
            let is_moot = regeneration.is_running()
                && tournament::regeneration_is_moot(self.timeline, self.wanted, hotkey);
            if is_moot {
                moot.push((regeneration.key.clone(), self.reason()));
                let occasion = format!("cancelled/{}", regeneration.again);
                releases.push(self.release(Side::Miner(hotkey.clone()), occasion)?);
            }
        }
        moot.sort();
        Ok((moot, releases))
    }

    fn reason(&self) -> String {
        let why = if self.wanted.winner.is_some() {
            "the round is decided"
        } else {
            "its result can change nothing any more"
        };
        format!("{MOOT}{why}")
    }

    /// The measurement of a match that counts, if it is started now.
    fn first_run(&self, name: &MatchName) -> Measurement {
        Measurement {
            judgement: self.standing.next_judgement.get(name).copied().unwrap_or(0),
            run: 0,
        }
    }

    fn thresholds(&self, name: &MatchName) -> Vec<f64> {
        let audit = AuditLeft::parse(&name.left).filter(|_| name.matrix == "audits");
        thresholds(self.input.win_margin, audit.as_ref())
    }

    /// The flow that measures a match or an audit.
    fn job(
        &self,
        name: &MatchName,
        how: Play,
        measurement: Measurement,
    ) -> serde_json::Result<NewJob> {
        let input = self.input;
        let stale = (
            name.matrix.to_owned(),
            name.left.clone(),
            name.right.clone(),
        );
        let pictures = self.standing.stale.get(&stale).cloned().unwrap_or_default();
        // Runs beside the first are there to show a margin, so they are whole.
        let stop_at = if input.judging.curtail && measurement.run == 0 {
            self.thresholds(name)
        } else {
            Vec::new()
        };
        if name.matrix == "matches" {
            return NewJob::flow::<Match>(&MatchInput {
                round: input.round,
                left: Side::from(name.left.as_str()),
                right: name.right.clone(),
                how,
                prompts: input.prompts.clone(),
                seed: input.seed,
                pictures,
                measurement,
                stop_at,
            });
        }
        NewJob::flow::<Compare>(&CompareInput {
            round: input.round,
            left: name.left.clone(),
            right: name.right.clone(),
            how,
            prompts: input.prompts.clone(),
            seed: input.seed,
            pictures,
            measurement,
            stop_at,
        })
    }

    fn submitted_by(&self, hotkey: &Hotkey) -> Vec<Prompt> {
        let Some(stems) = self.standing.submitted_stems.get(hotkey) else {
            return Vec::new();
        };
        let prompts = self.input.prompts.iter();
        prompts
            .filter(|prompt| stems.contains(prompt.stem.as_str()))
            .cloned()
            .collect()
    }
}

/// A left side as sentences name it: `leader`, `submitted_1`, `{first 10 characters}_1`.
fn short(left: &str) -> String {
    match AuditLeft::parse(left) {
        Some(AuditLeft::Defender { defender, repeat }) => {
            format!("{}_{repeat}", defender.short())
        }
        Some(submitted) => submitted.to_string(),
        None => Side::from(left).short().to_owned(),
    }
}
