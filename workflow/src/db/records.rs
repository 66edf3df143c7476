//! Rows of the round's tables, written in the transaction that completes the step they come from.

use serde_json::Value;
use sqlx::{PgConnection, types::Json};

use crate::round::{
    judging::{Judging, Measurement},
    notices::NoticeText,
};

/// One row. Writing the same row again changes nothing but its values.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// The round's stage.
    Stage {
        /// Round.
        round: u32,
        /// Stage word of `state.json`.
        stage: String,
    },
    /// What an unfinished round waits for, shown to operators.
    WaitsFor {
        /// Round.
        round: u32,
        /// Sentences.
        waits_for: Vec<String>,
    },
    /// The round's winner.
    Winner {
        /// Round.
        round: u32,
        /// Hotkey or `leader`.
        winner: String,
    },
    /// An accepted submission.
    Submission {
        /// Round.
        round: u32,
        /// Position in `submissions.json`.
        position: i32,
        /// Miner.
        hotkey: String,
        /// `owner/name`.
        repo: String,
        /// 40 hex digits.
        commit: String,
        /// Normalised URL.
        cdn_url: String,
        /// Block of the reveal.
        revealed_at_block: i64,
    },
    /// A delivered, missing or failed module.
    Entry(EntryRecord),
    /// A judged duel.
    Duel(DuelRecord),
    /// A finished match.
    Match {
        /// Round.
        round: u32,
        /// `matches` or `audits`.
        matrix: &'static str,
        /// Left side as in the matrix.
        left: String,
        /// Right side as in the matrix.
        right: String,
        /// Right wins minus left wins.
        score: i32,
        /// Score by number of duels.
        margin: f64,
        /// Number of duels.
        duels: i32,
        /// Which judgement of the match, and which run of it: the first run counts, later ones stand beside it.
        measurement: Measurement,
        /// Key of the flow that measured it.
        job_key: String,
    },
    /// How the round's matches are measured is public now.
    Judging {
        /// Round.
        round: u32,
        /// The rules.
        judging: Judging,
    },
    /// What a finished match was judged on. A result on other pictures is superseded and to be published again.
    MatchShown {
        /// Round.
        round: u32,
        /// `matches` or `audits`.
        matrix: &'static str,
        /// Left side as in the matrix.
        left: String,
        /// Right side as in the matrix.
        right: String,
        /// Digest of both sides' modules and pictures.
        shown_sha256: String,
        /// The flow that judged it.
        job_key: String,
        /// Right wins minus left wins.
        score: i32,
        /// Score by number of duels.
        margin: f64,
    },
    /// A superseded result is in the ledger now.
    SupersededPublished {
        /// Round.
        round: u32,
        /// The flow that judged it.
        job_key: String,
    },
    /// A finished match is public now.
    MatchPublished {
        /// Round.
        round: u32,
        /// `matches` or `audits`.
        matrix: &'static str,
        /// Left side as in the matrix.
        left: String,
        /// Right side as in the matrix.
        right: String,
        /// Which measurement.
        measurement: Measurement,
    },
    /// A miner's regeneration report.
    Report {
        /// Round.
        round: u32,
        /// Miner.
        hotkey: String,
        /// `pending`, `completed` or `rejected`.
        outcome: String,
        /// As in `generation_reports.json`.
        repeats: Value,
        /// Empty unless rejected.
        reason: String,
    },
    /// A build's status.
    Build {
        /// Round.
        round: u32,
        /// Miner.
        hotkey: String,
        /// Status word of `builds.json`.
        status: String,
        /// Image of a successful build.
        docker_image: Option<String>,
        /// Digest of its manifest, if the registry told.
        digest: Option<String>,
    },
    /// The round stops until an operator lets it go on.
    Pause {
        /// Round.
        round: u32,
    },
    /// The next round stops too if this one is paused.
    PauseAlso {
        /// The round that may be paused.
        round: u32,
        /// The one after it.
        next: u32,
    },
    /// What people are told.
    Notice {
        /// Round.
        round: u32,
        /// What it is about.
        subject: String,
        /// What it says.
        text: NoticeText,
    },
}

/// A row of `entry`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct EntryRecord {
    /// Round.
    pub round: u32,
    /// Miner or `leader`.
    pub hotkey: String,
    /// 0 for the submission, 1 and up for regenerations.
    pub repeat: i32,
    /// Prompt stem.
    pub stem: String,
    /// Module URL.
    pub js: Option<String>,
    /// Views prefix.
    pub views: Option<String>,
    /// Why not.
    pub failure_reason: Option<String>,
    /// Module bytes.
    pub size: i64,
    /// Digest of the module.
    pub module_sha256: Option<String>,
    /// Digest of the scene document that was drawn.
    pub document_sha256: Option<String>,
    /// Digest of all objects of the views.
    pub pictures_sha256: Option<String>,
    /// Digest of the prompt's image that the views were embedded with.
    pub prompt_sha256: Option<String>,
}

