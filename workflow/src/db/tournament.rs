//! What the tournament observes: one snapshot of the round's tables.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use anyhow::Context as _;
use schema::{
    Hotkey, RoundNumber, Side, TolerantFile,
    files::{
        AuditRequests, GenerationAudits, GenerationReport, GenerationReports, Matrix, SourceAudits,
        report::MatchReport,
    },
    paths,
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use sqlx::{PgConnection, types::Json};

use super::measurement::{MatchName, MatchUnderWay, MeasuredMatch};
use super::shown::{Stale, SupersededResult};
use crate::engine::Step as _;
use crate::round::judge::{DuelOutput, DuelSide, Pairing};
use crate::round::judging::Measurement;
use crate::round::steps::Redraw;
use crate::rules::{
    matches::Outputs,
    tournament::{Delivered, Observation},
};

/// Everything a pass of the tournament looks at.
#[derive(Debug, Clone, Default)]
pub struct Standing {
    /// What the fold is made from.
    pub observation: Observation,
    /// What the outside has seen.
    pub published: Published,
    /// The newest regeneration of each miner.
    pub regenerations: BTreeMap<Hotkey, Regenerating>,
    /// Regenerations under way, the leader's included.
    pub renting: usize,
    /// Miners whose build is decided.
    pub built: BTreeSet<Hotkey>,
    /// Measured matches and audits.
    pub measured: Vec<MeasuredMatch>,
    /// Matches and audits that are being played, first runs only.
    pub under_way: Vec<MatchUnderWay>,
    /// Later runs that exist, finished or not.
    pub repeats: HashSet<(MatchName, Measurement)>,
    /// Later runs that are finished.
    pub repeated: HashSet<(MatchName, Measurement)>,
    /// Which judgement of a match comes next, where it is not the first.
    pub next_judgement: HashMap<MatchName, u32>,
    /// Whether the rules of measurement are public.
    pub judging_published: bool,
    /// Which prompts each miner delivered.
    pub submitted_stems: HashMap<Hotkey, BTreeSet<String>>,
    /// Measured matches that count no more, because a side shows something else now.
    pub stale: Stale,
    /// Their results, as far as they are not in the ledger.
    pub superseded: Vec<SupersededResult>,
    /// Entries that are being drawn anew, as sentences name them.
    pub redrawn: Vec<String>,
}

/// How a regeneration stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Regenerating {
    /// Its key.
    pub key: String,
    /// Counts from 0 how often it began anew.
    pub again: u32,
    /// Its `job.state`.
    pub state: String,
}

impl Regenerating {
    /// Whether it is under way.
    pub fn is_running(&self) -> bool {
        !matches!(self.state.as_str(), "completed" | "failed" | "cancelled")
    }
}

/// Which measurements are public, and the reports of those that are not.
#[derive(Debug, Clone, Default)]
pub struct Published {
    /// Rows of `matches_matrix.csv`.
    pub matches: Matrix,
    /// Rows of `audit_matrix.csv`.
    pub audits: Matrix,
    /// Measurements that are not public, with their reports; a walkover has none.
    pub pending: Vec<(MatchName, Measurement, Option<MatchReport>)>,
}

/// Reads the round's standing.
///
/// # Errors
///
/// If the database fails or a stored file cannot be read; the file is named.
pub async fn standing(
    conn: &mut PgConnection,
    round: RoundNumber,
    prompts: usize,
) -> anyhow::Result<Standing> {
    let mut standing = Standing::default();
    super::measurement::read(conn, round, &mut standing).await?;
    super::measurement::read_jobs(conn, round, &mut standing).await?;
    standing.observation.reports = reports(conn, round).await?;
    standing.observation.source_audits =
        file::<SourceAudits>(conn, &paths::source_audit(round)).await?;
    standing.observation.requests =
        file::<AuditRequests>(conn, &paths::require_audit(round)).await?;
    standing.observation.verdicts =
        file::<GenerationAudits>(conn, &paths::generation_audits(round)).await?;
    entries(conn, round, prompts, &mut standing).await?;
    flows(conn, round, &mut standing).await?;
    let built: Vec<String> = sqlx::query_scalar(
        "SELECT hotkey FROM build WHERE round = $1 AND status NOT IN ('pending', 'in_progress')",
    )
    .bind(round.0 as i32)
    .fetch_all(&mut *conn)
    .await?;
    standing.built = built.into_iter().map(Hotkey::new).collect();
    standing.judging_published =
        sqlx::query_scalar::<_, bool>("SELECT judging IS NOT NULL FROM round WHERE round = $1")
            .bind(round.0 as i32)
            .fetch_optional(&mut *conn)
            .await?
            .unwrap_or(false);
    super::shown::withdraw_stale(conn, round, &mut standing).await?;
    standing.redrawn = sqlx::query_scalar(
        "SELECT format('new pictures of %s for %s', input #>> '{render,entry,side}', input #>> '{render,entry,stem}')
         FROM job WHERE round = $1 AND name = $2 AND finished_at IS NULL ORDER BY key",
    )
    .bind(round.0 as i32)
    .bind(Redraw::NAME)
    .fetch_all(conn)
    .await?;
    Ok(standing)
}

