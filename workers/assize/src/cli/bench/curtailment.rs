//! What it saves to stop a match when no remaining duel can change a decision, and that no decision changes.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use schema::{
    Hotkey, Side, StateFile as _,
    files::{
        AuditLeft, SourceAudit, Verdict,
        report::{AnyReport, DuelWinner},
    },
    paths::{StatePath, classify},
};
use serde::Serialize;
use workflow::{
    round::judging::thresholds,
    rules::{
        curtailment::{MatchProgress, can_stop},
        matches::{Outputs, wins},
        random::MersenneTwister,
        tournament::{self, Delivered, EntryState, Observation},
    },
};

/// Duels of a random match: those of a live round.
const PROMPTS: u32 = 128;
/// `win_margin` of every published round.
const WIN_MARGIN: f64 = 0.05;
/// Most challengers of a random tournament.
const MOST_MINERS: u32 = 8;

/// What was found. A decision that differs ends the measurement with an error instead.
#[derive(Debug, Serialize)]
pub(super) struct Figures {
    /// Random tournaments in which every decision was the same.
    tournaments: u32,
    /// Their duels.
    duels: u64,
    /// Those that were judged.
    judged: u64,
    /// Share of the duels that was saved.
    saving: f64,
    /// The matches of a state repository, when one was given.
    published: Option<Published>,
}

/// Matches and audits of a state repository.
#[derive(Debug, Default, Serialize)]
struct Published {
    matches: u32,
    duels: u64,
    judged: u64,
    saving: f64,
}

/// Plays `tournaments` random tournaments, and every published match of the state repository `from`, both ways.
///
/// # Errors
///
/// If a decision differs, or the repository cannot be read.
pub(super) fn run(tournaments: u32, from: Option<&Path>) -> anyhow::Result<Figures> {
    let mut spent = Spent::default();
    for seed in 0..u64::from(tournaments) {
        let (full, short) = random_tournament(seed, &mut spent);
        ensure!(
            decisions(&full) == decisions(&short),
            "tournament {seed} decides otherwise when its matches stop early"
        );
    }
    Ok(Figures {
        tournaments,
        duels: spent.duels,
        judged: spent.judged,
        saving: spent.saving(),
        published: from.map(published).transpose()?,
    })
}

/// Duels there are, and duels that were judged.
#[derive(Default)]
struct Spent {
    duels: u64,
    judged: u64,
}

impl Spent {
    /// The margin of a whole match, and of the same match stopped as soon as it can be.
    fn play(&mut self, points: &[i64], thresholds: &[f64]) -> (f64, f64) {
        let mut progress = MatchProgress {
            score: 0,
            judged: 0,
            prompts: points.len() as u32,
        };
        for point in points {
            if can_stop(progress, thresholds) {
                break;
            }
            progress.score += point;
            progress.judged += 1;
        }
        self.duels += points.len() as u64;
        self.judged += u64::from(progress.judged);
        let full = MatchProgress {
            score: points.iter().sum(),
            ..progress
        };
        (full.margin(), progress.margin())
    }

    fn saving(&self) -> f64 {
        1.0 - self.judged as f64 / (self.duels as f64).max(1.0)
    }
}

/// A tournament of which everything is measured: whole, and with every match stopped early.
fn random_tournament(seed: u64, spent: &mut Spent) -> (Observation, Observation) {
    let mut random = MersenneTwister::new(seed);
    let miners: Vec<Hotkey> = (0..=random.below(MOST_MINERS))
        .map(|place| Hotkey::new(format!("miner{place}")))
        .collect();
    let empty = Observation {
        win_margin: WIN_MARGIN,
        audit_repeats: 1,
        challengers: miners.clone(),
        delivered: Delivered {
            baseline: Outputs::Usable,
            submitted: miners
                .iter()
                .map(|hotkey| (hotkey.clone(), Outputs::Usable))
                .collect(),
            ..Delivered::default()
        },
        ..Observation::default()
    };
    let (mut full, mut short) = (empty.clone(), empty);
    for (place, right) in miners.iter().enumerate() {
        let mut lefts = vec![Side::Leader];
        lefts.extend(miners[..place].iter().map(Side::from));
        for left in &lefts {
            let (whole, stopped) =
                spent.play(&random_points(&mut random), &thresholds(WIN_MARGIN, None));
            full.matches.insert(left, right, whole);
            short.matches.insert(left, right, stopped);
        }
        let mut audits = vec![AuditLeft::Submitted { repeat: 1 }];
        audits.extend(lefts.into_iter().map(|defender| AuditLeft::Defender {
            defender,
            repeat: 1,
        }));
        for left in audits {
            let in_use = thresholds(WIN_MARGIN, Some(&left));
            let (whole, stopped) = spent.play(&random_points(&mut random), &in_use);
            full.audits.insert(&left, right, whole);
            short.audits.insert(&left, right, stopped);
        }
        for observation in [&mut full, &mut short] {
            observation.source_audits.0.push(SourceAudit {
                hotkey: right.clone(),
                verdict: Verdict::Passed,
                reason: String::new(),
            });
        }
    }
    (full, short)
}