/// A row of `duel`.
#[derive(Debug, Clone, PartialEq)]
pub struct DuelRecord {
    /// Round.
    pub round: u32,
    /// `matches` or `audits`.
    pub matrix: String,
    /// Left side as in the matrix.
    pub left: String,
    /// Right side as in the matrix.
    pub right: String,
    /// Prompt stem.
    pub stem: String,
    /// 0 for the measurement that counts.
    pub run: i32,
    /// Digest of everything the verdict depends on.
    pub binding: String,
    /// `left`, `right` or `draw`.
    pub winner: &'static str,
    /// The words for what decided.
    pub decided_by: String,
    /// Key of the flow that judged.
    pub job_key: String,
}

impl Record {
    /// Writes the row.
    ///
    /// # Errors
    ///
    /// Whatever the database says.
    pub async fn write(&self, conn: &mut PgConnection) -> sqlx::Result<()> {
        match self {
            Self::Stage { round, stage } => sqlx::query(
                "INSERT INTO round (round, stage) VALUES ($1, $2)
                 ON CONFLICT (round) DO UPDATE SET stage = excluded.stage, stage_since = now()",
            )
            .bind(*round as i32)
            .bind(stage),
            Self::WaitsFor { round, waits_for } => {
                sqlx::query("UPDATE round SET waits_for = $2 WHERE round = $1").bind(*round as i32).bind(waits_for)
            }
            Self::Winner { round, winner } => {
                sqlx::query("UPDATE round SET winner = $2 WHERE round = $1").bind(*round as i32).bind(winner)
            }
            Self::Submission { round, position, hotkey, repo, commit, cdn_url, revealed_at_block } => sqlx::query(
                "INSERT INTO submission (round, position, hotkey, repo, commit, cdn_url, revealed_at_block)
                 VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (round, hotkey) DO NOTHING",
            )
            .bind(*round as i32)
            .bind(position)
            .bind(hotkey)
            .bind(repo)
            .bind(commit)
            .bind(cdn_url)
            .bind(revealed_at_block),
            Self::Entry(entry) => sqlx::query(
                "INSERT INTO entry (round, hotkey, repeat, stem, js, views, failure_reason, size, module_sha256, document_sha256,
                                    pictures_sha256, prompt_sha256)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
                 ON CONFLICT (round, hotkey, repeat, stem) DO UPDATE
                 SET js = excluded.js, views = excluded.views, failure_reason = excluded.failure_reason, size = excluded.size,
                     module_sha256 = excluded.module_sha256, document_sha256 = excluded.document_sha256,
                     pictures_sha256 = excluded.pictures_sha256, prompt_sha256 = excluded.prompt_sha256, recorded_at = now()",
            )
            .bind(entry.round as i32)
            .bind(&entry.hotkey)
            .bind(entry.repeat)
            .bind(&entry.stem)
            .bind(&entry.js)
            .bind(&entry.views)
            .bind(&entry.failure_reason)
            .bind(entry.size)
            .bind(&entry.module_sha256)
            .bind(&entry.document_sha256)
            .bind(&entry.pictures_sha256)
            .bind(&entry.prompt_sha256),
            // New pictures supersede the verdict on the old ones.
            Self::Duel(duel) => sqlx::query(
                "WITH superseded AS (
                     UPDATE duel SET superseded_at = now()
                     WHERE round = $1 AND matrix = $2 AND left_side = $3 AND right_side = $4 AND stem = $5 AND run = $6
                       AND binding <> $7 AND superseded_at IS NULL
                 )
                 INSERT INTO duel (round, matrix, left_side, right_side, stem, run, binding, winner, decided_by, job_key)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
                 ON CONFLICT (round, matrix, left_side, right_side, stem, run, binding) DO UPDATE
                 SET superseded_at = NULL",
            )
            .bind(duel.round as i32)
            .bind(&duel.matrix)
            .bind(&duel.left)
            .bind(&duel.right)
            .bind(&duel.stem)
            .bind(duel.run)
            .bind(&duel.binding)
            .bind(duel.winner)
            .bind(&duel.decided_by)
            .bind(&duel.job_key),
            Self::Match { round, matrix, left, right, score, margin, duels, measurement, job_key } => {
                let insert = if measurement.run == 0 {
                    // A later judgement replaces an earlier one; a late end of an earlier one replaces nothing.
                    "INSERT INTO match_result (round, matrix, left_side, right_side, score, margin, duels, judgement, job_key)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
                     ON CONFLICT (round, matrix, left_side, right_side) DO UPDATE
                     SET score = excluded.score, margin = excluded.margin, duels = excluded.duels, recorded_at = now(),
                         judgement = excluded.judgement, job_key = excluded.job_key
                     WHERE match_result.judgement <= excluded.judgement"
                } else {
                    "INSERT INTO repeated_match (round, matrix, left_side, right_side, score, margin, duels, judgement, job_key, run)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING"
                };
                let insert = sqlx::query(insert)
                    .bind(*round as i32)
                    .bind(*matrix)
                    .bind(left)
                    .bind(right)
                    .bind(score)
                    .bind(margin)
                    .bind(duels)
                    .bind(measurement.judgement as i32)
                    .bind(job_key);
                if measurement.run == 0 { insert } else { insert.bind(measurement.run as i32) }
            }
            Self::Judging { round, judging } => {
                sqlx::query("UPDATE round SET judging = $2 WHERE round = $1").bind(*round as i32).bind(Json(judging))
            }
            Self::MatchShown { round, matrix, left, right, shown_sha256, job_key, score, margin } => sqlx::query(
                "WITH old AS (
                     SELECT * FROM match_shown
                     WHERE round = $1 AND matrix = $2 AND left_side = $3 AND right_side = $4 AND shown_sha256 <> $5
                 ), superseded AS (
                     INSERT INTO superseded_pictures (round, matrix, left_side, right_side, shown_sha256, job_key, score, margin)
                     SELECT round, matrix, left_side, right_side, shown_sha256, job_key, score, margin FROM old
                     ON CONFLICT DO NOTHING
                 ), again AS (
                     UPDATE match_result SET published = false FROM old
                     WHERE match_result.round = old.round AND match_result.matrix = old.matrix
                       AND match_result.left_side = old.left_side AND match_result.right_side = old.right_side
                 )
                 INSERT INTO match_shown (round, matrix, left_side, right_side, shown_sha256, job_key, score, margin)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                 ON CONFLICT (round, matrix, left_side, right_side) DO UPDATE
                 SET shown_sha256 = excluded.shown_sha256, job_key = excluded.job_key, score = excluded.score,
                     margin = excluded.margin",
            )
            .bind(*round as i32)
            .bind(*matrix)
            .bind(left)
            .bind(right)
            .bind(shown_sha256)
            .bind(job_key)
            .bind(score)
            .bind(margin),
            Self::SupersededPublished { round, job_key } => {
                sqlx::query("UPDATE superseded_pictures SET published = true WHERE round = $1 AND job_key = $2")
                    .bind(*round as i32)
                    .bind(job_key)
            }
            Self::MatchPublished { round, matrix, left, right, measurement } => {
                let show = if measurement.run == 0 {
                    "UPDATE match_result SET published = true
                     WHERE round = $1 AND matrix = $2 AND left_side = $3 AND right_side = $4 AND judgement = $5"
                } else {
                    "UPDATE repeated_match SET published = true
                     WHERE round = $1 AND matrix = $2 AND left_side = $3 AND right_side = $4 AND judgement = $5 AND run = $6"
                };
                let show = sqlx::query(show)
                    .bind(*round as i32)
                    .bind(*matrix)
                    .bind(left)
                    .bind(right)
                    .bind(measurement.judgement as i32);
                if measurement.run == 0 { show } else { show.bind(measurement.run as i32) }
            }
            Self::Report { round, hotkey, outcome, repeats, reason } => sqlx::query(
                "INSERT INTO generation_report (round, hotkey, outcome, repeats, reason) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (round, hotkey) DO UPDATE
                 SET outcome = excluded.outcome, repeats = excluded.repeats, reason = excluded.reason",
            )
            .bind(*round as i32)
            .bind(hotkey)
            .bind(outcome)
            .bind(repeats)
            .bind(reason),
            Self::Build { round, hotkey, status, docker_image, digest } => sqlx::query(
                "INSERT INTO build (round, hotkey, status, docker_image, digest) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (round, hotkey) DO UPDATE
                 SET status = excluded.status, docker_image = excluded.docker_image, digest = excluded.digest",
            )
            .bind(*round as i32)
            .bind(hotkey)
            .bind(status)
            .bind(docker_image)
            .bind(digest),
            Self::Pause { round } => sqlx::query(
                "INSERT INTO pause (round) SELECT $1
                 WHERE NOT EXISTS (SELECT FROM pause WHERE round = $1 AND num_nonnulls(job_id, key, name, queue) = 0)",
            )
            .bind(*round as i32),
            Self::PauseAlso { round, next } => sqlx::query(
                "INSERT INTO pause (round) SELECT $2
                 WHERE EXISTS (SELECT FROM pause WHERE round = $1 AND num_nonnulls(job_id, key, name, queue) = 0)
                   AND NOT EXISTS (SELECT FROM pause WHERE round = $2 AND num_nonnulls(job_id, key, name, queue) = 0)",
            )
            .bind(*round as i32)
            .bind(*next as i32),
            Self::Notice { round, subject, text } => return super::notice::add(conn, *round, subject, text).await,
        }
        .execute(conn)
        .await
        .map(drop)
    }
}
