//! When a match can stop, because no duel that remains can change a decision.
//!
//! A decision uses a margin only by comparing it with a threshold: `win_margin` in the tournament and against the defender in
//! an audit, `-win_margin` against the submission in an audit. With the duels that remain the score can still move by their
//! number in either direction; once both ends lie on the same side of every threshold in use, it is decided.
//!
//! The margin recorded for a curtailed match counts the remaining duels as 0. It lies between both ends, so it decides as
//! the full margin would; but it is not that margin, and margins are public. Curtailment is therefore off by default.
//!
//! Source: judge, section 3 (no early stop by default), weakness W14 (only where the exact margin is not consumed).

use super::matches::wins;

/// How far a match is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MatchProgress {
    /// Duels won by right minus duels won by left, so far.
    pub score: i64,
    /// Duels judged.
    pub judged: u32,
    /// All duels.
    pub prompts: u32,
}

impl MatchProgress {
    /// Duels that remain.
    pub fn remaining(&self) -> u32 {
        self.prompts.saturating_sub(self.judged)
    }

    /// The margin if the remaining duels were draws: what is recorded when the match stops here.
    pub fn margin(&self) -> f64 {
        self.margin_of(self.score)
    }

    fn margin_of(&self, score: i64) -> f64 {
        if self.prompts == 0 {
            0.0
        } else {
            score as f64 / f64::from(self.prompts)
        }
    }
}

/// Whether the match can stop: every threshold is passed, or missed, whatever the remaining duels bring.
///
/// `thresholds` are those some decision still compares the margin with; none when the match has become moot.
pub fn can_stop(progress: MatchProgress, thresholds: &[f64]) -> bool {
    let remaining = i64::from(progress.remaining());
    let (worst, best) = (
        progress.score.saturating_sub(remaining),
        progress.score.saturating_add(remaining),
    );
    thresholds.iter().all(|threshold| {
        wins(progress.margin_of(worst), *threshold) == wins(progress.margin_of(best), *threshold)
    })
}

/// How many more duels must at least be judged before the match can stop: 0 when it can stop now. Judging so many at once
/// judges none in vain, whatever they bring.
pub fn fewest_until_stop(progress: MatchProgress, thresholds: &[f64]) -> u32 {
    let can_stop_after = |more: u32| {
        (-i64::from(more)..=i64::from(more)).any(|points| {
            let then = MatchProgress {
                score: progress.score.saturating_add(points),
                judged: progress.judged.saturating_add(more),
                ..progress
            };
            can_stop(then, thresholds)
        })
    };
    let remaining = progress.remaining();
    (0..remaining)
        .find(|more| can_stop_after(*more))
        .unwrap_or(remaining)
}

/// The thresholds of a tournament match.
pub fn match_thresholds(win_margin: f64) -> [f64; 1] {
    [win_margin]
}

/// The thresholds of an audit duel against the miner's own submission.
pub fn submitted_audit_thresholds(win_margin: f64) -> [f64; 1] {
    [-win_margin]
}