async fn flows(
    conn: &mut PgConnection,
    round: RoundNumber,
    standing: &mut Standing,
) -> anyhow::Result<()> {
    let flows: Vec<(String, Option<String>, i32, String)> = sqlx::query_as(
        "SELECT key, input ->> 'side', coalesce((input ->> 'again')::int, 0), state FROM job
         WHERE round = $1 AND kind = 'flow' AND name = 'regeneration' ORDER BY id",
    )
    .bind(round.0 as i32)
    .fetch_all(&mut *conn)
    .await?;
    for (key, side, again, state) in flows {
        let flow = Regenerating {
            key,
            again: u32::try_from(again).unwrap_or(0),
            state,
        };
        match side.as_deref().map(Side::from) {
            None => {}
            Some(Side::Leader) => standing.renting += usize::from(flow.is_running()),
            Some(Side::Miner(hotkey)) => {
                standing.renting += usize::from(flow.is_running());
                // In the order of their beginning: the last one stays.
                standing.regenerations.insert(hotkey, flow);
            }
        }
    }
    Ok(())
}

async fn reports(conn: &mut PgConnection, round: RoundNumber) -> anyhow::Result<GenerationReports> {
    let rows: Vec<Value> = sqlx::query_scalar(
        "SELECT jsonb_build_object('hotkey', hotkey, 'outcome', outcome, 'repeats', repeats, 'reason', reason)
         FROM generation_report WHERE round = $1",
    )
    .bind(round.0 as i32)
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|row| {
            let report: GenerationReport = serde_json::from_value(row)
                .context("a stored generation report has another shape")?;
            Ok((report.hotkey.clone(), report))
        })
        .collect()
}

async fn entries(
    conn: &mut PgConnection,
    round: RoundNumber,
    prompts: usize,
    standing: &mut Standing,
) -> anyhow::Result<()> {
    let rows: Vec<(String, i32, Vec<String>, i64)> = sqlx::query_as(
        "SELECT hotkey, repeat, coalesce(array_agg(stem) FILTER (WHERE js IS NOT NULL), '{}'), count(*)
         FROM entry WHERE round = $1 GROUP BY hotkey, repeat",
    )
    .bind(round.0 as i32)
    .fetch_all(conn)
    .await?;
    let mut delivered = Delivered {
        baseline: Outputs::NotReady,
        submitted: BTreeMap::new(),
        regenerated: BTreeMap::new(),
    };
    for (side, repeat, stems, settled) in rows {
        let any = !stems.is_empty();
        match (Side::from(side.as_str()), repeat) {
            (Side::Leader, _) if settled as usize >= prompts => {
                delivered.baseline = Outputs::complete(any)
            }
            (Side::Leader, _) => {}
            (Side::Miner(hotkey), 0) => {
                if settled as usize >= prompts {
                    delivered
                        .submitted
                        .insert(hotkey.clone(), Outputs::complete(any));
                }
                standing
                    .submitted_stems
                    .insert(hotkey, stems.into_iter().collect());
            }
            // A repeat is complete when the miner's report lists it, whatever is missing from it.
            (Side::Miner(hotkey), repeat) => {
                delivered
                    .regenerated
                    .insert((hotkey, repeat as u32), Outputs::complete(any));
            }
        }
    }
    // A listed repeat without a single row failed on every prompt.
    for report in standing.observation.reports.values() {
        for repeat in &report.repeats {
            delivered
                .regenerated
                .entry((report.hotkey.clone(), repeat.repeat_index))
                .or_insert(Outputs::Empty);
        }
    }
    standing.observation.delivered = delivered;
    Ok(())
}

/// A collection that may be absent. A row that cannot be read is left out and told of: it never stops the round.
async fn file<F: TolerantFile>(conn: &mut PgConnection, path: &str) -> anyhow::Result<F> {
    let content = super::state_file::read(conn, path).await?;
    let read = F::parse_tolerant(path, &content.unwrap_or_default())?;
    for problem in &read.problems {
        tracing::error!(mirror.path = path, problem = %problem, "a row of a state file cannot be read and is left out");
    }
    Ok(read.file)
}

