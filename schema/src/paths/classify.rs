//! From a path to what it means.

use super::{HandMadeFile, LedgerFile, StatePath};
use crate::{Hotkey, LEADER, RoundNumber, Side};

/// What the file at `path` (relative, with `/`) is; none when it is no file of the repository. Exact: what comes back is
/// displayed as `path` again.
pub fn classify(path: &str) -> Option<StatePath> {
    let parts: Vec<&str> = path.split('/').collect();
    let kind = match parts.as_slice() {
        ["config.json"] => StatePath::Config,
        ["state.json"] => StatePath::State,
        ["leader.json"] => StatePath::Leader,
        ["prompts.txt"] => StatePath::PromptPool,
        ["rounds", round, file] => of_round(plain_number(round).map(RoundNumber)?, file)?,
        ["rounds", round, "ledger", rest @ ..] => StatePath::Ledger {
            round: plain_number(round).map(RoundNumber)?,
            file: of_ledger(rest)?,
        },
        ["rounds", round, side, file] => {
            of_side(plain_number(round).map(RoundNumber)?, side, file)?
        }
        _ => StatePath::HandMade(
            HandMadeFile::ALL
                .into_iter()
                .find(|file| file.path() == path)?,
        ),
    };
    Some(kind)
}

fn of_round(round: RoundNumber, file: &str) -> Option<StatePath> {
    Some(match file {
        "schedule.json" => StatePath::Schedule(round),
        "seed.json" => StatePath::Seed(round),
        "prompts.txt" => StatePath::RoundPrompts(round),
        "submissions.json" => StatePath::Submissions(round),
        "builds.json" => StatePath::Builds(round),
        "require_audit.json" => StatePath::RequireAudit(round),
        "generation_reports.json" => StatePath::GenerationReports(round),
        "generation_audits.json" => StatePath::GenerationAudits(round),
        "verification_audits.json" => StatePath::VerificationAudits(round),
        "source_audit.json" => StatePath::SourceAudit(round),
        "matches_matrix.csv" => StatePath::MatchesMatrix(round),
        "audit_matrix.csv" => StatePath::AuditMatrix(round),
        "winner.json" => StatePath::Winner(round),
        _ => return None,
    })
}

fn of_side(round: RoundNumber, folder: &str, file: &str) -> Option<StatePath> {
    let side = if folder == LEADER {
        Side::Leader
    } else {
        Side::Miner(folder.parse::<Hotkey>().ok()?)
    };
    let name = file.strip_suffix(".json")?;
    // Matches and submissions belong to miners alone.
    if let Side::Miner(hotkey) = &side {
        if name == "submitted" {
            return Some(StatePath::Submitted {
                round,
                hotkey: hotkey.clone(),
            });
        }
        if let Some(left) = name.strip_prefix("duels_") {
            let left = short_name(left)?;
            return Some(StatePath::DuelsReport {
                round,
                left,
                right: hotkey.clone(),
            });
        }
        if let Some(rest) = name.strip_prefix("audit_") {
            let (left, repeat) = rest.rsplit_once('_')?;
            let (left, repeat) = (short_name(left)?, repeat_number(repeat)?);
            return Some(StatePath::AuditReport {
                round,
                left,
                right: hotkey.clone(),
                repeat,
            });
        }
    }
    match name {
        "generated" => Some(StatePath::GeneratedOnce { round, side }),
        "pod_stats" => Some(StatePath::PodStats { round, side }),
        _ => {
            let repeat = repeat_number(name.strip_prefix("generated_")?)?;
            Some(StatePath::Generated {
                round,
                side,
                repeat,
            })
        }
    }
}

fn of_ledger(rest: &[&str]) -> Option<LedgerFile> {
    Some(match rest {
        ["artifacts.jsonl"] => LedgerFile::Artifacts,
        ["decisions.jsonl"] => LedgerFile::Decisions,
        ["operators.jsonl"] => LedgerFile::Operators,
        ["seed.json"] => LedgerFile::Seed,
        ["checkpoint.json"] => LedgerFile::Checkpoint,
        ["duels", name] if name.len() > ".jsonl".len() => {
            LedgerFile::Duels(name.strip_suffix(".jsonl")?.to_owned())
        }
        ["superseded", name] if !matches!(*name, "" | "." | "..") => {
            LedgerFile::Superseded((*name).to_owned())
        }
        _ => return None,
    })
}

/// The short name of a left side: letters and digits.
fn short_name(text: &str) -> Option<String> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    plain.then(|| text.to_owned())
}

fn repeat_number(text: &str) -> Option<u32> {
    plain_number(text).filter(|repeat| *repeat > 0)
}

