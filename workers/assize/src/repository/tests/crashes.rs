//! What is left after a process died at each point. A crash is a mirror that is dropped (or leaked) and opened again.

use serde_json::json;

use super::super::testing::{World, commit, entry, put, run_git, trailers};
use super::super::{Change, MirrorRepository, PushOutcome};

const BUILDS: &str = "rounds/0/builds.json";

fn rows() -> Vec<Vec<Change>> {
    vec![
        vec![entry(BUILDS, "a", json!(1))],
        vec![entry(BUILDS, "a", json!(2)), put("rounds/0/x", "x")],
        vec![Change::AppendLine {
            path: "rounds/0/ledger/decisions.jsonl".into(),
            line: "{}".into(),
        }],
    ]
}

fn make_all(mirror: &MirrorRepository) {
    for (index, changes) in rows().iter().enumerate() {
        mirror
            .commit(
                changes,
                &format!("Row {index}"),
                &trailers(&format!("row-{index}")),
            )
            .unwrap();
    }
}

fn assert_published_once(world: &World) {
    let subjects: Vec<_> = world
        .messages()
        .iter()
        .map(|text| text.lines().next().unwrap().to_owned())
        .collect();
    assert_eq!(subjects[..3], ["Row 2", "Row 1", "Row 0"]);
    assert_eq!(subjects.len(), 4);
    run_git(&world.remote, &["fsck", "--strict"]);
}

#[test]
fn commits_that_were_not_pushed_are_made_again_from_the_outbox() {
    let world = World::new();
    let mirror = world.mirror();
    make_all(&mirror);
    drop(mirror);
    let mirror = world.mirror();
    assert_eq!(mirror.head().unwrap(), world.tip());
    make_all(&mirror);
    mirror.push().unwrap();
    assert_published_once(&world);
}

#[test]
fn a_push_whose_answer_was_lost_is_found_by_the_trailers_of_the_remote() {
    let world = World::new();
    let mirror = world.mirror();
    make_all(&mirror);
    mirror.push().unwrap();
    drop(mirror);
    // The caller had not stored the acknowledgement. It looks before it commits again.
    let mirror = world.mirror();
    let published = mirror.published_steps(100, None).unwrap();
    for step in ["row-2", "row-1", "row-0"] {
        assert!(published.contains_key(&(step.to_owned(), 1)), "{step}");
    }
    assert_eq!(published.len(), 3);
    assert_published_once(&world);
}

#[test]
fn steps_of_the_database_before_are_not_taken_for_ours() {
    let world = World::new();
    let mirror = world.mirror();
    commit(&mirror, &rows()[0]);
    commit(&mirror, &rows()[1]);
    mirror.push().unwrap();
    let recovered_from = mirror.head().unwrap();
    mirror
        .commit(&rows()[2], "Row 2", &trailers("row-2"))
        .unwrap();
    mirror.push().unwrap();
    let published = mirror.published_steps(100, Some(recovered_from)).unwrap();
    let steps: Vec<&(String, i32)> = published.keys().collect();
    assert_eq!(steps, [&("row-2".to_owned(), 1)]);
}

#[test]
fn committing_what_the_remote_already_has_makes_no_commit() {
    let world = World::new();
    let mirror = world.mirror();
    commit(&mirror, &rows()[1]);
    commit(&mirror, &rows()[2]);
    mirror.push().unwrap();
    drop(mirror);
    let mirror = world.mirror();
    assert!(commit(&mirror, &rows()[1]).commit.is_none());
    assert!(commit(&mirror, &rows()[2]).commit.is_none());
    assert_eq!(mirror.push().unwrap(), PushOutcome::UpToDate);
}

