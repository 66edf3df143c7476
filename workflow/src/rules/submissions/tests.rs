#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

const ALPHA: u64 = 1_000_000_000;
const COMMIT: &str = "aa10f6f2aa10f6f2aa10f6f2aa10f6f2aa10f6f2";
const WINDOW: RevealWindow = RevealWindow {
    earliest: BlockNumber(100),
    latest: BlockNumber(200),
};

fn prefixed(text: &str) -> Vec<u8> {
    let length = text.len() as u32;
    let mut payload = ((length << 2) | 2).to_le_bytes().to_vec();
    payload.extend(text.as_bytes());
    payload
}

fn json(repo: &str, commit: &str, cdn_url: &str) -> String {
    serde_json::json!({"repo": repo, "commit": commit, "cdn_url": cdn_url}).to_string()
}

fn good() -> String {
    json("o/n", COMMIT, "https://x.y/a")
}

/// A hotkey with entries of (text, block).
fn reveals(hotkey: &str, entries: &[(&str, u64)]) -> (Hotkey, Vec<(Vec<u8>, u64)>) {
    let entries = entries
        .iter()
        .map(|(text, block)| (prefixed(text), *block))
        .collect();
    (Hotkey::new(format!("5miner-key-{hotkey}")), entries)
}

fn read(reveals: &RevealedCommitments) -> ReadReveals {
    read_reveals(reveals, WINDOW, "mesh-6")
}

fn read_one(entries: &[(&str, u64)]) -> Result<Submission, RejectReason> {
    let mut read = read(&[reveals("a", entries)]);
    match (read.valid.pop(), read.rejected.pop()) {
        (Some((_, submission)), None) => Ok(submission),
        (None, Some(rejected)) => Err(rejected.reason),
        other => panic!("expected one outcome, got {other:?}"),
    }
}

fn collect(all: &[(&str, u64, &str)], locks: &[(&str, u64)]) -> Collected {
    let entries: Vec<_> = all
        .iter()
        .map(|(hotkey, block, _)| reveals(hotkey, &[(&good(), *block)]))
        .collect();
    let neurons: BTreeMap<Hotkey, Coldkey> = all
        .iter()
        .filter(|(_, _, owner)| !owner.is_empty())
        .map(|(hotkey, _, owner)| {
            (
                Hotkey::new(format!("5miner-key-{hotkey}")),
                Coldkey((*owner).into()),
            )
        })
        .collect();
    let locks = locks
        .iter()
        .map(|(owner, alpha)| (Coldkey((*owner).into()), alpha * ALPHA))
        .collect();
    accept_submissions(read(&entries), &neurons, &locks, 100 * ALPHA)
}

fn order(collected: &Collected) -> Vec<&str> {
    collected
        .accepted
        .keys()
        .map(|hotkey| hotkey.as_str().trim_start_matches("5miner-key-"))
        .collect()
}

#[test]
fn a_good_entry_becomes_a_submission_with_the_rounds_label() {
    assert_eq!(
        read_one(&[(&json("o/n", COMMIT, "https://X.y//"), 150)]).unwrap(),
        Submission {
            repo: "o/n".into(),
            commit: COMMIT.into(),
            cdn_url: "https://x.y/".into(),
            revealed_at_block: BlockNumber(150),
            round: "mesh-6".into(),
        }
    );
}

#[test]
fn the_window_includes_both_its_ends() {
    for (block, inside) in [(99, false), (100, true), (200, true), (201, false)] {
        let read = read(&[reveals("a", &[(&good(), block)])]);
        assert_eq!(
            (read.valid.len(), read.rejected.len()),
            (usize::from(inside), 0),
            "block {block}"
        );
    }
}

#[test]
fn fields_come_from_different_entries_and_the_latest_counts() {
    let other = "b".repeat(40);
    let entries = [
        (&*json("old/repo", COMMIT, "https://x.y/1"), 120),
        (
            &*format!("{{'repo': 'new/repo', 'commit': '{other}'}}"),
            130,
        ),
        ("{'cdn_url': 'https://x.y/2/'}", 140),
        (&*json("late/late", COMMIT, "https://x.y/late"), 201),
    ];
    let submission = read_one(&entries).unwrap();
    assert_eq!(
        (submission.repo.as_str(), submission.cdn_url.as_str()),
        ("new/repo", "https://x.y/2")
    );
    assert_eq!(
        (submission.commit.as_str(), submission.revealed_at_block),
        (other.as_str(), BlockNumber(130))
    );
}

