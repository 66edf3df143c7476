//! Observations in short form, and what the tests ask of decisions.

#![allow(clippy::unwrap_used)]

mod decisions;
mod naive;
mod properties;
mod real_rounds;
mod scenarios;

use schema::files::{GenerationReport, RepeatReport, SourceAudit};

use super::*;

/// An observation in which everything that was submitted is ready, `win_margin` is 0.05 and there is one repeat.
pub fn round(challengers: &[&str]) -> Observation {
    Observation {
        win_margin: 0.05,
        audit_repeats: 1,
        challengers: challengers
            .iter()
            .map(|hotkey| Hotkey::new(*hotkey))
            .collect(),
        delivered: Delivered {
            baseline: Outputs::Usable,
            submitted: challengers
                .iter()
                .map(|hotkey| (Hotkey::new(*hotkey), Outputs::Usable))
                .collect(),
            regenerated: BTreeMap::new(),
        },
        ..Observation::default()
    }
}

impl Observation {
    /// A row of the matches matrix.
    pub fn played(mut self, left: &str, right: &str, margin: f64) -> Self {
        self.matches
            .insert(&Side::from(left), &Hotkey::new(right), margin);
        self
    }

    /// A row of the audit matrix: left as in the file.
    pub fn audited(mut self, left: &str, right: &str, margin: f64) -> Self {
        self.audits.insert(&left, &Hotkey::new(right), margin);
        self
    }

    /// Both audit duels of repeat 1 against `defender`, passed.
    pub fn passed_audits(self, defender: &str, right: &str) -> Self {
        self.audited("submitted_1", right, 0.0)
            .audited(&format!("{defender}_1"), right, 1.0)
    }

    /// A line of the source audit file.
    pub fn source(mut self, hotkey: &str, passed: bool) -> Self {
        let verdict = if passed {
            Verdict::Passed
        } else {
            Verdict::Failed
        };
        self.source_audits.0.push(SourceAudit {
            hotkey: hotkey.into(),
            verdict,
            reason: String::new(),
        });
        self
    }

    /// A report that lists `repeats`, all of them usable.
    pub fn reported(mut self, hotkey: &str, outcome: ReportOutcome, repeats: &[u32]) -> Self {
        let hotkey = Hotkey::new(hotkey);
        let listed = repeats.iter().map(|index| RepeatReport {
            repeat_index: *index,
            generated_prompts: 128,
            failed_prompts: 0,
            generation_time: None,
        });
        let report = GenerationReport {
            hotkey: hotkey.clone(),
            outcome,
            repeats: listed.collect(),
            reason: String::new(),
        };
        self.reports.insert(hotkey.clone(), report);
        for repeat in repeats {
            self.delivered
                .regenerated
                .insert((hotkey.clone(), *repeat), Outputs::Usable);
        }
        self
    }

    /// The state after the decision's files are written.
    pub fn after(mut self, decision: &Decision) -> Self {
        self.requests = decision.audit_requests.clone();
        self.verdicts = decision.verdicts.clone();
        self
    }

    /// What follows from it.
    pub fn decision(&self) -> Decision {
        decide(self, &derive(self))
    }

    /// The timeline in one line: `A won V vs leader; B lost to A`.
    pub fn story(&self) -> String {
        let entries: Vec<String> = derive(self).entries.iter().map(told).collect();
        entries.join("; ")
    }
}

fn told(entry: &TimelineEntry) -> String {
    let (hotkey, defender) = (&entry.hotkey, &entry.defender);
    match &entry.state {
        EntryState::Rejected { reason } => format!("{hotkey} rejected: {reason}"),
        EntryState::Pending => format!("{hotkey} pending vs {defender}"),
        EntryState::Lost { .. } => format!("{hotkey} lost to {defender}"),
        EntryState::Won { verified: true, .. } => format!("{hotkey} won V vs {defender}"),
        EntryState::Won {
            verified: false, ..
        } => format!("{hotkey} won U vs {defender}"),
    }
}

impl Decision {
    /// The winner, as in the file.
    pub fn winner(&self) -> Option<&str> {
        self.winner.as_ref().map(Side::as_str)
    }

    /// `leader-A` for every match to play.
    pub fn matches(&self) -> Vec<String> {
        self.matches_to_play
            .iter()
            .map(|planned| format!("{}-{}", planned.left, planned.right))
            .collect()
    }

    /// The matches to play for one purpose.
    pub fn of_purpose(&self, purpose: MatchPurpose) -> Vec<String> {
        let wanted = self
            .matches_to_play
            .iter()
            .filter(|planned| planned.purpose == purpose);
        wanted
            .map(|planned| format!("{}-{}", planned.left, planned.right))
            .collect()
    }

    /// `submitted_1-A` for every audit duel to play.
    pub fn audit_duels(&self) -> Vec<String> {
        self.audit_duels_to_play
            .iter()
            .map(|planned| format!("{}-{}", planned.left, planned.right))
            .collect()
    }

    /// `A vs leader` for every request.
    pub fn requests(&self) -> Vec<String> {
        let requests = self.audit_requests.values();
        requests
            .map(|request| format!("{} vs {}", request.hotkey, request.latest_defender))
            .collect()
    }

    /// `A passed` or `A failed: reason` for every verdict.
    pub fn verdicts(&self) -> Vec<String> {
        let told = |audit: &schema::files::GenerationAudit| match audit.reason.as_str() {
            "" => format!("{} {}", audit.hotkey, audit.verdict),
            reason => format!("{} {}: {reason}", audit.hotkey, audit.verdict),
        };
        self.verdicts.values().map(told).collect()
    }
}
