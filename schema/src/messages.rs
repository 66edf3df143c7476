//! Commit messages: people read them, and the image build is found by one of them.

use crate::{Hotkey, LeftSide, RoundNumber, Side, Stage};

/// `Update state ({stage})[, schedule][, leader] for round {n}`; `round` is the one in the new state.
pub fn update_state(
    stage: Stage,
    with_schedule: bool,
    with_leader: bool,
    round: RoundNumber,
) -> String {
    let schedule = if with_schedule { ", schedule" } else { "" };
    let leader = if with_leader { ", leader" } else { "" };
    format!("Update state ({stage}){schedule}{leader} for round {round}")
}

/// The commit that opens generation. The image build is the workflow run whose message ends with
/// [`submissions_suffix`].
pub fn seed_prompts_and_submissions(round: RoundNumber) -> String {
    format!("Seed, prompts and {}", submissions_suffix(round))
}

/// `submissions for round {n}`: what the message of the commit that started the image build ends with.
pub fn submissions_suffix(round: RoundNumber) -> String {
    format!("submissions for round {round}")
}

/// `Round {n}: {stage}`, for a plain change of stage by the collector.
pub fn round_stage(round: RoundNumber, stage: Stage) -> String {
    format!("Round {round}: {stage}")
}

/// `Update submitted.json for round {n}, miner {hk10}`.
pub fn submitted(round: RoundNumber, hotkey: &Hotkey) -> String {
    format!(
        "Update submitted.json for round {round}, miner {}",
        hotkey.short()
    )
}

/// `Update generated_{r}.json for round {n}, miner {hk10 or leader}`.
pub fn generated(round: RoundNumber, side: &Side, repeat: u32) -> String {
    format!(
        "Update generated_{repeat}.json for round {round}, miner {}",
        side.short()
    )
}

/// `Update build statuses for round {n}`.
pub fn build_statuses(round: RoundNumber) -> String {
    format!("Update build statuses for round {round}")
}

/// `Update generation reports for round {n}`.
pub fn generation_reports(round: RoundNumber) -> String {
    format!("Update generation reports for round {round}")
}

/// `Update ledger for round {n}`: what only auditors read.
pub fn ledger(round: RoundNumber) -> String {
    format!("Update ledger for round {round}")
}

/// `Update pod stats for round {n}, miner {hk10 or leader}`.
pub fn pod_stats(round: RoundNumber, side: &Side) -> String {
    format!("Update pod stats for round {round}, miner {}", side.short())
}

/// `Judging rules for round {n}`: how its matches are measured, in the ledger.
pub fn judging_rules(round: RoundNumber) -> String {
    format!("Judging rules for round {round}")
}

/// `Measured again: {left10} vs {right10}`: a run beside the first, in the ledger.
pub fn measured_again(left: &Side, right: &Hotkey) -> String {
    format!("Measured again: {} vs {}", left.short(), right.short())
}

/// `Judged anew: {left10} vs {right10}`: an operator has set a result aside.
pub fn judged_anew(left: &Side, right: &Hotkey) -> String {
    format!("Judged anew: {} vs {}", left.short(), right.short())
}

/// `Match report: {left10} vs {right10}`.
pub fn match_report(left: &Side, right: &Hotkey) -> String {
    format!("Match report: {} vs {}", left.short(), right.short())
}

/// `Audit report: {left10} vs {right10}`.
pub fn audit_report(left: &LeftSide, right: &Hotkey) -> String {
    format!("Audit report: {} vs {}", left.short(), right.short())
}

/// `Update matches matrix for round {n}`.
pub fn matches_matrix(round: RoundNumber) -> String {
    format!("Update matches matrix for round {round}")
}

/// `Update audit matrix for round {n}`.
pub fn audit_matrix(round: RoundNumber) -> String {
    format!("Update audit matrix for round {round}")
}

/// `Update audit requests for round {n}`.
pub fn audit_requests(round: RoundNumber) -> String {
    format!("Update audit requests for round {round}")
}

/// `Update generation audits for round {n}`.
pub fn generation_audits(round: RoundNumber) -> String {
    format!("Update generation audits for round {round}")
}

/// `Round {n} winner: {hk10 or leader}`.
pub fn winner(round: RoundNumber, winner: &Side) -> String {
    format!("Round {round} winner: {}", winner.short())
}

/// `Update source audits for round {n}`.
pub fn source_audits(round: RoundNumber) -> String {
    format!("Update source audits for round {round}")
}

/// One message of several: each once, sorted by code point, joined by a single line break.
pub fn joined<I>(messages: I) -> String
where
    I: IntoIterator,
    I::Item: Into<String>,
{
    let distinct: std::collections::BTreeSet<String> =
        messages.into_iter().map(Into::into).collect();
    distinct.into_iter().collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUND: RoundNumber = RoundNumber(6);

    #[test]
    fn every_message_has_its_published_text() {
        let hotkey = Hotkey::new("5GgpGaDxzTyBAME1Ju9Z");
        let miner = Side::Miner(hotkey.clone());
        for (message, text) in [
            (
                update_state(Stage::Open, true, true, ROUND),
                "Update state (open), schedule, leader for round 6",
            ),
            (
                update_state(Stage::Open, true, false, ROUND),
                "Update state (open), schedule for round 6",
            ),
            (
                update_state(Stage::Finished, false, true, ROUND),
                "Update state (finished), leader for round 6",
            ),
            (
                update_state(Stage::Finalizing, false, false, ROUND),
                "Update state (finalizing) for round 6",
            ),
            (
                seed_prompts_and_submissions(ROUND),
                "Seed, prompts and submissions for round 6",
            ),
            (
                round_stage(ROUND, Stage::Downloading),
                "Round 6: downloading",
            ),
            (
                submitted(ROUND, &hotkey),
                "Update submitted.json for round 6, miner 5GgpGaDxzT",
            ),
            (
                generated(ROUND, &Side::Leader, 1),
                "Update generated_1.json for round 6, miner leader",
            ),
            (build_statuses(ROUND), "Update build statuses for round 6"),
            (
                generation_reports(ROUND),
                "Update generation reports for round 6",
            ),
            (
                pod_stats(ROUND, &miner),
                "Update pod stats for round 6, miner 5GgpGaDxzT",
            ),
            (
                match_report(&Side::Leader, &hotkey),
                "Match report: leader vs 5GgpGaDxzT",
            ),
            (
                audit_report(&LeftSide::Submitted, &hotkey),
                "Audit report: submitted vs 5GgpGaDxzT",
            ),
            (matches_matrix(ROUND), "Update matches matrix for round 6"),
            (audit_matrix(ROUND), "Update audit matrix for round 6"),
            (audit_requests(ROUND), "Update audit requests for round 6"),
            (
                generation_audits(ROUND),
                "Update generation audits for round 6",
            ),
            (winner(ROUND, &miner), "Round 6 winner: 5GgpGaDxzT"),
            (source_audits(ROUND), "Update source audits for round 6"),
        ] {
            assert_eq!(message, text);
        }
        assert!(seed_prompts_and_submissions(ROUND).ends_with(&submissions_suffix(ROUND)));
    }

    #[test]
    fn several_messages_are_each_once_by_code_point_on_lines() {
        assert_eq!(joined(["b", "a", "B", "b", "é"]), "B\na\nb\né");
        assert_eq!(joined(Vec::<String>::new()), "");
    }
}