#[test]
fn in_one_block_the_greatest_text_counts_whatever_the_order_of_entries() {
    let (low, high) = (
        json("a/low", COMMIT, "https://x.y/9"),
        json("z/high", COMMIT, "https://x.y/1"),
    );
    for entries in [[(&*low, 150), (&*high, 150)], [(&*high, 150), (&*low, 150)]] {
        let submission = read_one(&entries).unwrap();
        assert_eq!(
            (submission.repo.as_str(), submission.cdn_url.as_str()),
            ("z/high", "https://x.y/9")
        );
    }
}

#[test]
fn a_bad_entry_is_left_out_with_its_reason_and_the_others_count() {
    let all = [reveals(
        "a",
        &[
            ("1", 110),
            (&good(), 120),
            ("{'cdn_url': 5}", 130),
            ("NaN", 140),
        ],
    )];
    let read = read(&all);
    assert_eq!(read.valid.len(), 1);
    let ignored: Vec<(u64, &EntryProblem)> = read
        .ignored
        .iter()
        .map(|entry| (entry.block.0, &entry.problem))
        .collect();
    assert!(matches!(
        ignored[..],
        [
            (110, EntryProblem::NotAnObject { .. }),
            (
                130,
                EntryProblem::NotText {
                    field: Field::CdnUrl
                }
            ),
            (140, EntryProblem::NotJson { .. })
        ]
    ));
}

#[test]
fn no_payload_of_one_hotkey_keeps_another_out() {
    for bad in [
        "1",
        "null",
        "true",
        "1.5",
        "NaN",
        "\"repo\"",
        "[\"repo\"]",
        "{'cdn_url': {}, 'repo': 7}",
        "x0123456789a",
    ] {
        let read = read(&[
            reveals("bad", &[(bad, 150)]),
            reveals("good", &[(&good(), 150)]),
        ]);
        assert_eq!(read.valid.len(), 1, "{bad}");
        assert_eq!(read.rejected.len(), 1, "{bad}");
        assert_eq!(
            read.rejected[0].reason,
            RejectReason::Missing { field: Field::Repo },
            "{bad}"
        );
    }
}

#[test]
fn fields_are_checked_and_every_refusal_names_its_field() {
    for repo in [
        "no-slash",
        "too/many/slashes",
        "only/",
        "/only",
        "a/b.c",
        "a.b/c",
        "a/b\n",
        "a/b ",
        "a b/c",
    ] {
        let reason = read_one(&[(&json(repo, COMMIT, "https://x.y"), 150)]).unwrap_err();
        assert!(
            matches!(reason, RejectReason::Repo { .. }),
            "{repo:?}: {reason}"
        );
    }
    for commit in [
        &COMMIT[..39],
        &format!("{COMMIT}0"),
        &COMMIT.to_uppercase(),
        &format!("{}g", &COMMIT[..39]),
        "main",
    ] {
        let reason = read_one(&[(&json("o/n", commit, "https://x.y"), 150)]).unwrap_err();
        assert!(
            matches!(reason, RejectReason::Commit { .. }),
            "{commit:?}: {reason}"
        );
    }
    let reason = read_one(&[(&json("o/n", COMMIT, "ftp://x.y"), 150)]).unwrap_err();
    assert_eq!(
        reason.to_string(),
        r#"cdn_url "ftp://x.y" is refused: its scheme is ftp, expected http or https"#
    );
    for text in [
        "{}",
        &json("", COMMIT, "https://x.y"),
        &json("o/n", "", "https://x.y"),
        &json("o/n", COMMIT, ""),
    ] {
        assert!(
            matches!(read_one(&[(text, 150)]), Err(RejectReason::Missing { .. })),
            "{text}"
        );
    }
    assert_eq!(
        read_one(&[(&json("ö_1/名-前", COMMIT, "https://x.y"), 150)])
            .unwrap()
            .repo,
        "ö_1/名-前"
    );
}

#[test]
fn a_short_hotkey_is_refused() {
    let read = read(&[(Hotkey::new("5short"), vec![(prefixed(&good()), 150)])]);
    assert_eq!(read.rejected[0].reason, RejectReason::Hotkey);
}

