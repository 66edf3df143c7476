use std::time::{Duration, Instant};

use serde_json::json;

use super::super::testing::{World, commit, entry, put, run_git};
use super::super::{Change, MirrorRepository, PushOutcome};

const FILES: usize = 10_000;

/// A repository of 10,000 files, pushed.
fn grown(world: &World) -> MirrorRepository {
    let mirror = world.mirror();
    let file = |index: usize| {
        put(
            &format!(
                "rounds/{}/hk{}/submitted.json",
                index / 5_000,
                index % 5_000
            ),
            &format!("{{\"file\": {index}}}"),
        )
    };
    let changes: Vec<Change> = (0..FILES).map(file).collect();
    commit(&mirror, &changes);
    assert!(matches!(mirror.push().unwrap(), PushOutcome::Pushed(_)));
    mirror
}

#[test]
fn a_commit_among_ten_thousand_files_takes_at_most_fifty_milliseconds() {
    let world = World::new();
    let mirror = grown(&world);
    let mut times: Vec<Duration> = (0..20)
        .map(|index| {
            let changes = [
                entry(
                    "rounds/1/hk42/submitted.json",
                    &format!("stem{index}"),
                    json!({"js": null}),
                ),
                put("state.json", &index.to_string()),
            ];
            let started = Instant::now();
            commit(&mirror, &changes);
            started.elapsed()
        })
        .collect();
    times.sort_unstable();
    // The quicker half: other tests run beside this one.
    assert!(
        times[times.len() / 4] <= Duration::from_millis(50),
        "{times:?}"
    );
    assert!(matches!(mirror.push().unwrap(), PushOutcome::Pushed(commits) if commits.len() == 20));
    assert_eq!(mirror.list("rounds/").unwrap().len(), FILES);
    run_git(&world.remote, &["fsck", "--strict"]);
    run_git(&world.clone_path("clone"), &["fsck", "--strict"]);
}

#[test]
fn a_clone_full_of_loose_objects_is_made_again_and_forgets_nothing() {
    let world = World::new();
    let mirror = grown(&world);
    let foreign = world.person(&[("rounds/0/builds.json", Some("{}"))]);
    mirror.fetch().unwrap();
    let contested = mirror.contested();
    assert_eq!(contested.len(), 1);
    let (head, files) = (mirror.head().unwrap(), mirror.list("").unwrap());

    commit(&mirror, &[put("rounds/0/waits", "x")]);
    assert!(
        !mirror.compact(1_000).unwrap(),
        "a waiting commit must not be lost"
    );
    mirror.drop_unpushed().unwrap();
    assert!(mirror.compact(1_000).unwrap());
    assert!(!mirror.compact(1_000).unwrap());

    assert_eq!(
        (mirror.head().unwrap(), mirror.list("").unwrap()),
        (head, files)
    );
    assert_eq!(mirror.contested(), contested);
    assert_eq!(mirror.fetch().unwrap().commits[0].oid, foreign);
    commit(&mirror, &[put("rounds/0/after", "x")]);
    assert!(matches!(mirror.push().unwrap(), PushOutcome::Pushed(_)));
    run_git(&world.clone_path("clone"), &["fsck", "--strict"]);
    drop(mirror);
    assert_eq!(world.mirror().contested(), contested);
}
