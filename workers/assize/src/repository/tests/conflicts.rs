use serde_json::json;

use super::super::testing::{World, commit, entry, put};
use super::super::{Change, HeldBecause, Oid, Owner};

const BUILDS: &str = "rounds/0/builds.json";
const WINNER: &str = "rounds/0/winner.json";

/// A mirror that has published `path`, and a foreign commit that replaces it.
fn edited(
    world: &World,
    path: &str,
    ours: &str,
    theirs: &str,
) -> (super::super::MirrorRepository, Oid) {
    let mirror = world.mirror();
    commit(&mirror, &[put(path, ours)]);
    mirror.push().unwrap();
    let foreign = world.person(&[(path, Some(theirs))]);
    mirror.fetch().unwrap();
    (mirror, foreign)
}

#[test]
fn a_foreign_edit_of_our_file_is_reported_and_never_overwritten() {
    let world = World::new();
    let (mirror, foreign) = edited(
        &world,
        WINNER,
        "{\"winner_hotkey\": \"a\"}",
        "{\"winner_hotkey\": \"b\"}",
    );
    let outcome = commit(
        &mirror,
        &[
            put(WINNER, "{\"winner_hotkey\": \"c\"}"),
            put("rounds/0/other", "x"),
        ],
    );
    mirror.push().unwrap();

    let [conflict] = &outcome.conflicts[..] else {
        panic!("{outcome:?}")
    };
    assert_eq!(
        (conflict.path.as_str(), conflict.owner, conflict.commit),
        (WINNER, Owner::Assize, Some(foreign))
    );
    assert_eq!(conflict.because, HeldBecause::EditedByOthers);
    assert_eq!(
        conflict.ours.as_deref(),
        Some(&b"{\"winner_hotkey\": \"c\"}"[..])
    );
    assert_eq!(
        conflict.theirs.as_deref(),
        Some(&b"{\"winner_hotkey\": \"b\"}"[..])
    );
    assert_eq!(world.file(WINNER).unwrap(), "{\"winner_hotkey\": \"b\"}");
    assert_eq!(world.file("rounds/0/other").unwrap(), "x");
}

#[test]
fn an_operators_decision_lets_later_changes_through() {
    let world = World::new();
    let (mirror, foreign) = edited(&world, WINNER, "{\"a\": 1}", "{\"a\": 2}");
    mirror.acknowledge(foreign).unwrap();
    let held = commit(&mirror, &[put(WINNER, "{\"a\": 1}")]).conflicts;
    assert_eq!(held.len(), 1);
    assert!(mirror.resolve(WINNER).unwrap());
    assert!(!mirror.resolve(WINNER).unwrap());
    let outcome = commit(&mirror, &[held[0].change.clone()]);
    assert!(outcome.commit.is_some() && outcome.conflicts.is_empty());
    mirror.push().unwrap();
    assert_eq!(world.file(WINNER).unwrap(), "{\"a\": 1}");
}

#[test]
fn edits_of_different_rows_both_survive_and_of_the_same_row_ours_waits() {
    let world = World::new();
    let (mirror, _) = edited(
        &world,
        BUILDS,
        "{\"a\": 1, \"b\": 1}",
        "{\"a\": 1, \"b\": 9}",
    );
    let outcome = commit(
        &mirror,
        &[
            entry(BUILDS, "a", json!(2)),
            entry(BUILDS, "b", json!(3)),
            entry(BUILDS, "c", json!(4)),
        ],
    );
    mirror.push().unwrap();
    let [conflict] = &outcome.conflicts[..] else {
        panic!("{outcome:?}")
    };
    assert_eq!(conflict.change, entry(BUILDS, "b", json!(3)));
    assert_eq!(
        world.file(BUILDS).unwrap(),
        "{\n  \"a\": 2,\n  \"b\": 9,\n  \"c\": 4\n}"
    );
    // What they wrote is also what we want: nothing to hold.
    assert!(
        commit(&mirror, &[entry(BUILDS, "b", json!(9))])
            .conflicts
            .is_empty()
    );
}

#[test]
fn an_unpushed_commit_meets_an_edit_that_came_first() {
    let world = World::new();
    let mirror = world.mirror();
    commit(&mirror, &[put(WINNER, "{\"a\": 1}")]);
    mirror.push().unwrap();
    commit(
        &mirror,
        &[put(WINNER, "{\"a\": 2}"), put("rounds/0/x", "x")],
    );
    let foreign = world.person(&[(WINNER, Some("{\"a\": 3}"))]);
    let outcome = mirror.publish(3).unwrap();
    let conflicts = &outcome.rebased[0].conflicts;
    assert_eq!(conflicts.len(), 1);
    assert_eq!(conflicts[0].commit, Some(foreign));
    assert_eq!(world.file(WINNER).unwrap(), "{\"a\": 3}");
    assert_eq!(world.file("rounds/0/x").unwrap(), "x");
}

