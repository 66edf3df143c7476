//! How a duel was decided, as few words and numbers.

use schema::files::report::{Checklist, Choice, DuelDetail, Judged, PenaltyPair, ViewVerdict};

/// What the strip says of a duel.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Scores {
    /// The stage that decided, in the published words; or why nothing was judged.
    pub decided_by: String,
    /// One line a stage.
    pub lines: Vec<ScoreLine>,
    /// The model's summary.
    pub issues: String,
}

/// One stage's numbers, left and right.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ScoreLine {
    /// `S1 front_left`, `S2 checklist`, …
    pub name: String,
    /// What it says of left.
    pub left: String,
    /// What it says of right.
    pub right: String,
}

/// The scores behind a verdict.
pub(super) fn scores(detail: &DuelDetail) -> Scores {
    match detail {
        DuelDetail::MissingViews { reason } => Scores {
            decided_by: reason.clone(),
            ..Scores::default()
        },
        DuelDetail::Judged(judged) => Scores {
            decided_by: judged.decided_by.clone(),
            lines: lines(judged),
            issues: judged.issues.clone(),
        },
        DuelDetail::Other(_) => Scores {
            decided_by: "of another form".to_owned(),
            ..Scores::default()
        },
    }
}

fn lines(judged: &Judged) -> Vec<ScoreLine> {
    let mut lines: Vec<ScoreLine> = judged
        .s1
        .angles
        .iter()
        .map(|angle| {
            penalties(
                &format!("S1 {}", angle.label.replace('_', " ")),
                angle.pen_a,
                angle.pen_b,
            )
        })
        .collect();
    if let Some(s2) = &judged.s2 {
        let pair = |name: &str, pair: &Option<PenaltyPair>| {
            pair.as_ref()
                .map(|pair| penalties(name, pair.penalty_a, pair.penalty_b))
        };
        lines.extend(pair("S2 best view", &s2.best_view));
        lines.extend(pair("S2 artefacts", &s2.artifact_compare));
        let (left, right) = checklist_scores(&s2.checklist);
        lines.push(line("S2 checklist", left.to_string(), right.to_string()));
    }
    if let Some(s3) = &judged.s3 {
        let says = |side| match s3.choice {
            Some(choice) if choice == side => "better",
            _ if s3.fired => "no better",
            _ => "not needed",
        };
        lines.push(line(
            "S3 on gray",
            says(Choice::A).to_owned(),
            says(Choice::B).to_owned(),
        ));
    }
    if let Some(s4) = &judged.s4 {
        let says = |verdict| match verdict {
            ViewVerdict::Ok => "solid".to_owned(),
            ViewVerdict::Garbage => "garbage".to_owned(),
        };
        lines.push(line(
            "S4 sides",
            says(s4.side_verdicts.a),
            says(s4.side_verdicts.b),
        ));
    }
    lines
}

fn checklist_scores(checklist: &Checklist) -> (i64, i64) {
    match checklist {
        Checklist::Checked {
            score_a, score_b, ..
        }
        | Checklist::DecomposeFailed {
            score_a, score_b, ..
        } => (*score_a, *score_b),
    }
}

fn penalties(name: &str, left: f64, right: f64) -> ScoreLine {
    line(name, format!("{left:.1}"), format!("{right:.1}"))
}

fn line(name: &str, left: String, right: String) -> ScoreLine {
    ScoreLine {
        name: name.to_owned(),
        left,
        right,
    }
}
