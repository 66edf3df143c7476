//! What people are told of the tournament.

use std::fmt::Write as _;

use schema::{Hotkey, RoundNumber, Side, files::AuditLeft};

use super::{BLUE, GREEN, NoticeText, ORANGE, PURPLE, code_block};
use crate::rules::{
    matches::wins,
    percent::signed_percent,
    tournament::{EntryState, Observation, Timeline, TimelineEntry},
};

/// The timeline as it stands: who held the title, and what became of everyone who qualified.
pub fn timeline(round: RoundNumber, timeline: &Timeline) -> NoticeText {
    let mut text = "leader".to_owned();
    for (index, entry) in timeline.entries.iter().enumerate() {
        let _ = write!(
            text,
            "\n{}. {} {}",
            index + 1,
            entry.hotkey.short(),
            standing(entry)
        );
    }
    if timeline.entries.is_empty() {
        text.push_str("\nno qualifiers");
    }
    let _ = write!(text, "\n\ncurrent leader: {}", timeline.champion().short());
    NoticeText::new(format!("Round {round} timeline"), BLUE, code_block(&text))
}

fn standing(entry: &TimelineEntry) -> String {
    let defender = entry.defender.short();
    match &entry.state {
        EntryState::Won { margin, verified } => {
            let verified = if *verified { "verified" } else { "unverified" };
            format!("won {} vs {defender}, {verified}", signed_percent(*margin))
        }
        EntryState::Lost { margin } => format!("lost to {defender} {}", signed_percent(*margin)),
        EntryState::Pending => format!("pending vs {defender}"),
        EntryState::Rejected { reason } => format!("rejected: {reason}"),
    }
}

/// Subject of the request to audit a miner.
pub fn request_subject(hotkey: &Hotkey) -> String {
    format!("request/{hotkey}")
}

/// A miner is to be audited, or against another defender than before; none when it holds no title.
pub fn audit_requested(
    round: RoundNumber,
    timeline: &Timeline,
    hotkey: &Hotkey,
) -> Option<NoticeText> {
    let entry = timeline.entry(hotkey)?;
    let EntryState::Won { margin, .. } = entry.state else {
        return None;
    };
    Some(NoticeText::new(
        format!("Round {round} Audit Requested"),
        PURPLE,
        format!(
            "`{}` defeated `{}` by {}",
            hotkey.short(),
            entry.defender.short(),
            signed_percent(margin)
        ),
    ))
}

/// Subject of the audit of a miner against a defender.
pub fn audit_subject(hotkey: &Hotkey, defender: &Side) -> String {
    format!("audit/{hotkey}/{defender}")
}

/// How a miner's audit against its defender went; none while it can still go either way.
///
/// An audit is over when every repeat has both margins, or when one margin has rejected the miner: what is left is not played
/// then (weakness W15).
pub fn audit_completed(
    round: RoundNumber,
    observation: &Observation,
    entry: &TimelineEntry,
) -> Option<NoticeText> {
    let win_margin = observation.win_margin;
    let mut lines = String::new();
    let (mut failed, mut missing) = (false, false);
    for repeat in 1..=observation.audit_repeats {
        let lefts = [
            AuditLeft::Submitted { repeat },
            AuditLeft::Defender {
                defender: entry.defender.clone(),
                repeat,
            },
        ];
        let [submitted, defender] = lefts.map(|left| observation.audits.get(&left, &entry.hotkey));
        missing |= submitted.is_none() || defender.is_none();
        failed |= submitted.is_some_and(|margin| margin < -win_margin)
            || defender.is_some_and(|margin| !wins(margin, win_margin));
        let _ = write!(
            lines,
            "\n#{repeat}: vs submitted {}, vs {} {}",
            shown(submitted),
            entry.defender.short(),
            shown(defender)
        );
    }
    let is_rejected = matches!(entry.state, EntryState::Rejected { .. }) && failed;
    if observation.audit_repeats == 0 || (missing && !is_rejected) {
        return None;
    }
    let (verdict, color) = if failed {
        ("rejected", ORANGE)
    } else {
        ("verified", GREEN)
    };
    Some(NoticeText::new(
        format!("Round {round} Audit Completed"),
        color,
        format!(
            "`{}` vs `{}`: {verdict}\n{}",
            entry.hotkey.short(),
            entry.defender.short(),
            code_block(lines.trim_start())
        ),
    ))
}