#[test]
fn commits_that_arrived_though_the_push_failed_are_told_by_the_next_fetch() {
    let world = World::new();
    let mirror = world.mirror();
    make_all(&mirror);
    let unpushed = mirror.unpushed();
    // The server took them, the answer was lost.
    run_git(
        &world.remote,
        &[
            "fetch",
            world.clone_path("clone").to_str().unwrap(),
            "main:main",
        ],
    );
    world.person(&[("README.md", Some("later"))]);
    let fetched = mirror.fetch().unwrap();
    assert_eq!(fetched.arrived, unpushed);
    assert!(!fetched.diverged);
    assert_eq!(mirror.push().unwrap(), PushOutcome::UpToDate);
    assert_eq!(mirror.head().unwrap(), world.tip());
}

#[test]
fn commits_made_again_after_a_lost_answer_name_where_their_changes_already_stand() {
    let world = World::new();
    let mirror = world.mirror();
    make_all(&mirror);
    let unpushed = mirror.unpushed();
    run_git(
        &world.remote,
        &[
            "fetch",
            world.clone_path("clone").to_str().unwrap(),
            "main:main",
        ],
    );
    // The caller gave up on the push and makes the newest commit again before it fetches.
    mirror.drop_unpushed().unwrap();
    commit(&mirror, &rows()[2]);
    let published = mirror.publish(3).unwrap();
    let rebased = &published.rebased[0].commits[0];
    assert_eq!(rebased.after, None);
    assert_eq!(rebased.stands_in, unpushed.last().copied());
    assert_published_once(&world);
}

#[test]
fn a_foreign_edit_is_reported_again_when_it_was_not_stored() {
    let world = World::new();
    let mirror = world.mirror();
    let foreign = world.person(&[("config.json", Some("{}"))]);
    assert_eq!(mirror.fetch().unwrap().commits.len(), 1);
    drop(mirror);
    let mirror = world.mirror();
    assert_eq!(mirror.fetch().unwrap().commits[0].oid, foreign);
    mirror.acknowledge(foreign).unwrap();
    drop(mirror);
    assert_eq!(world.mirror().fetch().unwrap().commits, []);
}

#[test]
fn a_clone_that_was_interrupted_is_made_again() {
    let world = World::new();
    let partial = world.clone_path("clone.partial");
    std::fs::create_dir_all(partial.join("objects")).unwrap();
    std::fs::write(partial.join("HEAD"), "torn").unwrap();
    let mirror = world.mirror();
    assert_eq!(mirror.head().unwrap(), world.tip());
    assert!(!partial.exists());
}

#[test]
fn a_clone_with_a_torn_or_missing_object_is_made_again() {
    for torn in [true, false] {
        let world = World::new();
        drop(world.mirror());
        let blob = world
            .git()
            .revparse_single("main:state.json")
            .unwrap()
            .id()
            .to_string();
        let clone = world.clone_path("clone");
        // The fetch may have packed it: unpack first, so that one object can be hurt.
        let packs = clone.join("objects/pack");
        for entry in std::fs::read_dir(&packs).unwrap() {
            let path = entry.unwrap().path();
            let away = world.clone_path(path.file_name().unwrap().to_str().unwrap());
            std::fs::rename(&path, &away).unwrap();
            if away
                .extension()
                .is_some_and(|extension| extension == "pack")
            {
                let unpack = format!(
                    "git -C {} unpack-objects -q < {}",
                    clone.display(),
                    away.display()
                );
                assert!(
                    std::process::Command::new("sh")
                        .args(["-c", &unpack])
                        .status()
                        .unwrap()
                        .success()
                );
            }
        }
        let object = clone.join("objects").join(&blob[..2]).join(&blob[2..]);
        std::fs::remove_file(&object).unwrap();
        if torn {
            std::fs::write(&object, b"").unwrap();
        }
        let mirror = world.mirror();
        assert_eq!(
            mirror.read("state.json").unwrap().unwrap(),
            super::super::testing::STATE.as_bytes()
        );
    }
}

#[test]
fn objects_of_an_interrupted_push_do_not_hide_what_is_missing() {
    let world = World::new();
    let mirror = world.mirror();
    make_all(&mirror);
    // An interrupted push leaves parts without the whole: blobs first.
    let git = world.git();
    git.blob(b"x").unwrap();
    mirror.push().unwrap();
    assert_published_once(&world);
}
