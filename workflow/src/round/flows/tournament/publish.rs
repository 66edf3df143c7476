//! What the outside has not seen yet: reports with their rows, requests and verdicts, in one commit.

use std::collections::{BTreeSet, HashMap};

use schema::{
    Hotkey, RoundNumber, Side, StateFile as _,
    files::{AuditLeft, report::MatchReport},
    messages,
    paths::{self, ReportNames},
};
use sha2::{Digest as _, Sha256};

use super::TournamentInput;
use crate::{
    db::{measurement::MatchName, records::Record, tournament::Standing},
    engine::{Effects, MirrorChange, Publication},
    round::{
        judging::Measurement,
        ledger,
        notices::{self, NoticeText, TIMELINE},
    },
    rules::tournament::{self, Decision, PublicRow, Timeline},
};

/// Everything that is new.
pub(super) fn publish(
    input: &TournamentInput,
    standing: &Standing,
    timeline: &Timeline,
    wanted: &Decision,
    is_over: bool,
) -> Effects {
    let observation = &standing.observation;
    let mut commit = Commit::new(input.round, standing);
    if !standing.judging_published {
        commit.judging(input);
    }

    let mut rows = tournament::publishable_rows(observation, &standing.published.matches);
    if is_over {
        let mut shown = standing.published.matches.clone();
        for (left, right, margin) in &rows {
            shown.insert(left, right, *margin);
        }
        rows.extend(tournament::remaining_rows(observation, &shown));
    }
    for row in rows {
        commit.match_row(row);
    }
    for (left, right, margin) in observation.audits.rows() {
        commit.audit_row(left, right, margin);
    }
    commit.completed_audits(timeline);
    if observation.is_qualified() {
        commit.tell(notices::timeline(input.round, timeline), TIMELINE);
    }
    commit.repeats();
    commit.superseded();
    if wanted.audit_requests != observation.requests {
        commit.put(
            paths::require_audit(input.round),
            wanted.audit_requests.to_bytes(),
            messages::audit_requests(input.round),
        );
        commit.new_requests(timeline, wanted);
    }
    if wanted.verdicts != observation.verdicts {
        commit.put(
            paths::generation_audits(input.round),
            wanted.verdicts.to_bytes(),
            messages::generation_audits(input.round),
        );
        commit.new_verdicts(wanted);
    }
    commit.into_effects(is_over)
}

/// A commit in the making.
struct Commit<'a> {
    round: RoundNumber,
    /// First runs that are not public.
    pending: HashMap<MatchName, (Measurement, Option<&'a MatchReport>)>,
    standing: &'a Standing,
    names: ReportNames,
    changes: Vec<MirrorChange>,
    said: Vec<String>,
    records: Vec<Record>,
    /// Miners with an audit that becomes public.
    audited: BTreeSet<&'a Hotkey>,
}

impl<'a> Commit<'a> {
    fn new(round: RoundNumber, standing: &'a Standing) -> Self {
        let pending = standing.published.pending.iter();
        Self {
            round,
            pending: pending
                .filter(|(_, measurement, _)| measurement.run == 0)
                .map(|(name, measurement, report)| (name.clone(), (*measurement, report.as_ref())))
                .collect(),
            standing,
            names: ReportNames::new(&standing.observation.challengers),
            changes: Vec::new(),
            said: Vec::new(),
            records: Vec::new(),
            audited: BTreeSet::new(),
        }
    }

    /// The rules of measurement, before the first result.
    fn judging(&mut self, input: &TournamentInput) {
        let rules = ledger::Decision::JudgingRules {
            rules: input.judging.clone(),
        };
        self.decision(&rules, messages::judging_rules(self.round));
        self.records.push(Record::Judging {
            round: self.round.0,
            judging: input.judging.clone(),
        });
    }

    fn match_row(&mut self, (left, right, margin): PublicRow) {
        let name = MatchName {
            matrix: "matches",
            left: left.to_string(),
            right: right.clone(),
        };
        let Some((measurement, report)) = self.pending.remove(&name) else {
            return;
        };
        if let Some(report) = report {
            self.put(
                self.names.duels_report(self.round, &left, &right),
                report.to_bytes(),
                messages::match_report(&left, &right),
            );
        }
        self.row(paths::matches_matrix(self.round), &name, margin);
        self.measured(&name, margin, report);
        self.said.push(messages::matches_matrix(self.round));
        self.shown(name, measurement);
    }

    fn audit_row(&mut self, left: &str, right: &'a Hotkey, margin: f64) {
        let name = MatchName {
            matrix: "audits",
            left: left.to_owned(),
            right: right.clone(),
        };
        let Some(side) = AuditLeft::parse(left) else {
            return;
        };
        let Some((measurement, report)) = self.pending.remove(&name) else {
            return;
        };
        if let Some(report) = report {
            self.put(
                self.names
                    .audit_report(self.round, &report.left, right, side.repeat()),
                report.to_bytes(),
                messages::audit_report(&report.left, right),
            );
        }
        self.row(paths::audit_matrix(self.round), &name, margin);
        self.measured(&name, margin, report);
        self.said.push(messages::audit_matrix(self.round));
        self.shown(name, measurement);
        self.audited.insert(right);
    }

