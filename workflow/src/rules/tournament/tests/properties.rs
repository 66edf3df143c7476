//! The fold against the naive one, and random rounds played to their end in random order.

use schema::files::{GenerationReport, RepeatReport};

use super::super::super::curtailment::{
    MatchProgress, can_stop, defender_audit_thresholds, match_thresholds,
    submitted_audit_thresholds,
};
use super::super::super::matches::{Play, wins};
use super::super::super::random::MersenneTwister;
use super::naive::naive;
use super::*;

const NAMES: [&str; 6] = ["A", "B", "C", "D", "E", "F"];
const MARGINS: [f64; 8] = [-1.0, -0.2, -0.0546875, -0.05, 0.0, 0.046875, 0.05, 0.2];

/// Any observation, consistent or not. Drawn from a seed, not by a strategy: a hundred numbers a case cost too much there.
fn observation(seed: u64) -> Observation {
    let mut rng = MersenneTwister::new(seed);
    let margin =
        |rng: &mut MersenneTwister| (rng.below(7) > 1).then(|| MARGINS[rng.below(8) as usize]);
    let names = &NAMES[..rng.below(NAMES.len() as u32 + 1) as usize];
    let mut o = round(names);
    o.audit_repeats = rng.below(3);
    for (j, right) in names.iter().enumerate() {
        // Play follows reveal order: left never revealed later than right.
        for left in [&["leader"], &names[..j]].concat() {
            if let Some(margin) = margin(&mut rng) {
                o = o.played(left, right, margin);
            }
        }
        for left in [&["submitted", "leader"], names].concat() {
            for repeat in 1..=2 {
                if let Some(margin) = margin(&mut rng) {
                    o = o.audited(&format!("{left}_{repeat}"), right, margin);
                }
            }
        }
        o = match rng.below(6) {
            0 => o.source(right, false),
            1..=3 => o.source(right, true),
            _ => o,
        };
        o = match rng.below(6) {
            0 => o.reported(right, ReportOutcome::Rejected, &[]),
            1 => o.reported(right, ReportOutcome::Pending, &[1]),
            2..=3 => o.reported(right, ReportOutcome::Completed, &[1, 2]),
            _ => o,
        };
        if rng.below(6) == 0 {
            o.delivered.submitted.remove(&Hotkey::new(*right));
        }
    }
    o
}

const CASES: u64 = 4000;

#[test]
fn the_fold_says_what_the_naive_fold_says() {
    for seed in 0..CASES {
        let o = observation(seed);
        let (decision, expected) = (o.decision(), naive(&o));
        assert_eq!(o.story(), expected.story, "seed {seed}");
        assert_eq!(
            decision.winner().map(str::to_owned),
            expected.winner,
            "seed {seed}"
        );

        let pending = derive(&o)
            .entries
            .into_iter()
            .find(TimelineEntry::is_pending);
        let pending = pending.map(|entry| (entry.defender.to_string(), entry.hotkey.to_string()));
        assert_eq!(pending, expected.first_pending, "seed {seed}");
        let pairs = super::super::decision::exploratory_pairs(&o, &derive(&o));
        let exploratory = pairs
            .first()
            .map(|(left, right)| (left.to_string(), right.to_string()));
        assert_eq!(exploratory, expected.first_exploratory, "seed {seed}");
    }
}

#[test]
fn a_decision_is_consistent_with_itself() {
    for seed in 0..CASES {
        let o = observation(seed);
        let decision = o.decision();
        assert_eq!(
            decision.waits_for.is_empty(),
            decision.winner.is_some(),
            "seed {seed}"
        );
        if decision.winner.is_some() {
            assert!(
                decision.matches_to_play.is_empty() && decision.audit_duels_to_play.is_empty(),
                "seed {seed}"
            );
        }
        for planned in &decision.matches_to_play {
            assert!(
                !o.matches.contains(&planned.left, &planned.right),
                "seed {seed}: played again"
            );
            assert!(
                !o.is_excluded(&planned.right),
                "seed {seed}: plays although it is out"
            );
            assert!(
                o.delivered.of(&planned.left) != Outputs::NotReady,
                "seed {seed}"
            );
            assert!(
                o.delivered.of(&Side::from(&planned.right)) != Outputs::NotReady,
                "seed {seed}"
            );
        }
        for planned in &decision.audit_duels_to_play {
            assert!(
                !o.audits.contains(&planned.left, &planned.right),
                "seed {seed}: audited again"
            );
            assert!(
                o.is_listed(&planned.right, planned.left.repeat()),
                "seed {seed}: unlisted"
            );
            assert!(
                derive(&o)
                    .entry(&planned.right)
                    .is_some_and(TimelineEntry::is_unverified),
                "seed {seed}: moot"
            );
        }
        let mut named = decision.matches();
        named.extend(decision.audit_duels());
        let count = named.len();
        named.sort();
        named.dedup();
        assert_eq!(named.len(), count, "seed {seed}: something is named twice");
    }
}