/// Points of a match's duels: of every four about two are draws, and a side may be a third stronger.
fn random_points(random: &mut MersenneTwister) -> Vec<i64> {
    let stronger_right = random.below(3);
    let stronger_left = random.below(3);
    let (left, right) = (3 + stronger_left, 3 + stronger_right);
    (0..PROMPTS)
        .map(|_| match random.below(left + right + 6) {
            drawn if drawn < left => -1,
            drawn if drawn < left + right => 1,
            _ => 0,
        })
        .collect()
}

/// Everything that is decided: who won, what became of whom, whom to audit, who passed.
fn decisions(observation: &Observation) -> String {
    let timeline = tournament::derive(observation);
    let decision = tournament::decide(observation, &timeline);
    let entries: Vec<String> = timeline
        .entries
        .iter()
        .map(|entry| {
            // A rejection's reason quotes a margin; whether it is one does not depend on it.
            let state = match &entry.state {
                EntryState::Rejected { .. } => "rejected",
                EntryState::Pending => "pending",
                EntryState::Lost { .. } => "lost",
                EntryState::Won { verified: true, .. } => "verified",
                EntryState::Won { .. } => "won",
            };
            format!("{} {state} vs {}", entry.hotkey, entry.defender)
        })
        .collect();
    let verdicts: Vec<String> = decision
        .verdicts
        .values()
        .map(|audit| format!("{} {}", audit.hotkey, audit.verdict))
        .collect();
    format!(
        "{:?} {entries:?} {:?} {verdicts:?}",
        decision.winner, decision.audit_requests
    )
}

/// Every match and audit report below a folder.
fn published(folder: &Path) -> anyhow::Result<Published> {
    let mut spent = Spent::default();
    let mut matches = 0;
    for (path, file) in reports(folder)? {
        let bytes =
            std::fs::read(&file).with_context(|| format!("{} cannot be read", file.display()))?;
        let report = AnyReport::parse(&path, &bytes)?;
        let points = points(&report);
        for threshold in [WIN_MARGIN, -WIN_MARGIN] {
            let (whole, stopped) = spent.play(&points, &[threshold]);
            ensure!(
                wins(whole, threshold) == wins(stopped, threshold),
                "{path} decides otherwise at {threshold} when it stops early"
            );
        }
        matches += 1;
    }
    ensure!(matches > 0, "{} has no match reports", folder.display());
    Ok(Published {
        matches,
        duels: spent.duels,
        judged: spent.judged,
        saving: spent.saving(),
    })
}

fn points(report: &AnyReport) -> Vec<i64> {
    let winners: Vec<DuelWinner> = match report {
        AnyReport::Current(report) => report.duels.iter().map(|duel| duel.winner).collect(),
        AnyReport::Mesh(report) => report.duels.iter().map(|duel| duel.winner).collect(),
    };
    winners.into_iter().map(DuelWinner::points).collect()
}

/// The reports of a state repository: path in it, and where the file is.
fn reports(folder: &Path) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(current) = open.pop() {
        let entries = std::fs::read_dir(&current)
            .with_context(|| format!("{} cannot be read", current.display()))?;
        for entry in entries {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let name = path
                .strip_prefix(folder)
                .map(|name| name.to_string_lossy().replace('\\', "/"))
                .unwrap_or_default();
            let is_report = matches!(
                classify(&name),
                Some(StatePath::DuelsReport { .. } | StatePath::AuditReport { .. })
            );
            if is_report {
                found.push((name, path));
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn random_tournaments_decide_alike_and_duels_are_saved() {
        let figures = run(200, None).unwrap();
        assert!(figures.saving > 0.05, "{figures:?}");
    }

    #[test]
    fn a_folder_without_reports_is_refused() {
        let empty = tempfile::tempdir().unwrap();
        let refused = run(0, Some(empty.path())).unwrap_err();
        assert!(
            refused.to_string().contains("no match reports"),
            "{refused}"
        );
    }
}