    fn tell(&mut self, text: NoticeText, subject: impl Into<String>) {
        self.records.push(text.about(self.round, subject));
    }

    /// People are told of each request that is new or names another defender.
    fn new_requests(&mut self, timeline: &Timeline, wanted: &Decision) {
        for (hotkey, request) in &wanted.audit_requests {
            if self.standing.observation.requests.get(hotkey) == Some(request) {
                continue;
            }
            if let Some(text) = notices::audit_requested(self.round, timeline, hotkey) {
                self.tell(text, notices::request_subject(hotkey));
            }
        }
    }

    /// People are told how an audit went when the margin that ends it becomes public.
    fn completed_audits(&mut self, timeline: &Timeline) {
        for hotkey in std::mem::take(&mut self.audited) {
            let Some(entry) = timeline.entry(hotkey) else {
                continue;
            };
            let observation = &self.standing.observation;
            if let Some(text) = notices::audit_completed(self.round, observation, entry) {
                self.tell(text, notices::audit_subject(hotkey, &entry.defender));
            }
        }
    }

    /// Runs beside the first, each as one line of the ledger with its verdict on every prompt.
    fn repeats(&mut self) {
        let standing = self.standing;
        for (name, measurement, report) in &standing.published.pending {
            let Some(report) = report.as_ref().filter(|_| measurement.run > 0) else {
                continue;
            };
            let duels = report.duels.iter();
            let again = ledger::Decision::MeasuredAgain {
                matrix: name.matrix.to_owned(),
                left: name.left.clone(),
                right: name.right.clone(),
                measurement: *measurement,
                score: report.score,
                margin: report.margin,
                winners: duels.map(|duel| (duel.name.clone(), duel.winner)).collect(),
            };
            let left = Side::from(name.left.as_str());
            self.decision(&again, messages::measured_again(&left, &name.right));
            self.shown(name.clone(), *measurement);
        }
    }

    fn decision(&mut self, decision: &ledger::Decision, message: String) {
        self.changes.push(decision.append(self.round));
        self.said.push(message);
    }

    /// The line of the ledger for a published match or audit.
    fn measured(&mut self, name: &MatchName, margin: f64, report: Option<&MatchReport>) {
        let decision = ledger::Decision::Match {
            matrix: name.matrix.to_owned(),
            left: name.left.clone(),
            right: name.right.clone(),
            margin,
            win_margin: self.standing.observation.win_margin,
            report_sha256: report.map(|report| hex::encode(Sha256::digest(report.to_bytes()))),
        };
        self.changes.push(decision.append(self.round));
    }

    /// Results that lost their ground because a side shows other pictures.
    fn superseded(&mut self) {
        let standing = self.standing;
        for result in &standing.superseded {
            let line = ledger::Decision::ResultSuperseded {
                matrix: result.matrix.clone(),
                left: result.left_side.clone(),
                right: Hotkey::new(&result.right_side),
                score: i64::from(result.score),
                margin: result.margin,
                shown_sha256: result.shown_sha256.clone(),
                because: "a side shows other modules or pictures".to_owned(),
            };
            self.decision(&line, messages::ledger(self.round));
            self.records.push(Record::SupersededPublished {
                round: self.round.0,
                job_key: result.job_key.clone(),
            });
        }
    }

    /// A line of the ledger for each verdict that is new, has changed, or is withdrawn.
    fn new_verdicts(&mut self, wanted: &Decision) {
        let observation = &self.standing.observation;
        for (hotkey, audit) in &observation.verdicts {
            if wanted.verdicts.contains_key(hotkey) {
                continue;
            }
            let withdrawn = ledger::Decision::VerdictWithdrawn {
                hotkey: hotkey.clone(),
                verdict: audit.verdict,
                reason: audit.reason.clone(),
            };
            self.changes.push(withdrawn.append(self.round));
        }
        for (hotkey, audit) in &wanted.verdicts {
            if observation.verdicts.get(hotkey) == Some(audit) {
                continue;
            }
            let verdict = ledger::Decision::Verdict {
                hotkey: hotkey.clone(),
                verdict: audit.verdict,
                reason: audit.reason.clone(),
                win_margin: observation.win_margin,
                audit_repeats: observation.audit_repeats,
            };
            self.changes.push(verdict.append(self.round));
        }
    }

    fn put(&mut self, path: String, content: Vec<u8>, message: String) {
        self.changes.push(MirrorChange::Put { path, content });
        self.said.push(message);
    }

    fn row(&mut self, path: String, name: &MatchName, margin: f64) {
        self.changes.push(MirrorChange::MatrixRow {
            path,
            left: name.left.clone(),
            right: name.right.as_str().to_owned(),
            margin,
        });
    }

    fn shown(&mut self, name: MatchName, measurement: Measurement) {
        self.records.push(Record::MatchPublished {
            round: self.round.0,
            matrix: name.matrix,
            left: name.left,
            right: name.right.as_str().to_owned(),
            measurement,
        });
    }

    fn into_effects(self, urgent: bool) -> Effects {
        let publication = (!self.changes.is_empty()).then(|| Publication {
            message: messages::joined(self.said),
            changes: self.changes,
            urgent,
        });
        Effects {
            records: self.records,
            publication,
            ..Effects::default()
        }
    }
}
