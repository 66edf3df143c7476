//! After everything is put back: does the database say what the repository says?

use schema::files::{GenerationReports, Matrix};
use sqlx::PgConnection;
use workflow::db;

use super::{RecoverError, plan::Plan, public_round::PublicRound};

/// Compares the tournament's view of the database with the repository.
pub(super) async fn compare(
    conn: &mut PgConnection,
    round: &PublicRound,
    plan: &Plan,
) -> anyhow::Result<()> {
    let Some(seeded) = &round.seeded else {
        return Ok(());
    };
    let standing = db::tournament::standing(conn, round.number, seeded.prompt_urls.len()).await?;
    let facts = [
        (
            same_rows(&standing.observation.matches, &round.matches)
                && same_rows(&standing.published.matches, &round.matches),
            "the rows of matches_matrix.csv",
        ),
        (
            same_rows(&standing.observation.audits, &round.audits)
                && same_rows(&standing.published.audits, &round.audits),
            "the rows of audit_matrix.csv",
        ),
        (
            same_reports(&standing.observation.reports, &round.generation_reports),
            "the generation reports",
        ),
        (
            standing.observation.requests == round.requests,
            "the audit requests",
        ),
        (
            standing.observation.verdicts == round.verdicts,
            "the verdicts",
        ),
        (
            db::recovered::submitted_entries(conn, round.number).await? == plan.entries,
            "the submitted entries",
        ),
    ];
    match facts.into_iter().find(|(holds, _)| !holds) {
        None => Ok(()),
        Some((_, what)) => Err(RecoverError::Differs(what.to_owned()).into()),
    }
}

/// Rows in the order of play.
fn same_rows(one: &Matrix, other: &Matrix) -> bool {
    one.rows().eq(other.rows())
}

/// Rows of a table have no order.
fn same_reports(one: &GenerationReports, other: &GenerationReports) -> bool {
    one.len() == other.len()
        && one
            .iter()
            .all(|(hotkey, report)| other.get(hotkey) == Some(report))
}
