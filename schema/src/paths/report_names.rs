//! Under which names the reports of a round stand when hotkeys begin alike (judge, weakness W26).
//!
//! A report is named by the first 10 characters of its left side. Somebody who wants to can make a hotkey that begins like
//! another one; one report would then overwrite the other. So the challenger that revealed first keeps the short name, and
//! the left side of any later one that begins like it is named whole. Who that is follows from `submissions.json` alone.

use std::collections::BTreeSet;

use super::{StatePath, audit_report, duels_report};
use crate::{Hotkey, LeftSide, RoundNumber, Side};

/// The names of a round's left sides in the names of its reports.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReportNames {
    /// Hotkeys that begin like that of an earlier challenger.
    whole: BTreeSet<Hotkey>,
}

impl ReportNames {
    /// The names for a round with these challengers, in the order in which they revealed
    /// ([`Submissions::challengers`](crate::files::Submissions::challengers)).
    pub fn new<'a>(challengers: impl IntoIterator<Item = &'a Hotkey>) -> Self {
        let mut taken = BTreeSet::new();
        let whole = challengers
            .into_iter()
            .filter(|hotkey| !taken.insert(hotkey.short()))
            .cloned()
            .collect();
        Self { whole }
    }

    /// How a left side is named: `leader`, `submitted`, the first 10 characters of a hotkey, or all of them.
    pub fn of<'a>(&self, left: &'a LeftSide) -> &'a str {
        match left {
            LeftSide::Side(Side::Miner(hotkey)) if self.whole.contains(hotkey) => hotkey.as_str(),
            _ => left.short(),
        }
    }

    /// `rounds/{n}/{right}/duels_{left}.json`.
    pub fn duels_report(&self, round: RoundNumber, left: &Side, right: &Hotkey) -> String {
        match left.hotkey().filter(|hotkey| self.whole.contains(*hotkey)) {
            None => duels_report(round, left, right),
            Some(hotkey) => StatePath::DuelsReport {
                round,
                left: hotkey.to_string(),
                right: right.clone(),
            }
            .to_string(),
        }
    }

    /// `rounds/{n}/{right}/audit_{left}_{r}.json`; repeats count from 1.
    pub fn audit_report(
        &self,
        round: RoundNumber,
        left: &LeftSide,
        right: &Hotkey,
        repeat: u32,
    ) -> String {
        let name = self.of(left);
        if name == left.short() {
            return audit_report(round, left, right, repeat);
        }
        StatePath::AuditReport {
            round,
            left: name.to_owned(),
            right: right.clone(),
            repeat,
        }
        .to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paths::classify;

    const ROUND: RoundNumber = RoundNumber(3);

    #[test]
    fn who_revealed_first_keeps_the_short_name_and_no_report_overwrites_another() {
        let [first, second, other] =
            ["5Gg1111111AAA", "5Gg1111111BBB", "5Hh1111111AAA"].map(Hotkey::new);
        let names = ReportNames::new([&first, &second, &other]);
        let duels = |left: &Hotkey| names.duels_report(ROUND, &left.into(), &other);
        assert_eq!(
            duels(&first),
            "rounds/3/5Hh1111111AAA/duels_5Gg1111111.json"
        );
        assert_eq!(
            duels(&second),
            "rounds/3/5Hh1111111AAA/duels_5Gg1111111BBB.json"
        );
        let audit =
            |left: &Hotkey| names.audit_report(ROUND, &LeftSide::Side(left.into()), &other, 2);
        assert_eq!(
            audit(&first),
            "rounds/3/5Hh1111111AAA/audit_5Gg1111111_2.json"
        );
        assert_eq!(
            audit(&second),
            "rounds/3/5Hh1111111AAA/audit_5Gg1111111BBB_2.json"
        );
        for path in [duels(&second), audit(&second)] {
            assert_eq!(classify(&path).map(|kind| kind.to_string()), Some(path));
        }
    }

    #[test]
    fn without_a_collision_every_name_is_the_known_one() {
        let [one, other] = ["5Gg1111111AAA", "5Hh1111111AAA"].map(Hotkey::new);
        let names = ReportNames::new([&one, &other]);
        assert_eq!(names, ReportNames::default());
        assert_eq!(
            names.duels_report(ROUND, &Side::Leader, &one),
            duels_report(ROUND, &Side::Leader, &one)
        );
        assert_eq!(
            names.audit_report(ROUND, &LeftSide::Submitted, &one, 1),
            audit_report(ROUND, &LeftSide::Submitted, &one, 1)
        );
    }
}
