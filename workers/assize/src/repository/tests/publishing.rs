use serde_json::json;

use super::super::testing::{World, commit, entry, put, row, run_git};
use super::super::{MirrorOptions, MirrorRepository, Owner, PushOutcome};

const BUILDS: &str = "rounds/0/builds.json";

#[test]
fn several_commits_travel_in_one_push_in_order() {
    let world = World::new();
    let mirror = world.mirror();
    let first = commit(&mirror, &[put("rounds/0/a", "1")])
        .commit
        .unwrap()
        .oid;
    let second = commit(&mirror, &[put("rounds/0/b", "2")])
        .commit
        .unwrap()
        .oid;
    assert_eq!(mirror.unpushed(), [first, second]);
    assert_eq!(
        mirror.push().unwrap(),
        PushOutcome::Pushed(vec![first, second])
    );
    assert_eq!(mirror.push().unwrap(), PushOutcome::UpToDate);
    assert_eq!(mirror.unpushed(), []);
    assert_eq!(mirror.remote_head().unwrap(), Some(second));
}

#[test]
fn a_push_that_lost_a_race_is_rejected_and_made_again_without_losing_either_side() {
    let world = World::new();
    let mirror = world.mirror();
    commit(
        &mirror,
        &[
            entry(BUILDS, "ours", json!(1)),
            row("rounds/0/matches_matrix.csv", "leader", "a", 0.5),
        ],
    );
    let foreign = world.person(&[
        (BUILDS, Some("{\n  \"theirs\": 2\n}")),
        ("README.md", Some("hello")),
    ]);

    assert_eq!(mirror.push().unwrap(), PushOutcome::Rejected);
    assert_eq!(world.tip(), foreign);
    let fetched = mirror.fetch().unwrap();
    assert!(fetched.diverged);
    assert_eq!(fetched.tip, Some(foreign));
    assert_eq!(fetched.paths(), ["README.md", BUILDS]);
    let rebased = mirror.rebase_local().unwrap();
    assert_eq!(rebased.conflicts, []);
    assert!(matches!(mirror.push().unwrap(), PushOutcome::Pushed(commits) if commits.len() == 1));

    assert_eq!(
        world.file(BUILDS).unwrap(),
        "{\n  \"theirs\": 2,\n  \"ours\": 1\n}"
    );
    assert_eq!(world.file("README.md").unwrap(), "hello");
    let git = world.git();
    assert_eq!(
        git.find_commit(world.tip()).unwrap().parent_id(0).unwrap(),
        foreign
    );
    assert_eq!(git.find_commit(world.tip()).unwrap().parent_count(), 1);
    run_git(&world.remote, &["fsck", "--strict"]);
}

#[test]
fn what_a_foreign_commit_changed_is_told_with_author_and_both_versions_until_it_is_acknowledged() {
    let world = World::new();
    let mirror = world.mirror();
    let foreign = world.person(&[
        ("config.json", Some("{\"name\": \"new\"}")),
        ("prompts.txt", None),
    ]);
    for _ in 0..2 {
        let fetched = mirror.fetch().unwrap();
        assert_eq!(fetched.commits.len(), 1);
        let commit = &fetched.commits[0];
        assert_eq!(
            (commit.oid, commit.author_email.as_str()),
            (foreign, "operator@example.org")
        );
        let config = &commit.changes[0];
        assert_eq!(config.path, "config.json");
        assert_eq!(config.owner, Owner::People);
        assert_eq!(
            config.before.as_deref(),
            Some(super::super::testing::CONFIG.as_bytes())
        );
        assert_eq!(config.after.as_deref(), Some(&b"{\"name\": \"new\"}"[..]));
        assert_eq!(commit.changes[1].after, None);
    }
    // Without waiting commits the clone follows.
    assert_eq!(mirror.head().unwrap(), foreign);
    mirror.acknowledge(foreign).unwrap();
    assert_eq!(mirror.fetch().unwrap().commits, []);
}

#[test]
fn our_own_commits_are_not_foreign_even_to_another_clone_of_ours() {
    let world = World::new();
    let other = MirrorRepository::open_or_clone(MirrorOptions {
        local: world.clone_path("other"),
        ..world.options()
    })
    .unwrap();
    let mirror = world.mirror();
    commit(&mirror, &[put("rounds/0/a", "1")]);
    mirror.push().unwrap();
    assert_eq!(other.fetch().unwrap().commits, []);
    assert_eq!(other.read("rounds/0/a").unwrap().unwrap(), b"1");
}