fn shown(margin: Option<f64>) -> String {
    margin.map_or_else(|| "not played".to_owned(), signed_percent)
}

/// The round has a winner.
pub fn finalized(round: RoundNumber, champion: &Side, had_submissions: bool) -> NoticeText {
    let reason = if had_submissions {
        format!("Winner {}", champion.short())
    } else {
        "No submissions found".to_owned()
    };
    NoticeText::new(
        format!("Round {round} Finalized"),
        GREEN,
        format!("**Winner:** `{champion}`\n**Reason:** {reason}"),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const ROUND: RoundNumber = RoundNumber(3);

    fn entry(hotkey: &str, defender: &str, state: EntryState) -> TimelineEntry {
        TimelineEntry {
            hotkey: Hotkey::new(hotkey),
            defender: Side::from(defender),
            defender_verified: true,
            state,
        }
    }

    fn won(margin: f64, verified: bool) -> EntryState {
        EntryState::Won { margin, verified }
    }

    fn audited(audits: &[(&str, f64)]) -> Observation {
        let mut observation = Observation {
            win_margin: 0.05,
            audit_repeats: 2,
            ..Observation::default()
        };
        for (left, margin) in audits {
            let left = AuditLeft::parse(left).unwrap();
            observation
                .audits
                .insert(&left, &Hotkey::new("5Aaaaaaaaaaa"), *margin);
        }
        observation
    }

    #[test]
    fn the_timeline_tells_every_state_in_one_line_each() {
        let shown = timeline(
            ROUND,
            &Timeline {
                entries: vec![
                    entry("5Aaaaaaaaaaa", "leader", won(0.2265625, true)),
                    entry(
                        "5Bbbbbbbbbbb",
                        "5Aaaaaaaaaaa",
                        EntryState::Lost { margin: -0.0546875 },
                    ),
                    entry("5Cccccccccc", "5Aaaaaaaaaaa", won(0.03125, false)),
                    entry("5Dddddddddd", "5Cccccccccc", EntryState::Pending),
                    entry(
                        "5Eeeeeeeeee",
                        "5Cccccccccc",
                        EntryState::Rejected {
                            reason: "source audit: copied ```".to_owned(),
                        },
                    ),
                ],
            },
        );
        assert_eq!(
            (shown.title.as_str(), shown.color),
            ("Round 3 timeline", 0x0034_98DB)
        );
        assert_eq!(
            shown.description.unwrap(),
            "```\n\
             leader\n\
             1. 5Aaaaaaaaa won +22.66% vs leader, verified\n\
             2. 5Bbbbbbbbb lost to 5Aaaaaaaaa -5.47%\n\
             3. 5Ccccccccc won +3.12% vs 5Aaaaaaaaa, unverified\n\
             4. 5Ddddddddd pending vs 5Ccccccccc\n\
             5. 5Eeeeeeeee rejected: source audit: copied '''\n\
             \n\
             current leader: 5Ccccccccc\n\
             ```"
        );
    }

    #[test]
    fn a_round_without_qualifiers_says_so() {
        let shown = timeline(ROUND, &Timeline::default());
        assert_eq!(
            shown.description.unwrap(),
            "```\nleader\nno qualifiers\n\ncurrent leader: leader\n```"
        );
    }

    #[test]
    fn a_request_says_who_defeated_whom_and_by_how_much() {
        let entries = vec![
            entry("5Aaaaaaaaaaa", "leader", won(0.109375, false)),
            entry("5Bbbbbbbbbbb", "5Aaaaaaaaaaa", EntryState::Pending),
        ];
        let timeline = Timeline { entries };
        let told = audit_requested(ROUND, &timeline, &Hotkey::new("5Aaaaaaaaaaa")).unwrap();
        assert_eq!(
            (told.title.as_str(), told.color),
            ("Round 3 Audit Requested", 0x009B_59B6)
        );
        assert_eq!(
            told.description.unwrap(),
            "`5Aaaaaaaaa` defeated `leader` by +10.94%"
        );
        assert!(audit_requested(ROUND, &timeline, &Hotkey::new("5Bbbbbbbbbbb")).is_none());
    }

    #[test]
    fn an_audit_is_over_when_both_margins_of_every_repeat_are_there() {
        let entry = entry("5Aaaaaaaaaaa", "leader", won(0.2, false));
        let mut audits = vec![
            ("submitted_1", 0.0),
            ("leader_1", 0.1),
            ("submitted_2", -0.05),
        ];
        assert!(audit_completed(ROUND, &audited(&audits), &entry).is_none());
        audits.push(("leader_2", 0.05));
        let told = audit_completed(ROUND, &audited(&audits), &entry).unwrap();
        assert_eq!(
            (told.title.as_str(), told.color),
            ("Round 3 Audit Completed", 0x002E_CC71)
        );
        assert_eq!(
            told.description.unwrap(),
            "`5Aaaaaaaaa` vs `leader`: verified\n```\n\
             #1: vs submitted +0.00%, vs leader +10.00%\n\
             #2: vs submitted -5.00%, vs leader +5.00%\n\
             ```"
        );
    }

    #[test]
    fn one_margin_that_rejects_ends_an_audit() {
        let rejected = EntryState::Rejected {
            reason: "submitted vs generated #1: -100.00%".to_owned(),
        };
        let audits = audited(&[("submitted_1", -1.0)]);
        let told = audit_completed(ROUND, &audits, &entry("5Aaaaaaaaaaa", "leader", rejected));
        let told = told.unwrap();
        assert_eq!(told.color, 0x00E6_7E22);
        assert_eq!(
            told.description.unwrap(),
            "`5Aaaaaaaaa` vs `leader`: rejected\n```\n\
             #1: vs submitted -100.00%, vs leader not played\n\
             #2: vs submitted not played, vs leader not played\n\
             ```"
        );

        let by_source = EntryState::Rejected {
            reason: "source audit".to_owned(),
        };
        let audits = audited(&[("submitted_1", 0.0)]);
        assert!(
            audit_completed(ROUND, &audits, &entry("5Aaaaaaaaaaa", "leader", by_source)).is_none(),
            "its audit ended by no margin"
        );
    }

    #[test]
    fn a_failed_margin_against_a_defender_that_may_fall_is_not_over_before_the_rest_is_there() {
        let held_back = entry("5Aaaaaaaaaaa", "5Bbbbbbbbbbb", won(0.2, false));
        let mut audits = vec![("submitted_1", 0.0), ("5Bbbbbbbbbbb_1", 0.01)];
        assert!(audit_completed(ROUND, &audited(&audits), &held_back).is_none());
        audits.extend([("submitted_2", 0.0), ("5Bbbbbbbbbbb_2", 0.01)]);
        let told = audit_completed(ROUND, &audited(&audits), &held_back).unwrap();
        assert_eq!(told.color, 0x00E6_7E22);
    }

    #[test]
    fn the_winner_is_told_with_the_reason() {
        let told = finalized(ROUND, &Side::from("5GgpGaDxzT9999"), true);
        assert_eq!(
            (told.title.as_str(), told.color),
            ("Round 3 Finalized", 0x002E_CC71)
        );
        assert_eq!(
            told.description.unwrap(),
            "**Winner:** `5GgpGaDxzT9999`\n**Reason:** Winner 5GgpGaDxzT"
        );
        assert_eq!(
            finalized(ROUND, &Side::Leader, false).description.unwrap(),
            "**Winner:** `leader`\n**Reason:** No submissions found"
        );
    }
}