/// A decimal number without sign or padding.
fn plain_number(text: &str) -> Option<u32> {
    let number: u32 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LeftSide, paths};

    #[test]
    fn every_path_classifies_as_what_it_was_made_from() {
        let (round, hotkey) = (RoundNumber(12), Hotkey::new("5GgpGaDxzTyBAME1Ju9Z"));
        let miner = Side::Miner(hotkey.clone());
        let paths = [
            (paths::config(), "config.json"),
            (paths::state(), "state.json"),
            (paths::leader(), "leader.json"),
            (paths::prompt_pool(), "prompts.txt"),
            (paths::schedule(round), "rounds/12/schedule.json"),
            (paths::seed(round), "rounds/12/seed.json"),
            (paths::prompts(round), "rounds/12/prompts.txt"),
            (paths::submissions(round), "rounds/12/submissions.json"),
            (paths::builds(round), "rounds/12/builds.json"),
            (paths::require_audit(round), "rounds/12/require_audit.json"),
            (
                paths::generation_reports(round),
                "rounds/12/generation_reports.json",
            ),
            (
                paths::generation_audits(round),
                "rounds/12/generation_audits.json",
            ),
            (
                StatePath::VerificationAudits(round).to_string(),
                "rounds/12/verification_audits.json",
            ),
            (paths::source_audit(round), "rounds/12/source_audit.json"),
            (paths::matches_matrix(round), "rounds/12/matches_matrix.csv"),
            (paths::audit_matrix(round), "rounds/12/audit_matrix.csv"),
            (paths::winner(round), "rounds/12/winner.json"),
            (
                paths::submitted(round, &hotkey),
                "rounds/12/5GgpGaDxzTyBAME1Ju9Z/submitted.json",
            ),
            (
                paths::generated(round, &Side::Leader, 1),
                "rounds/12/leader/generated_1.json",
            ),
            (
                paths::generated(round, &miner, 10),
                "rounds/12/5GgpGaDxzTyBAME1Ju9Z/generated_10.json",
            ),
            (
                StatePath::GeneratedOnce {
                    round,
                    side: Side::Leader,
                }
                .to_string(),
                "rounds/12/leader/generated.json",
            ),
            (
                paths::pod_stats(round, &Side::Leader),
                "rounds/12/leader/pod_stats.json",
            ),
            (
                paths::duels_report(round, &Side::Leader, &hotkey),
                "rounds/12/5GgpGaDxzTyBAME1Ju9Z/duels_leader.json",
            ),
            (
                paths::duels_report(round, &miner, &Hotkey::new("5H")),
                "rounds/12/5H/duels_5GgpGaDxzT.json",
            ),
            (
                paths::audit_report(round, &LeftSide::Submitted, &hotkey, 2),
                "rounds/12/5GgpGaDxzTyBAME1Ju9Z/audit_submitted_2.json",
            ),
            (
                paths::ledger(round, &LedgerFile::Artifacts),
                "rounds/12/ledger/artifacts.jsonl",
            ),
            (
                paths::ledger(round, &LedgerFile::Decisions),
                "rounds/12/ledger/decisions.jsonl",
            ),
            (
                paths::ledger(round, &LedgerFile::Operators),
                "rounds/12/ledger/operators.jsonl",
            ),
            (
                paths::ledger(round, &LedgerFile::Seed),
                "rounds/12/ledger/seed.json",
            ),
            (
                paths::ledger(round, &LedgerFile::Checkpoint),
                "rounds/12/ledger/checkpoint.json",
            ),
            (
                paths::ledger(round, &LedgerFile::Superseded("x.json".to_owned())),
                "rounds/12/ledger/superseded/x.json",
            ),
            (
                paths::ledger(round, &LedgerFile::Duels("match_leader_5H".to_owned())),
                "rounds/12/ledger/duels/match_leader_5H.jsonl",
            ),
            (
                StatePath::HandMade(HandMadeFile::BuildWorkflow).to_string(),
                ".github/workflows/build-and-push.yml",
            ),
        ];
        for (path, text) in paths {
            assert_eq!(path, text);
            let kind = classify(&path);
            assert_eq!(
                kind.as_ref().map(ToString::to_string).as_deref(),
                Some(text),
                "{kind:?}"
            );
        }
    }

    #[test]
    fn a_path_that_is_not_exactly_one_of_ours_is_none() {
        for path in [
            "",
            "/state.json",
            "./state.json",
            "State.json",
            "rounds",
            "rounds/00/seed.json",
            "rounds/-1/seed.json",
            "rounds/+1/seed.json",
            "rounds/1/seed.json/",
            "rounds/1/other.json",
            "rounds/1/../seed.json",
            "rounds/1/leader/submitted.json",
            "rounds/1/leader/duels_5G.json",
            "rounds/1/5G/generated_0.json",
            "rounds/1/5G/generated_01.json",
            "rounds/1/5G/generated_.json",
            "rounds/1/5G/duels_.json",
            "rounds/1/5G/audit_leader.json",
            "rounds/1/5G/audit_leader_0.json",
            "rounds/1/submitted/submitted.json",
            "rounds/1/../submitted.json",
            "rounds/1/ledger/superseded/..",
            "rounds/1/ledger/duels/.jsonl",
            "rounds/1/ledger/duels/match_leader_5H",
            "rounds/1/ledger/x",
            "rounds/4294967296/seed.json",
        ] {
            assert_eq!(classify(path), None, "{path}");
        }
    }
}
