//! Where the seed comes from, when the round says so.

use schema::paths::LedgerFile;
use schema::{RoundNumber, paths};
use workflow::rules::seed::SeedProof;

use super::super::code::Code;
use super::super::model::{Competition, RoundFiles};
use super::super::report::Record;

/// Checks the published derivation of a round's seed.
pub(in super::super) fn check(
    competition: &Competition,
    round: RoundNumber,
    files: &RoundFiles,
    record: &mut Record,
) {
    let Some(seed) = files.seed else { return };
    let path = paths::ledger(round, &LedgerFile::Seed);
    let Some(bytes) = files.ledger.get("seed.json") else {
        record.find(
            Code::SeedUnproven,
            Some(round),
            paths::seed(round),
            format!(
                "seed {} is published without what it was derived from",
                seed.seed
            ),
        );
        return;
    };
    let proof: SeedProof = match serde_json::from_slice(bytes) {
        Ok(proof) => proof,
        Err(error) => {
            record.find(
                Code::LedgerUnreadable,
                Some(round),
                path,
                format!("expected a derivation of the seed: {error}"),
            );
            return;
        }
    };
    let mut expect = |holds: bool, message: String| {
        record.expect(holds, Code::SeedProof, Some(round), &path, || message);
    };
    expect(
        proof.holds(),
        "the seed does not follow from the block hash that is given".to_owned(),
    );
    expect(
        proof.seed == seed.seed,
        format!(
            "it derives {}, but seed.json says {}",
            proof.seed, seed.seed
        ),
    );
    expect(
        proof.round == round,
        format!("it is the derivation of round {}", proof.round),
    );
    if let Some(schedule) = &files.schedule {
        let latest = schedule.latest_reveal_block;
        expect(
            proof.block_number == latest,
            format!(
                "it uses block {}, not the last reveal block {latest}",
                proof.block_number
            ),
        );
    }
    if let Some(config) = competition.config_at_start(files) {
        expect(
            proof.competition == config.name,
            format!(
                "it is for competition `{}`, not `{}`",
                proof.competition, config.name
            ),
        );
    }
}