#[test]
fn unregistered_hotkeys_are_dropped_and_the_others_stay() {
    let collected = collect(&[("a", 110, "owner"), ("b", 120, "")], &[("owner", 100)]);
    assert_eq!(order(&collected), ["a"]);
    assert_eq!(collected.rejected[0].reason, RejectReason::NotRegistered);
    assert_eq!(collected.committed, 2);
}

#[test]
fn an_owner_needs_the_lock_for_each_of_its_submissions_or_loses_all() {
    let two = [
        ("a", 110, "owner"),
        ("b", 120, "owner"),
        ("c", 130, "other"),
    ];
    assert_eq!(order(&collect(&two[..1], &[("owner", 99)])), [""; 0]);
    assert_eq!(order(&collect(&two[..1], &[("owner", 100)])), ["a"]);
    assert_eq!(
        order(&collect(&two, &[("owner", 200), ("other", 100)])),
        ["a", "b", "c"]
    );
    let collected = collect(&two, &[("owner", 199), ("other", 100)]);
    assert_eq!(order(&collected), ["c"]);
    assert_eq!(collected.rejected.len(), 2);
    assert_eq!(
        collected.rejected[0].reason.to_string(),
        "the owner has 199 alpha locked, 200 are required for its 2 submission(s)"
    );
    assert_eq!(order(&collect(&two[..1], &[])), [""; 0], "nothing locked");
}

#[test]
fn the_owners_to_ask_are_those_of_valid_registered_hotkeys() {
    let all = [
        reveals("a", &[(&good(), 150)]),
        reveals("b", &[("1", 150)]),
        reveals("c", &[(&good(), 150)]),
    ];
    let neurons = [("a", "one"), ("b", "two")].map(|(hotkey, owner)| {
        (
            Hotkey::new(format!("5miner-key-{hotkey}")),
            Coldkey(owner.into()),
        )
    });
    let asked = coldkeys_to_ask(&read(&all), &neurons.into());
    assert_eq!(asked, BTreeSet::from([Coldkey("one".into())]));
}

#[test]
fn the_order_is_by_block_then_owners_by_first_submission_then_storage_keys() {
    let all = [
        ("a", 150, "late"),
        ("b", 150, "early"),
        ("c", 120, "early"),
        ("d", 150, "late"),
        ("e", 150, "early"),
        ("f", 110, "first"),
    ];
    let locks = [("late", 900), ("early", 900), ("first", 900)];
    assert_eq!(
        order(&collect(&all, &locks)),
        ["f", "c", "b", "e", "a", "d"]
    );
}

#[test]
fn an_owners_later_submission_does_not_overtake_another_owners_earlier_one() {
    let all = [("a", 110, "one"), ("b", 150, "two"), ("c", 190, "one")];
    assert_eq!(
        order(&collect(&all, &[("one", 200), ("two", 100)])),
        ["a", "b", "c"]
    );
}

#[test]
fn an_empty_chain_collects_nothing() {
    assert_eq!(collect(&[], &[]), Collected::default());
}

proptest! {
    #[test]
    fn whatever_is_revealed_every_hotkey_of_the_window_is_accepted_or_rejected_once(
        blocks in proptest::collection::vec((90_u64..210, 0_usize..4, 0_usize..3), 0..20)
    ) {
        let texts = [good(), "1".to_owned(), "{'repo': 'a'}".to_owned(), json("a/b.c", COMMIT, "https://x.y")];
        let all: Vec<_> = blocks
            .iter()
            .enumerate()
            .map(|(i, (block, text, _))| reveals(&i.to_string(), &[(&texts[*text], *block)]))
            .collect();
        let neurons = blocks
            .iter()
            .enumerate()
            .filter(|(_, (_, _, owner))| *owner > 0)
            .map(|(i, (_, _, owner))| (Hotkey::new(format!("5miner-key-{i}")), Coldkey(owner.to_string())))
            .collect();
        let locks = [(Coldkey("1".into()), u64::MAX)].into();
        let collected = accept_submissions(read(&all), &neurons, &locks, ALPHA);
        let inside = blocks.iter().filter(|(block, _, _)| (100..=200).contains(block)).count();
        prop_assert_eq!(collected.accepted.len() + collected.rejected.len(), inside);
        let blocks: Vec<_> = collected.accepted.values().map(|submission| submission.revealed_at_block).collect();
        prop_assert!(blocks.is_sorted());
    }
}
