//! The auditor: a person with push access who reads the sources of accepted submissions and writes the verdicts.

use schema::files::{SourceAudit, SourceAudits, State, Submissions, Verdict};
use schema::{StateFile, paths};
use tokio_util::sync::CancellationToken;

use crate::git::{Author, Remote};

const AUDITOR: Author = Author {
    name: "Rehearsal Auditor",
    email: "auditor@rehearsal.example",
};

/// The auditor, looking at the state repository and committing to it.
#[derive(Clone)]
pub(super) struct Auditor {
    pub remote: Remote,
}

impl Auditor {
    /// Audits every round's submissions as they appear, until `stop`.
    pub(super) async fn run(self, stop: CancellationToken) {
        super::on_every_move(
            &self.remote.clone(),
            stop,
            "the source auditor",
            move || self.look(),
        )
        .await;
    }

    /// Passes every submission of the current round that has no verdict yet.
    pub(super) fn look(&self) -> anyhow::Result<()> {
        let Some(bytes) = self.remote.read(&paths::state())? else {
            return Ok(());
        };
        let round = State::parse(&paths::state(), &bytes)?.current_round;
        let path = paths::submissions(round);
        let Some(bytes) = self.remote.read(&path)? else {
            return Ok(());
        };
        let submissions = Submissions::parse(&path, &bytes)?;

        let path = paths::source_audit(round);
        let known = self.remote.read(&path)?;
        let mut audits = SourceAudits::parse(&path, known.as_deref().unwrap_or_default())?;
        let missing: Vec<SourceAudit> = submissions
            .0
            .keys()
            .filter(|hotkey| audits.of(hotkey).is_none())
            .map(|hotkey| SourceAudit {
                hotkey: hotkey.clone(),
                verdict: Verdict::Passed,
                reason: "No issues found".to_owned(),
            })
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        audits.0.extend(missing);
        let message = format!("Update source audits for round {round}");
        self.remote
            .commit_as(AUDITOR, &[(path, audits.to_bytes())], &message)?;
        Ok(())
    }
}