#[test]
fn a_commit_that_only_claims_to_be_ours_is_foreign_when_we_sign() {
    let world = World::new();
    let key = super::super::SigningKey::generate();
    let options = MirrorOptions {
        signing_key: Some(key),
        ..world.options()
    };
    let mirror = MirrorRepository::open_or_clone(options.clone()).unwrap();
    super::super::testing::commit_to(
        &world.git(),
        "main",
        "Assize",
        &options.author_email,
        &[("rounds/0/winner.json", Some("{}"))],
    );
    let fetched = mirror.fetch().unwrap();
    assert_eq!(fetched.commits.len(), 1);
    assert_eq!(fetched.commits[0].changes[0].owner, Owner::Assize);
}

#[test]
fn publish_wins_against_somebody_who_pushes_all_the_time() {
    let world = World::new();
    let mirror = world.mirror();
    commit(&mirror, &[entry(BUILDS, "ours", json!(true))]);
    for index in 0..5 {
        world.person(&[("README.md", Some(&index.to_string()))]);
        if index < 4 {
            let outcome = mirror.publish(1).unwrap();
            assert_eq!(outcome.push, PushOutcome::Rejected);
        }
    }
    let outcome = mirror.publish(3).unwrap();
    assert!(matches!(outcome.push, PushOutcome::Pushed(_)));
    assert_eq!(outcome.fetched.unwrap().commits.len(), 5);
    assert_eq!(world.file("README.md").unwrap(), "4");
    assert!(world.file(BUILDS).unwrap().contains("ours"));
}

#[test]
fn two_writers_at_once_lose_nothing() {
    const EACH: usize = 15;
    let world = World::new();
    std::thread::scope(|scope| {
        for writer in ["a", "b"] {
            let options = MirrorOptions {
                local: world.clone_path(writer),
                ..world.options()
            };
            scope.spawn(move || {
                let mirror = MirrorRepository::open_or_clone(options).unwrap();
                for index in 0..EACH {
                    commit(
                        &mirror,
                        &[entry(BUILDS, &format!("{writer}{index}"), json!(index))],
                    );
                    let outcome = mirror.publish(1000).unwrap();
                    assert!(
                        matches!(outcome.push, PushOutcome::Pushed(_)),
                        "{outcome:?}"
                    );
                }
            });
        }
    });
    let builds: serde_json::Value = serde_json::from_str(&world.file(BUILDS).unwrap()).unwrap();
    assert_eq!(builds.as_object().unwrap().len(), 2 * EACH);
    assert_eq!(world.messages().len(), 1 + 2 * EACH);
    run_git(&world.remote, &["fsck", "--strict"]);
}

#[test]
fn a_remote_that_was_away_is_caught_up_in_order() {
    let world = World::new();
    let mirror = world.mirror();
    let away = world.clone_path("away");
    std::fs::rename(&world.remote, &away).unwrap();
    for index in 0..3 {
        mirror
            .commit(
                &[put("rounds/0/a", &index.to_string())],
                &format!("Step {index}"),
                &[],
            )
            .unwrap();
        assert!(mirror.push().is_err());
    }
    std::fs::rename(&away, &world.remote).unwrap();
    assert!(matches!(mirror.push().unwrap(), PushOutcome::Pushed(commits) if commits.len() == 3));
    assert_eq!(world.messages()[..3], ["Step 2", "Step 1", "Step 0"]);
}

#[test]
fn a_branch_whose_history_was_replaced_is_reported_and_built_upon() {
    let world = World::new();
    let first = world.tip();
    world.person(&[("rounds/0/a.json", Some("{}"))]);
    let mirror = world.mirror();
    commit(&mirror, &[entry(BUILDS, "ours", json!(1))]);
    world
        .git()
        .reference("refs/heads/main", first, true, "rewind")
        .unwrap();
    let replaced = world.person(&[("config.json", Some("{}"))]);

    assert_eq!(mirror.push().unwrap(), PushOutcome::Rejected);
    let fetched = mirror.fetch().unwrap();
    assert!(fetched.rewritten && fetched.diverged);
    assert_eq!(fetched.paths(), ["config.json", "rounds/0/a.json"]);
    mirror.rebase_local().unwrap();
    assert!(matches!(mirror.push().unwrap(), PushOutcome::Pushed(_)));
    assert_eq!(
        world
            .git()
            .find_commit(world.tip())
            .unwrap()
            .parent_id(0)
            .unwrap(),
        replaced
    );
    mirror.acknowledge(replaced).unwrap();
    assert!(!mirror.fetch().unwrap().rewritten);
}