/// The thresholds of an audit duel against the defender.
pub fn defender_audit_thresholds(win_margin: f64) -> [f64; 1] {
    [win_margin]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::io::Read;

    use proptest::prelude::*;
    use schema::StateFile;
    use schema::files::report::MeshReport;

    use super::*;

    fn progress(score: i64, judged: u32) -> MatchProgress {
        MatchProgress {
            score,
            judged,
            prompts: 128,
        }
    }

    /// Plays duels of these points until the match can stop; the margin then, and how many were judged.
    fn curtailed(points: &[i64], thresholds: &[f64]) -> (f64, u32) {
        let mut progress = MatchProgress {
            score: 0,
            judged: 0,
            prompts: points.len() as u32,
        };
        for point in points {
            if can_stop(progress, thresholds) {
                break;
            }
            progress.score += point;
            progress.judged += 1;
        }
        (progress.margin(), progress.judged)
    }

    #[test]
    fn a_match_stops_at_the_duel_that_settles_the_threshold() {
        // 7 of 128 are needed: with 68 won in a row, 60 lost ones leave 8; with 67, 61 leave 6.
        assert!(can_stop(progress(68, 68), &[0.05]));
        assert!(!can_stop(progress(67, 67), &[0.05]));
        // Out of reach: 6 at best.
        assert!(can_stop(progress(-61, 61), &[0.05]));
        assert!(!can_stop(progress(-60, 60), &[0.05]));
    }

    #[test]
    fn every_threshold_in_use_must_be_settled() {
        let settled_for_one = progress(-61, 61);
        assert!(can_stop(settled_for_one, &[0.05]));
        assert!(!can_stop(settled_for_one, &[0.05, -0.05]));
        assert!(
            can_stop(progress(0, 0), &[]),
            "nobody uses the margin any more"
        );
        assert!(can_stop(progress(0, 128), &[0.05, -0.05]));
        assert!(can_stop(
            MatchProgress {
                score: 0,
                judged: 0,
                prompts: 0
            },
            &[0.05]
        ));
    }

    /// All 143 published match reports of two real rounds: their winners, prompt by prompt.
    fn published_matches() -> Vec<Vec<i64>> {
        let packed: &[u8] =
            include_bytes!("../../../schema/tests/fixtures/competition-0/duel-reports-all.tar.xz");
        let mut archive = tar::Archive::new(xz2::read::XzDecoder::new(packed));
        let reports = archive.entries().unwrap().map(Result::unwrap);
        let files = reports.filter(|entry| entry.header().entry_type().is_file());
        let matches = files.map(|mut entry| {
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes).unwrap();
            let report = MeshReport::parse("report", &bytes).unwrap();
            report
                .duels
                .iter()
                .map(|duel| duel.winner.points())
                .collect()
        });
        matches.collect()
    }

    #[test]
    fn every_published_match_decides_the_same_when_it_stops_early() {
        let matches = published_matches();
        assert_eq!(matches.len(), 143);
        let (mut judged, mut all) = (0, 0);
        for points in &matches {
            let full = points.iter().sum::<i64>() as f64 / points.len() as f64;
            for threshold in [0.05, -0.05] {
                let (margin, count) = curtailed(points, &[threshold]);
                assert_eq!(wins(margin, threshold), wins(full, threshold));
                judged += count as usize;
                all += points.len();
            }
        }
        println!("{judged} of {all} published duels decide");
        assert!(judged * 10 < all * 9, "{judged} of {all} duels were needed");
    }

    proptest! {
        #[test]
        fn a_curtailed_match_decides_as_the_full_one(
            points in proptest::collection::vec(-1_i64..=1, 0..150), thresholds in proptest::collection::vec(-0.3..0.3_f64, 0..3)
        ) {
            let full = if points.is_empty() { 0.0 } else { points.iter().sum::<i64>() as f64 / points.len() as f64 };
            let (margin, _) = curtailed(&points, &thresholds);
            for threshold in thresholds {
                prop_assert_eq!(wins(margin, threshold), wins(full, threshold));
            }
        }

        #[test]
        fn waves_judge_exactly_the_duels_that_one_by_one_would(
            points in proptest::collection::vec(-1_i64..=1, 0..100), thresholds in proptest::collection::vec(-0.3..0.3_f64, 0..3)
        ) {
            let mut progress = MatchProgress { score: 0, judged: 0, prompts: points.len() as u32 };
            loop {
                let wave = fewest_until_stop(progress, &thresholds);
                if wave == 0 {
                    break;
                }
                for _ in 0..wave {
                    progress.score += points[progress.judged as usize];
                    progress.judged += 1;
                }
            }
            prop_assert_eq!((progress.margin(), progress.judged), curtailed(&points, &thresholds));
        }

        #[test]
        fn a_match_stops_no_later_than_the_last_duel_that_matters(
            points in proptest::collection::vec(-1_i64..=1, 1..100), threshold in -0.3..0.3_f64
        ) {
            let (_, judged) = curtailed(&points, &[threshold]);
            if judged > 0 {
                // One duel earlier both decisions were still possible.
                let before = MatchProgress {
                    score: points[..judged as usize - 1].iter().sum(), judged: judged - 1, prompts: points.len() as u32,
                };
                prop_assert!(!can_stop(before, &[threshold]));
            }
        }
    }
}