#[test]
fn what_people_own_wins_over_us_until_we_have_read_it() {
    let world = World::new();
    let mirror = world.mirror();
    commit(
        &mirror,
        &[put(
            "state.json",
            "{\"current_round\": 0, \"stage\": \"paused\"}",
        )],
    );
    mirror.push().unwrap();
    commit(
        &mirror,
        &[put(
            "state.json",
            "{\"current_round\": 0, \"stage\": \"finalizing\"}",
        )],
    );
    let foreign = world.person(&[(
        "state.json",
        Some("{\"current_round\": 0, \"stage\": \"duels\"}"),
    )]);
    let outcome = mirror.publish(3).unwrap();
    assert_eq!(outcome.rebased[0].conflicts[0].owner, Owner::People);
    assert!(world.file("state.json").unwrap().contains("duels"));

    mirror.acknowledge(foreign).unwrap();
    assert!(mirror.contested().is_empty());
    commit(
        &mirror,
        &[put(
            "state.json",
            "{\"current_round\": 0, \"stage\": \"finalizing\"}",
        )],
    );
    mirror.push().unwrap();
    assert!(world.file("state.json").unwrap().contains("finalizing"));
}

#[test]
fn a_file_somebody_broke_stops_only_the_changes_that_need_it() {
    let world = World::new();
    let (mirror, foreign) = edited(&world, BUILDS, "{}", "{ \"a\": ");
    mirror.acknowledge(foreign).unwrap();
    mirror.resolve(BUILDS).unwrap();
    let outcome = commit(
        &mirror,
        &[entry(BUILDS, "a", json!(1)), put("rounds/0/x", "x")],
    );
    assert!(outcome.commit.is_some());
    assert!(
        matches!(&outcome.conflicts[0].because, HeldBecause::Unreadable(expected) if expected.contains("JSON"))
    );
    // A whole file repairs it.
    assert!(commit(&mirror, &[put(BUILDS, "{}")]).conflicts.is_empty());
}

#[test]
fn an_edit_that_was_taken_back_contests_nothing() {
    let world = World::new();
    let (mirror, _) = edited(&world, WINNER, "{\"a\": 1}", "{\"a\": 2}");
    world.person(&[(WINNER, Some("{\"a\": 1}"))]);
    mirror.fetch().unwrap();
    assert!(mirror.contested().is_empty());
    assert!(
        commit(&mirror, &[put(WINNER, "{\"a\": 5}")])
            .conflicts
            .is_empty()
    );
}

#[test]
fn taking_our_newest_version_back_by_hand_is_an_edit_like_any_other() {
    let world = World::new();
    let mirror = world.mirror();
    commit(&mirror, &[put(WINNER, "{\"a\": 1}")]);
    mirror.push().unwrap();
    mirror
        .acknowledge(mirror.fetch().unwrap().tip.unwrap())
        .unwrap();
    commit(&mirror, &[put(WINNER, "{\"a\": 2}")]);
    mirror.push().unwrap();
    world.person(&[(WINNER, Some("{\"a\": 1}"))]);
    mirror.fetch().unwrap();
    assert_eq!(
        commit(&mirror, &[put(WINNER, "{\"a\": 2}")])
            .conflicts
            .len(),
        1
    );
}

#[test]
fn lines_are_added_beside_lines_others_added_but_not_to_a_rewritten_ledger() {
    let ledger = "rounds/0/ledger/decisions.jsonl";
    let line = |text: &str| Change::AppendLine {
        path: ledger.into(),
        line: text.into(),
    };
    let world = World::new();
    let mirror = world.mirror();
    commit(&mirror, &[line("1")]);
    mirror.push().unwrap();
    world.person(&[(ledger, Some("1\nnote\n"))]);
    mirror.fetch().unwrap();
    assert!(commit(&mirror, &[line("2")]).conflicts.is_empty());
    mirror.push().unwrap();
    assert_eq!(world.file(ledger).unwrap(), "1\nnote\n2\n");
    world.person(&[(ledger, Some("2\n"))]);
    mirror.fetch().unwrap();
    assert_eq!(commit(&mirror, &[line("3")]).conflicts.len(), 1);
}

#[test]
fn contested_files_are_remembered_over_restarts_and_lost_clones() {
    let world = World::new();
    let (mirror, _) = edited(&world, WINNER, "{\"a\": 1}", "{\"a\": 2}");
    let recorded = mirror.contested();
    assert_eq!(recorded.len(), 1);
    drop(mirror);
    let mirror = world.mirror();
    assert_eq!(mirror.contested(), recorded);
    drop(mirror);

    std::fs::remove_dir_all(world.clone_path("clone")).unwrap();
    let mirror = world.mirror();
    assert_eq!(mirror.contested(), []);
    mirror.restore(None, recorded).unwrap();
    assert_eq!(
        commit(&mirror, &[put(WINNER, "{\"a\": 3}")])
            .conflicts
            .len(),
        1
    );
}

#[test]
fn edits_made_while_the_clone_was_lost_are_reported_from_where_the_caller_stopped() {
    let world = World::new();
    let seen = world.tip();
    let foreign = world.person(&[("config.json", Some("{}"))]);
    let mirror = world.mirror();
    assert_eq!(mirror.fetch().unwrap().commits, []);
    mirror.restore(Some(seen), Vec::new()).unwrap();
    assert_eq!(mirror.fetch().unwrap().commits[0].oid, foreign);
}
