//! Whom to audit, and what the audits say: `require_audit.json` and `generation_audits.json`.
//!
//! Source: judge, section 8.1 (requests), 8.4 (verdicts), weaknesses W5 (withdrawn verdicts) and W11 (early requests).

use schema::Hotkey;
use schema::files::{AuditRequests, GenerationAudit, GenerationAudits, Verdict};

use super::Observation;
use super::timeline::{EntryState, Timeline};

/// The audit requests after this observation: every won entry of the timeline, with the defender it beat.
///
/// Requests keep their place and are never removed; the defender of an entry that is no longer won stays as it was. A new
/// request waits until every challenger that revealed earlier has played its qualification: before that, the fold does
/// not know whom the miner has to beat, and a regeneration costs hours of rented machines.
pub fn audit_requests(observation: &Observation, timeline: &Timeline) -> AuditRequests {
    let mut requests = observation.requests.clone();
    let first_unqualified = observation
        .challengers
        .iter()
        .position(|hotkey| observation.lacks_qualification(hotkey));
    let settled =
        &observation.challengers[..first_unqualified.unwrap_or(observation.challengers.len())];
    for entry in timeline.leaders() {
        if requests.contains_key(&entry.hotkey) || settled.contains(&entry.hotkey) {
            requests.request(&entry.hotkey, &entry.defender);
        }
    }
    requests
}

/// The verdicts after this observation, on the miners that were requested and qualified.
///
/// A rejected miner has failed, a verified one has passed. A published verdict that the timeline no longer supports is
/// withdrawn: a failure when the miner is not rejected any more (its regeneration, cancelled by the verdict, must go on), a
/// pass when the miner holds a title that is not verified. Others stay.
pub fn audit_verdicts(
    observation: &Observation,
    timeline: &Timeline,
    requests: &AuditRequests,
) -> GenerationAudits {
    let mut verdicts = observation.verdicts.clone();
    for hotkey in requests.keys() {
        let Some(entry) = timeline.entry(hotkey) else {
            continue;
        };
        let published = verdicts.get(hotkey).map(|audit| audit.verdict);
        match (&entry.state, published) {
            (EntryState::Rejected { reason }, _) => {
                publish(&mut verdicts, hotkey, Verdict::Failed, reason);
            }
            (EntryState::Won { verified: true, .. }, _) => {
                publish(&mut verdicts, hotkey, Verdict::Passed, "");
            }
            (_, Some(Verdict::Failed))
            | (
                EntryState::Won {
                    verified: false, ..
                },
                Some(Verdict::Passed),
            ) => {
                verdicts.shift_remove(hotkey);
            }
            _ => {}
        }
    }
    verdicts
}

fn publish(verdicts: &mut GenerationAudits, hotkey: &Hotkey, verdict: Verdict, reason: &str) {
    let audit = GenerationAudit {
        hotkey: hotkey.clone(),
        verdict,
        reason: reason.to_owned(),
    };
    verdicts.insert(hotkey.clone(), audit);
}
