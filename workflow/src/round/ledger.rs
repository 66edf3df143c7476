//! The lines of a round's ledger: what an auditor needs beside the state files, and what a lost database is rebuilt from.
//!
//! A line says a fact once and is never changed. Lines are written by the step that makes the fact, in the transaction that
//! ends it, so the ledger can lag behind the database but never contradict it. Writing and reading share these types.
//!
//! - `artifacts.jsonl`: [`Artifact`], what was fetched, generated and drawn, by digest;
//! - `decisions.jsonl`: [`Decision`], what was decided, from what and by which thresholds;
//! - `duels/{match}.jsonl`: [`DuelVerdict`], each duel of a match as it ends. A file a match, because all duels of a round
//!   in one file would soon be larger than git hosts take;
//! - `operators.jsonl`: [`OperatorAction`], what people did.
//!
//! Lines of verdicts ([`Decision::is_verdict`], [`DuelVerdict`]) also have `attempt`, the attempt of the step that came to
//! them. The step does not know it; the mirror adds it, from the row that waits in the outbox. Older lines lack it.

use chrono::{DateTime, Utc};
use schema::{
    BlockNumber, Hotkey, IndexMap, RoundNumber, Side, Stem,
    files::{Config, GenerationReport, Verdict, report::DuelWinner},
    paths::{self, LedgerFile},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    engine::MirrorChange,
    round::{
        flows::DuelInput,
        judge::DuelOutput,
        judging::{Judging, Measurement},
        steps::{ModuleFault, RegenerateOutput},
    },
    rules::{generation_report::RegenerationLimits, regeneration::Budget},
};

/// A line of `artifacts.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Artifact {
    /// A module, with what was drawn from it.
    Module {
        /// Miner or leader.
        hotkey: Side,
        /// 0 for the submission, 1 and up for what the image generated.
        repeat: u32,
        /// Prompt.
        stem: Stem,
        /// Object key.
        path: String,
        /// Public URL.
        url: String,
        /// Digest of the module, hexadecimal.
        sha256: String,
        /// Bytes.
        size: u64,
        /// When it was fetched from the miner's server or pod.
        fetched_at: Option<DateTime<Utc>>,
        /// Digest of the scene document that was drawn.
        document_sha256: Option<String>,
        /// Which renderer drew it.
        renderer: Option<String>,
        /// The published reason, if there are no pictures.
        failure_reason: Option<String>,
        /// Digest of the prompt's image that the pictures were embedded with.
        prompt_sha256: Option<String>,
        /// The pictures and embeddings.
        pictures: Option<Pictures>,
    },
    /// The image of a prompt, as it was when the round began.
    Prompt {
        /// Prompt.
        stem: Stem,
        /// Its URL.
        url: String,
        /// Digest, hexadecimal.
        sha256: String,
        /// Bytes.
        size: u64,
        /// When it was fetched.
        fetched_at: DateTime<Utc>,
    },
    /// The container image of a submission.
    Image {
        /// Whose.
        hotkey: Hotkey,
        /// Name and tag, as in `builds.json`.
        image: String,
        /// Digest of its manifest, `sha256:…`; none when the registry did not tell.
        digest: Option<String>,
    },
}

/// The fourteen files of an entry's bundle. Their digests are listed in `{url}/SHA256SUMS`, which `sha256sum -c` checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pictures {
    /// URL prefix, `views` in the state files.
    pub url: String,
    /// Digest of the list, hexadecimal.
    pub sha256: String,
    /// Bytes of all files but the list.
    pub size: u64,
}

