//! Round 0 of the real competition, folded again (judge, section 14.1).

use schema::StateFile;
use schema::files::Submissions;

use super::*;

fn real_round_0() -> Observation {
    let submissions = include_bytes!(
        "../../../../../schema/tests/fixtures/competition-0/rounds/0/submissions.json"
    );
    let matrix = include_bytes!(
        "../../../../../schema/tests/fixtures/competition-0/rounds/0/matches_matrix.csv"
    );
    let sources = include_bytes!(
        "../../../../../schema/tests/fixtures/competition-0/rounds/0/source_audit.json"
    );
    let submissions = Submissions::parse("submissions.json", submissions).unwrap();
    let challengers: Vec<Hotkey> = submissions.challengers().into_iter().cloned().collect();
    Observation {
        matches: Matrix::parse("matches_matrix.csv", matrix).unwrap(),
        source_audits: SourceAudits::parse("source_audit.json", sources).unwrap(),
        delivered: Delivered {
            baseline: Outputs::Usable,
            submitted: challengers
                .iter()
                .map(|hotkey| (hotkey.clone(), Outputs::Usable))
                .collect(),
            regenerated: BTreeMap::new(),
        },
        challengers,
        ..round(&[])
    }
}

fn full(observation: &Observation, short: &str) -> Hotkey {
    observation
        .challengers
        .iter()
        .find(|hotkey| hotkey.short() == short)
        .unwrap()
        .clone()
}

/// The won entries: short hotkey and margin.
fn titles(observation: &Observation) -> Vec<(String, f64)> {
    let timeline = derive(observation);
    let titles = timeline.leaders().map(|entry| match entry.state {
        EntryState::Won { margin, .. } => (entry.hotkey.short().to_owned(), margin),
        _ => unreachable!("leaders are won entries"),
    });
    titles.collect()
}

const CHAMPION: &str = "5GgpGaDxzT";

/// Rejected one after the other, with the fold before: whom it won with, and the champion's margin over it.
const FOLDS: [(&str, f64, f64); 5] = [
    ("5DScQA9A1u", 0.109375, 0.078125),
    ("5FLiyT19Vc", 0.0546875, 0.09375),
    ("5FWtavKyXw", 0.109375, 0.0703125),
    ("5FcDQ6Eh3d", 0.1015625, 0.0703125),
    ("5FP3qpaSyR", 0.109375, 0.0625),
];

fn reject(observation: Observation, short: &str) -> Observation {
    let hotkey = full(&observation, short);
    observation.reported(hotkey.as_str(), ReportOutcome::Rejected, &[])
}

#[test]
fn twelve_miners_qualify_in_reveal_order() {
    let timeline = derive(&real_round_0());
    let qualified: Vec<&str> = timeline
        .entries
        .iter()
        .map(|entry| entry.hotkey.short())
        .collect();
    assert_eq!(
        qualified,
        [
            "5DScQA9A1u",
            "5FLiyT19Vc",
            "5FWtavKyXw",
            "5FcDQ6Eh3d",
            "5FP3qpaSyR",
            "5GgpGaDxzT",
            "5GGsuLzc5a",
            "5DCzQsj5fY",
            "5H9bvDjbYH",
            "5E5A9q65xz",
            "5HEocZgrZ8",
            "5HbsDVjuws"
        ]
    );
}

#[test]
fn the_six_folds_have_the_published_titles_and_end_with_the_published_champion() {
    let mut observation = real_round_0();
    for (leader, margin, champion_margin) in FOLDS {
        let expected = [
            (leader.to_owned(), margin),
            (CHAMPION.to_owned(), champion_margin),
        ];
        assert_eq!(
            titles(&observation),
            expected,
            "before {leader} is rejected"
        );
        observation = reject(observation, leader);
    }
    assert_eq!(titles(&observation), [(CHAMPION.to_owned(), 0.2265625)]);
    let behind: Vec<f64> = derive(&observation)
        .entries
        .iter()
        .skip(6)
        .map(|entry| match entry.state {
            EntryState::Lost { margin } => margin,
            ref other => panic!("{} is {other:?}", entry.hotkey),
        })
        .collect();
    assert_eq!(
        behind,
        [0.0234375, -0.0703125, 0.0, 0.015625, -0.203125, -0.0703125]
    );

    let champion = full(&observation, CHAMPION);
    let done = observation
        .passed_audits("leader", champion.as_str())
        .source(champion.as_str(), true);
    assert_eq!(done.decision().winner, Some(Side::Miner(champion)));
}

#[test]
fn requests_appear_in_the_published_order() {
    let mut observation = real_round_0();
    for (leader, _, _) in FOLDS {
        let decision = observation.decision();
        observation = reject(observation.after(&decision), leader);
    }
    let requested: Vec<String> = observation
        .decision()
        .requests()
        .iter()
        .map(|line| line[..10].to_owned())
        .collect();
    let published = include_str!(
        "../../../../../schema/tests/fixtures/competition-0/rounds/0/require_audit.json"
    );
    let published: Vec<String> = published
        .lines()
        .filter_map(|line| line.trim().strip_prefix("\"hotkey\": \""))
        .map(|hotkey| hotkey[..10].to_owned())
        .collect();
    assert_eq!(requested, published);
}

#[test]
fn the_107_published_rows_are_in_the_order_of_play() {
    let observation = real_round_0();
    let rows = publishable_rows(&observation, &Matrix::default());
    let mut replayed = Matrix::default();
    for (left, right, margin) in &rows {
        replayed.insert(left, right, *margin);
    }
    let published: Vec<_> = observation.matches.rows().collect();
    assert_eq!(replayed.rows().collect::<Vec<_>>(), published);
    assert_eq!(rows.len(), 107);
    assert_eq!(
        rows.iter().filter(|(left, _, _)| left.is_leader()).count(),
        41
    );
}

#[test]
fn one_duel_of_128_decides_who_is_champion() {
    // Judge, section 14.2: a replay that differed in one duel changed the winner of a real round.
    let judged = |score: f64| {
        round(&["A", "B"])
            .played("leader", "A", score / 128.0)
            .played("leader", "B", 0.0703125)
    };
    assert_eq!(judged(6.0).story(), "B won U vs leader");
    let replayed = judged(7.0).played("A", "B", 0.0078125);
    assert_eq!(replayed.story(), "A won U vs leader; B lost to A");
}

/// Section 14.2: the round that was judged twice on unchanged inputs.
#[test]
fn one_duel_of_128_decided_the_champion_of_the_round_that_was_judged_twice() {
    let judged = |score: f64| {
        round(&["5F4HaNQJAX", "5EaA6wcoaf"])
            .played("leader", "5F4HaNQJAX", score / 128.0)
            .played("leader", "5EaA6wcoaf", 9.0 / 128.0)
            .played("5F4HaNQJAX", "5EaA6wcoaf", 1.0 / 128.0)
    };
    let replayed = judged(7.0);
    assert_eq!(
        replayed.story(),
        "5F4HaNQJAX won U vs leader; 5EaA6wcoaf lost to 5F4HaNQJAX"
    );
    let verified = replayed
        .passed_audits("leader", "5F4HaNQJAX")
        .source("5F4HaNQJAX", true);
    assert_eq!(verified.decision().winner(), Some("5F4HaNQJAX"));
    assert_eq!(
        judged(6.0).story(),
        "5EaA6wcoaf won U vs leader",
        "with one point less it does not qualify"
    );
}