#[test]
fn deciding_again_after_writing_the_files_changes_nothing() {
    for seed in 0..CASES {
        let o = observation(seed);
        let decision = o.decision();
        assert_eq!(o.after(&decision).decision(), decision, "seed {seed}");
    }
}

#[test]
fn requests_and_rows_only_grow() {
    for seed in 0..CASES {
        let o = observation(seed);
        let mut published = Matrix::default();
        for (left, right, margin) in publishable_rows(&o, &published) {
            assert!(!published.contains(&left, &right), "seed {seed}");
            published.insert(&left, &right, margin);
        }
        assert_eq!(publishable_rows(&o, &published), vec![], "seed {seed}");
        for (left, right, margin) in remaining_rows(&o, &published) {
            published.insert(&left, &right, margin);
        }
        assert_eq!(published.len(), o.matches.len(), "seed {seed}");

        let won = derive(&o).leaders().count();
        assert!(
            o.decision().audit_requests.len() <= won,
            "seed {seed}: only won entries are requested"
        );
    }
}

/// A round of which everything is settled in advance and only becomes known bit by bit.
struct World {
    truth: Observation,
    rng: MersenneTwister,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = MersenneTwister::new(seed);
        let names = &NAMES[..rng.below(NAMES.len() as u32 + 1) as usize];
        let mut truth = round(names);
        truth.audit_repeats = 1 + rng.below(3);
        let pick = |rng: &mut MersenneTwister| MARGINS[rng.below(8) as usize];
        if rng.below(8) == 0 {
            truth.delivered.baseline = Outputs::Empty;
        }
        for (j, right) in names.iter().enumerate() {
            let hotkey = Hotkey::new(*right);
            if rng.below(6) == 0 {
                truth
                    .delivered
                    .submitted
                    .insert(hotkey.clone(), Outputs::Empty);
            }
            truth = truth.played("leader", right, pick(&mut rng));
            for left in &names[..j] {
                truth = truth.played(left, right, pick(&mut rng));
            }
            for repeat in 1..=truth.audit_repeats {
                let empty = rng.below(10) == 0;
                let outputs = if empty {
                    Outputs::Empty
                } else {
                    Outputs::Usable
                };
                truth
                    .delivered
                    .regenerated
                    .insert((hotkey.clone(), repeat), outputs);
                for left in [&["submitted", "leader"], names].concat() {
                    // Honest regenerations are mostly as good as what was submitted.
                    let margin = if rng.below(3) == 0 {
                        pick(&mut rng)
                    } else {
                        0.2
                    };
                    truth = truth.audited(&format!("{left}_{repeat}"), right, margin);
                }
            }
            truth = truth.source(right, rng.below(5) > 0);
            if rng.below(6) == 0 {
                truth = truth.reported(right, ReportOutcome::Rejected, &[]);
            }
        }
        Self { truth, rng }
    }

    /// A margin as it is measured: walkovers stand above the settled ones.
    fn measured(how: Play, settled: Option<f64>) -> f64 {
        match how {
            Play::Walkover { margin } => margin,
            Play::Judge => settled.unwrap(),
        }
    }

    /// Everything that can happen next, as a change of what is known.
    fn possible(&self, known: &Observation, decision: &Decision) -> Vec<Observation> {
        let mut possible = Vec::new();
        for planned in &decision.matches_to_play {
            let margin = Self::measured(
                planned.how,
                self.truth.match_margin(&planned.left, &planned.right),
            );
            possible.push(known.clone().played(
                planned.left.as_str(),
                planned.right.as_str(),
                margin,
            ));
        }
        for planned in &decision.audit_duels_to_play {
            let margin = Self::measured(
                planned.how,
                self.truth.audit_margin(&planned.left, &planned.right),
            );
            possible.push(known.clone().audited(
                &planned.left.to_string(),
                planned.right.as_str(),
                margin,
            ));
        }
        for hotkey in decision.audit_requests.keys() {
            let cancelled = decision
                .verdicts
                .get(hotkey)
                .is_some_and(|audit| audit.verdict == Verdict::Failed);
            if !cancelled {
                possible.extend(self.delivered_one_more(known, hotkey));
            }
            if known.source_verdict(hotkey).is_none() {
                let passed = matches!(
                    self.truth.source_verdict(hotkey),
                    Some((Verdict::Passed, _))
                );
                possible.push(known.clone().source(hotkey.as_str(), passed));
            }
        }
        possible
    }

    /// The next repeat of a requested miner, or the report that rejects it.
    fn delivered_one_more(&self, known: &Observation, hotkey: &Hotkey) -> Option<Observation> {
        let listed = known
            .repeats()
            .filter(|repeat| known.is_listed(hotkey, *repeat))
            .count() as u32;
        if known.report_rejection(hotkey).is_some() || listed == known.audit_repeats {
            return None;
        }
        let mut next = known.clone();
        if let Some(report) = self.truth.reports.get(hotkey) {
            next.reports.insert(hotkey.clone(), report.clone());
            return Some(next);
        }
        let report = next
            .reports
            .entry(hotkey.clone())
            .or_insert_with(|| GenerationReport {
                hotkey: hotkey.clone(),
                outcome: ReportOutcome::Pending,
                repeats: Vec::new(),
                reason: String::new(),
            });
        let index = listed + 1;
        report.repeats.push(RepeatReport {
            repeat_index: index,
            generated_prompts: 0,
            failed_prompts: 0,
            generation_time: None,
        });
        let outputs = self.truth.delivered.of_repeat(hotkey, index);
        next.delivered
            .regenerated
            .insert((hotkey.clone(), index), outputs);
        Some(next)
    }

    /// Plays from nothing known to a winner, one random event at a time.
    fn play(mut self) -> (Option<Side>, Observation) {
        let mut known = Observation {
            matches: Matrix::default(),
            audits: Matrix::default(),
            reports: GenerationReports::default(),
            source_audits: SourceAudits::default(),
            delivered: Delivered {
                regenerated: BTreeMap::new(),
                ..self.truth.delivered.clone()
            },
            ..self.truth.clone()
        };
        // Matches of 7 sides, audit duels against 8 lefts in 3 repeats, 3 deliveries and a source audit a miner.
        for _ in 0..(6 * 7 + 6 * 8 * 3 + 6 * 4) {
            let decision = known.decision();
            if decision.winner.is_some() {
                return (decision.winner.clone(), known.after(&decision));
            }
            let mut possible = self.possible(&known, &decision);
            assert!(
                !possible.is_empty(),
                "stuck, waiting for {:?}",
                decision.waits_for
            );
            let chosen = self.rng.below(possible.len() as u32) as usize;
            known = possible.swap_remove(chosen).after(&decision);
        }
        panic!("the round does not end");
    }
}

