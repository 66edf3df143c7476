//! The fold a second time, as plainly as possible: texts in a list, searched from the start each time, one `if` a line of
//! the specification's table. Slow and repetitive on purpose: what it has in common with the real one is the rules.

use schema::files::Verdict;

use super::*;

/// What the naive fold says of a round.
#[derive(Debug, PartialEq)]
pub struct NaiveRound {
    /// As [`Observation::story`].
    pub story: String,
    pub winner: Option<String>,
    pub first_pending: Option<(String, String)>,
    pub first_exploratory: Option<(String, String)>,
}

pub fn naive(o: &Observation) -> NaiveRound {
    let matches: Vec<(String, String, f64)> = o
        .matches
        .rows()
        .map(|(left, right, margin)| (left.to_owned(), right.to_string(), margin))
        .collect();
    let audits: Vec<(String, String, f64)> = o
        .audits
        .rows()
        .map(|(left, right, margin)| (left.to_owned(), right.to_string(), margin))
        .collect();
    let find = |rows: &Vec<(String, String, f64)>, left: &str, right: &str| -> Option<f64> {
        for row in rows {
            if row.0 == left && row.1 == right {
                return Some(row.2);
            }
        }
        None
    };
    let source = |hotkey: &str| -> Option<bool> {
        let mut last = None;
        for audit in &o.source_audits.0 {
            if audit.hotkey.as_str() == hotkey {
                last = Some(audit.verdict == Verdict::Passed);
            }
        }
        last
    };
    let report_rejected = |hotkey: &str| {
        o.reports
            .get(hotkey)
            .is_some_and(|report| report.outcome == ReportOutcome::Rejected)
    };

    let mut lines: Vec<String> = Vec::new();
    let mut defender = "leader".to_owned();
    let mut defender_verified = true;
    let mut pending: Vec<(String, String)> = Vec::new();
    let mut not_rejected: Vec<String> = Vec::new();
    let mut all_verified = true;
    let mut all_qualified = true;

    for hotkey in &o.challengers {
        let hotkey = hotkey.to_string();
        let against_leader = find(&matches, "leader", &hotkey);
        if against_leader.is_none() {
            if !report_rejected(&hotkey) && source(&hotkey) != Some(false) {
                all_qualified = false;
            }
            continue;
        }
        if against_leader.unwrap() < o.win_margin {
            continue;
        }
        if report_rejected(&hotkey) {
            lines.push(format!("{hotkey} rejected: generation report"));
            continue;
        }
        if source(&hotkey) == Some(false) {
            lines.push(format!("{hotkey} rejected: source audit"));
            continue;
        }
        let mut rejected = false;
        for repeat in 1..=o.audit_repeats {
            if let Some(margin) = find(&audits, &format!("submitted_{repeat}"), &hotkey)
                && margin < -o.win_margin
            {
                lines.push(format!(
                    "{hotkey} rejected: submitted vs generated #{repeat}: {:+.2}%",
                    margin * 100.0
                ));
                rejected = true;
                break;
            }
        }
        if !rejected && defender_verified {
            for repeat in 1..=o.audit_repeats {
                if let Some(margin) = find(&audits, &format!("{defender}_{repeat}"), &hotkey)
                    && margin < o.win_margin
                {
                    lines.push(format!(
                        "{hotkey} rejected: {defender} vs generated #{repeat}: {:+.2}%",
                        margin * 100.0
                    ));
                    rejected = true;
                    break;
                }
            }
        }
        if rejected {
            continue;
        }
        not_rejected.push(hotkey.clone());
        let margin = find(&matches, &defender, &hotkey);
        if margin.is_none() {
            lines.push(format!("{hotkey} pending vs {defender}"));
            pending.push((defender.clone(), hotkey));
            continue;
        }
        if margin.unwrap() < o.win_margin {
            lines.push(format!("{hotkey} lost to {defender}"));
            continue;
        }
        let mut verified = defender_verified && source(&hotkey) == Some(true);
        for repeat in 1..=o.audit_repeats {
            match find(&audits, &format!("submitted_{repeat}"), &hotkey) {
                None => verified = false,
                Some(margin) => verified = verified && margin >= -o.win_margin,
            }
            match find(&audits, &format!("{defender}_{repeat}"), &hotkey) {
                None => verified = false,
                Some(margin) => verified = verified && margin >= o.win_margin,
            }
        }
        let mark = if verified { "V" } else { "U" };
        lines.push(format!("{hotkey} won {mark} vs {defender}"));
        all_verified = all_verified && verified;
        defender = hotkey;
        defender_verified = verified;
    }

    let mut first_exploratory = None;
    for i in 0..not_rejected.len() {
        for j in i + 1..not_rejected.len() {
            if first_exploratory.is_none()
                && find(&matches, &not_rejected[i], &not_rejected[j]).is_none()
            {
                first_exploratory = Some((not_rejected[i].clone(), not_rejected[j].clone()));
            }
        }
    }
    let finalized = all_qualified && pending.is_empty() && all_verified;
    NaiveRound {
        story: lines.join("; "),
        winner: finalized.then_some(defender),
        first_pending: pending.first().cloned(),
        first_exploratory,
    }
}