/// What a side has to show in a match, by prompt stem.
///
/// # Errors
///
/// Whatever the database says.
pub async fn side_entries(
    conn: &mut PgConnection,
    round: RoundNumber,
    side: &Side,
    repeat: u32,
) -> sqlx::Result<HashMap<String, DuelSide>> {
    type Row = (
        String,
        Option<String>,
        Option<String>,
        Option<String>,
        Option<String>,
        Option<String>,
    );
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT stem, js, nullif(views, ''), module_sha256, pictures_sha256, prompt_sha256 FROM entry
         WHERE round = $1 AND hotkey = $2 AND repeat = $3",
    )
    .bind(round.0 as i32)
    .bind(side.as_str())
    .bind(repeat as i32)
    .fetch_all(conn)
    .await?;
    let side = |(stem, js, views, module_sha256, pictures_sha256, prompt_sha256)| {
        let side = DuelSide {
            js,
            views,
            module_sha256,
            pictures_sha256,
            prompt_sha256,
        };
        (stem, side)
    };
    Ok(rows.into_iter().map(side).collect())
}

/// What each side shows in a round, as digests. They change when any of a side's modules or pictures does.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown(HashMap<(Side, u32), String>);

impl Shown {
    /// The digest of what both sides of a match show, each a side and a repeat: what the match is bound to.
    pub fn of(&self, left: &(Side, u32), right: &(Side, u32)) -> String {
        let of = |side: &(Side, u32)| self.0.get(side).map_or("", String::as_str);
        hex::encode(Sha256::digest(format!("{} {}", of(left), of(right))))
    }
}

/// Reads what each side shows.
///
/// # Errors
///
/// Whatever the database says.
pub async fn shown(conn: &mut PgConnection, round: RoundNumber) -> sqlx::Result<Shown> {
    let rows: Vec<(String, i32, String)> = sqlx::query_as(
        "SELECT hotkey, repeat, encode(sha256(convert_to(string_agg(concat_ws(' ', stem, coalesce(js, '-'), coalesce(views, '-'),
                    coalesce(module_sha256, '-'), coalesce(pictures_sha256, '-'), coalesce(prompt_sha256, '-')),
                    E'\n' ORDER BY stem COLLATE \"C\"), 'UTF8')), 'hex')
         FROM entry WHERE round = $1 GROUP BY hotkey, repeat",
    )
    .bind(round.0 as i32)
    .fetch_all(conn)
    .await?;
    let shown = rows
        .into_iter()
        .map(|(side, repeat, digest)| ((Side::from(side.as_str()), repeat as u32), digest));
    Ok(Shown(shown.collect()))
}

/// Verdicts that stand, of duels whose binding is among `bindings`, by binding.
///
/// # Errors
///
/// Whatever the database says.
pub async fn judged_duels(
    conn: &mut PgConnection,
    pairing: &Pairing,
    bindings: &[String],
) -> sqlx::Result<HashMap<String, DuelOutput>> {
    let rows: Vec<(String, Json<DuelOutput>)> = sqlx::query_as(
        "SELECT duel.binding, job.output FROM duel JOIN job ON job.key = duel.job_key
         WHERE duel.round = $1 AND matrix = $2 AND left_side = $3 AND right_side = $4 AND binding = ANY($5)
           AND job.state = 'completed'",
    )
    .bind(pairing.round.0 as i32)
    .bind(&pairing.matrix)
    .bind(&pairing.left)
    .bind(&pairing.right)
    .bind(bindings)
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(binding, output)| (binding, output.0))
        .collect())
}

/// How a miner's build stands, and its image.
///
/// # Errors
///
/// Whatever the database says.
pub async fn build_image(
    conn: &mut PgConnection,
    round: RoundNumber,
    hotkey: &Hotkey,
) -> sqlx::Result<Option<(String, Option<String>)>> {
    sqlx::query_as("SELECT status, docker_image FROM build WHERE round = $1 AND hotkey = $2")
        .bind(round.0 as i32)
        .bind(hotkey.as_str())
        .fetch_optional(conn)
        .await
}

/// The digest that an image had when its build was decided, by any round that knows it; the newest first.
///
/// # Errors
///
/// Whatever the database says.
pub async fn image_digest(conn: &mut PgConnection, image: &str) -> sqlx::Result<Option<String>> {
    sqlx::query_scalar(
        "SELECT digest FROM build WHERE docker_image = $1 AND digest IS NOT NULL ORDER BY round DESC, hotkey LIMIT 1",
    )
    .bind(image)
    .fetch_optional(conn)
    .await
}

/// A submission of a round: repository and commit.
///
/// # Errors
///
/// Whatever the database says.
pub async fn submitted_code(
    conn: &mut PgConnection,
    round: RoundNumber,
    hotkey: &Hotkey,
) -> sqlx::Result<Option<(String, String)>> {
    sqlx::query_as("SELECT repo, commit FROM submission WHERE round = $1 AND hotkey = $2")
        .bind(round.0 as i32)
        .bind(hotkey.as_str())
        .fetch_optional(conn)
        .await
}