/// The settled world as if everything had been measured, walkovers included.
fn fully_known(truth: &Observation) -> Observation {
    let mut known = truth.clone();
    for right in &truth.challengers {
        let right_outputs = truth.delivered.of(&Side::from(right));
        let lefts = truth
            .challengers
            .iter()
            .map(Side::from)
            .chain([Side::Leader]);
        for left in lefts {
            if let Some(Play::Walkover { margin }) =
                super::super::super::matches::play(truth.delivered.of(&left), right_outputs)
            {
                known.matches.insert(&left, right, margin);
            }
            for repeat in truth.repeats() {
                let regenerated = truth.delivered.of_repeat(right, repeat);
                let audits = [
                    (submitted_left(repeat), right_outputs),
                    (defender_left(&left, repeat), truth.delivered.of(&left)),
                ];
                for (audit, outputs) in audits {
                    if let Some(Play::Walkover { margin }) =
                        super::super::super::matches::play(outputs, regenerated)
                    {
                        known.audits.insert(&audit, right, margin);
                    }
                }
            }
        }
    }
    known
}

#[test]
fn every_round_ends_with_the_winner_of_full_knowledge_whatever_the_order_of_events() {
    for seed in 0..1500 {
        let world = World::new(seed);
        let full = fully_known(&world.truth);
        let expected = naive(&full).winner.unwrap();
        let (winner, _) = world.play();
        assert_eq!(winner.unwrap().as_str(), expected, "seed {seed}");
    }
}