/// A line of `decisions.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Decision {
    /// What the chain said at the end of the reveal window.
    Collected {
        /// The block that was asked.
        block: BlockNumber,
        /// Its hash.
        block_hash: String,
        /// Valid submissions before registration and lock were looked at.
        committed: usize,
    },
    /// A submission that does not take part.
    SubmissionRejected {
        /// Whose.
        hotkey: Hotkey,
        /// Why, as a sentence.
        reason: String,
    },
    /// The configuration in force for the whole round.
    Rules {
        /// `config.json` when the round's reveal window ended.
        config: Config,
        /// What regenerations may take.
        #[serde(default)]
        budget: Budget,
    },
    /// A module that broke a rule.
    ModuleRejected {
        /// Miner or leader.
        hotkey: Side,
        /// As in [`Artifact::Module`].
        repeat: u32,
        /// Prompt.
        stem: Stem,
        /// Digest of the module.
        sha256: String,
        /// Which rules, in order.
        faults: Vec<ModuleFault>,
    },
    /// A batch of a regeneration: what counts against the miner's limits.
    Batch {
        /// Whose image.
        side: Side,
        /// From 1.
        repeat: u32,
        /// From 0.
        batch: u32,
        /// Name of the pod.
        pod: String,
        /// What came of it.
        result: RegenerateOutput,
    },
    /// A regeneration's report.
    GenerationReport {
        /// As in `generation_reports.json`.
        report: GenerationReport,
        /// The limits in force.
        limits: RegenerationLimits,
    },
    /// A match or an audit, as published.
    Match {
        /// `matches` or `audits`.
        matrix: String,
        /// Left side as in the matrix.
        left: String,
        /// Right side.
        right: Hotkey,
        /// As in the matrix.
        margin: f64,
        /// The threshold in force.
        win_margin: f64,
        /// Digest of the report file; none for a walkover.
        report_sha256: Option<String>,
    },
    /// A verdict about an audited miner.
    Verdict {
        /// Whom.
        hotkey: Hotkey,
        /// As in `generation_audits.json`.
        verdict: Verdict,
        /// Its reason.
        reason: String,
        /// The threshold in force.
        win_margin: f64,
        /// Regenerations that were asked for.
        audit_repeats: u32,
    },
    /// A published verdict that the timeline no longer supports: it is not in `generation_audits.json` any more.
    VerdictWithdrawn {
        /// Whom it was about.
        hotkey: Hotkey,
        /// What it was.
        verdict: Verdict,
        /// Its reason.
        reason: String,
    },
    /// How the matches of the round are measured; told before the first result.
    JudgingRules {
        /// The rules.
        rules: Judging,
    },
    /// A run beside the first of a match near a threshold. It decides nothing.
    MeasuredAgain {
        /// `matches` or `audits`.
        matrix: String,
        /// Left side as in the matrix.
        left: String,
        /// Right side.
        right: Hotkey,
        /// Which judgement, and which run of it.
        measurement: Measurement,
        /// Right wins minus left wins.
        score: i64,
        /// Score by number of prompts.
        margin: f64,
        /// Who won each duel.
        winners: IndexMap<Stem, DuelWinner>,
    },
    /// A result that lost its ground, because a side shows something else now. It is measured again.
    ResultSuperseded {
        /// `matches` or `audits`.
        matrix: String,
        /// Left side as in the matrix.
        left: String,
        /// Right side.
        right: Hotkey,
        /// Right wins minus left wins.
        score: i64,
        /// Score by number of prompts.
        margin: f64,
        /// Digest of what it was judged on.
        shown_sha256: String,
        /// Why, as a sentence.
        because: String,
    },
    /// A result that an operator had judged anew.
    JudgedAnew {
        /// `matches` or `audits`.
        matrix: String,
        /// Left side as in the matrix.
        left: String,
        /// Right side.
        right: Hotkey,
        /// Which judgement it was.
        judgement: u32,
        /// Right wins minus left wins.
        score: i64,
        /// Score by number of prompts.
        margin: f64,
        /// Who.
        operator: String,
        /// Why.
        reason: String,
        /// Where the old result is kept.
        kept_as: String,
    },
    /// The champion of the timeline.
    Winner {
        /// Who.
        winner: Side,
        /// The image that won.
        docker_image: String,
    },
    /// A result that was measured again. The old one is kept.
    Superseded {
        /// The file whose content was replaced.
        path: String,
        /// Where the old content is kept, in the ledger folder.
        kept_as: String,
        /// Its digest.
        sha256: String,
        /// Key of the step that measured again.
        step: String,
        /// Its attempt.
        attempt: i32,
    },
}

/// A line of `duels/{match}.jsonl`: what a verdict was made from, and the verdict. Whose attempt came to it stands beside them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DuelVerdict {
    /// What was compared, with its digests.
    pub input: DuelInput,
    /// Who won, and why.
    pub output: DuelOutput,
}

/// A line of `operators.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OperatorAction {
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub operator: String,
    /// What: `retry`, `pause`, `edit`, …
    pub action: String,
    /// To what.
    pub target: String,
    /// Why.
    pub reason: String,
    /// How it was.
    pub before: Option<Value>,
    /// How it is now.
    pub after: Option<Value>,
}

impl Artifact {
    /// Writes the line.
    pub fn append(&self, round: RoundNumber) -> MirrorChange {
        append(round, &LedgerFile::Artifacts, self)
    }
}

impl Decision {
    /// Writes the line.
    pub fn append(&self, round: RoundNumber) -> MirrorChange {
        append(round, &LedgerFile::Decisions, self)
    }

    /// Whether somebody wins or loses by it, so that its line names the attempt that came to it.
    pub fn is_verdict(&self) -> bool {
        matches!(
            self,
            Self::Match { .. }
                | Self::Verdict { .. }
                | Self::VerdictWithdrawn { .. }
                | Self::MeasuredAgain { .. }
                | Self::Winner { .. }
        )
    }
}

impl OperatorAction {
    /// Writes the line.
    pub fn append(&self, round: RoundNumber) -> MirrorChange {
        append(round, &LedgerFile::Operators, self)
    }
}

impl DuelVerdict {
    /// Writes the line.
    pub fn append(&self, round: RoundNumber) -> MirrorChange {
        append(round, &duels_file(round, &self.input.match_key), self)
    }
}

/// The file of a match's duels: `round/3/match/leader/5F…` has `duels/match_leader_5F….jsonl`.
pub fn duels_file(round: RoundNumber, match_key: &str) -> LedgerFile {
    let key = match_key
        .strip_prefix(&format!("round/{round}/"))
        .unwrap_or(match_key);
    LedgerFile::Duels(key.replace('/', "_"))
}

fn append(round: RoundNumber, file: &LedgerFile, line: &impl Serialize) -> MirrorChange {
    MirrorChange::AppendLine {
        path: paths::ledger(round, file),
        line: serde_json::to_string(line)
            .expect("a line holds text, numbers and maps with text keys"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_match_has_one_file_for_its_duels() {
        assert_eq!(
            duels_file(RoundNumber(3), "round/3/compare/submitted_1/5F").to_string(),
            "duels/compare_submitted_1_5F.jsonl"
        );
    }

    #[test]
    fn a_line_is_read_back_as_it_was_written() {
        let decision = Decision::Batch {
            side: Side::Leader,
            repeat: 1,
            batch: 0,
            pod: "miner-00-leader-0".to_owned(),
            result: RegenerateOutput::Done {
                modules: Vec::new(),
                seconds: 12.25,
            },
        };
        let MirrorChange::AppendLine { path, line } = decision.append(RoundNumber(0)) else {
            panic!("a ledger is appended to");
        };
        assert_eq!(path, "rounds/0/ledger/decisions.jsonl");
        assert_eq!(serde_json::from_str::<Decision>(&line).unwrap(), decision);
    }
}