#[test]
fn at_the_end_every_match_of_the_timeline_is_publishable_in_order() {
    for seed in 0..300 {
        let (_, known) = World::new(seed).play();
        let mut published = Matrix::default();
        for (left, right, margin) in publishable_rows(&known, &published) {
            published.insert(&left, &right, margin);
        }
        let timeline_rows = derive(&known)
            .entries
            .into_iter()
            .filter(|entry| !entry.is_rejected());
        for entry in timeline_rows {
            assert!(
                published.contains(&entry.defender, &entry.hotkey),
                "seed {seed}: {entry:?}"
            );
        }
    }
}

/// Margin of a match that stops as soon as it can.
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
fn curtailed_matches_lead_to_the_same_decisions_in_ten_thousand_random_tournaments() {
    const PROMPTS: usize = 16;
    let (mut judged, mut all) = (0_u64, 0_u64);
    for seed in 0..10_000 {
        let mut rng = MersenneTwister::new(seed);
        let names = &NAMES[..=rng.below(5) as usize];
        let (mut full, mut short) = (round(names), round(names));
        let mut duels = |thresholds: &[f64]| {
            // Matches of different strength: a side wins up to a third more often.
            let bias = rng.below(3);
            let points: Vec<i64> = (0..PROMPTS)
                .map(|_| i64::from(rng.below(3 + bias).min(2)) - 1)
                .collect();
            let (margin, count) = curtailed(&points, thresholds);
            judged += u64::from(count);
            all += PROMPTS as u64;
            (points.iter().sum::<i64>() as f64 / PROMPTS as f64, margin)
        };
        for (j, right) in names.iter().enumerate() {
            for left in [&["leader"], &names[..j]].concat() {
                let (whole, stopped) = duels(&match_thresholds(0.05));
                full = full.played(left, right, whole);
                short = short.played(left, right, stopped);
                let (whole, stopped) = duels(&defender_audit_thresholds(0.05));
                full = full.audited(&format!("{left}_1"), right, whole);
                short = short.audited(&format!("{left}_1"), right, stopped);
            }
            let (whole, stopped) = duels(&submitted_audit_thresholds(0.05));
            full = full
                .audited("submitted_1", right, whole)
                .source(right, true);
            short = short
                .audited("submitted_1", right, stopped)
                .source(right, true);
        }
        assert_eq!(
            short.decision().winner,
            full.decision().winner,
            "seed {seed}"
        );
        // Reasons may quote another margin; who is rejected, won, lost or verified may not differ.
        let kinds = |o: &Observation| -> Vec<String> {
            o.story()
                .split("; ")
                .map(|line| line.split(':').next().unwrap_or_default().to_owned())
                .collect()
        };
        assert_eq!(kinds(&short), kinds(&full), "seed {seed}");
    }
    let saving = 1.0 - judged as f64 / all as f64;
    println!(
        "curtailment judged {judged} of {all} duels, {:.1} % saved",
        saving * 100.0
    );
    assert!(saving > 0.1, "only {saving} saved");
}

#[test]
fn the_win_test_is_the_only_use_of_a_margin() {
    // What curtailment relies on: two margins on the same side of every threshold lead to the same fold.
    for (one, other) in [(0.05, 0.9), (0.04, -0.9)] {
        assert_eq!(wins(one, 0.05), wins(other, 0.05));
        let played = |margin| round(&["A"]).played("leader", "A", margin);
        assert_eq!(played(one).story(), played(other).story());
    }
}
