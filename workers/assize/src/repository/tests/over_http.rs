use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::Ordering;

use secrecy::SecretString;
use serde_json::json;

use super::super::testing::{World, commit, entry, put, run_git};
use super::super::{MirrorOptions, MirrorRepository, PushOutcome, RepositoryError};
use super::http_server::HttpHost;

const TOKEN: &str = "ghp_hunter2";
const BUILDS: &str = "rounds/0/builds.json";

fn options(world: &World, host: &HttpHost, token: Option<&str>) -> MirrorOptions {
    let mut options = MirrorOptions {
        remote: host.url("remote.git"),
        ..world.options()
    };
    options.credentials.token = token.map(SecretString::from);
    options
}

#[test]
fn a_token_opens_the_door_and_is_written_nowhere() {
    let world = World::new();
    let host = HttpHost::serve(&world.remote, Some(TOKEN));
    let mirror = MirrorRepository::open_or_clone(options(&world, &host, Some(TOKEN))).unwrap();
    commit(&mirror, &[put("rounds/0/a", "1")]);
    assert!(matches!(mirror.push().unwrap(), PushOutcome::Pushed(commits) if commits.len() == 1));
    assert_eq!(world.file("rounds/0/a").unwrap(), "1");
    run_git(&world.remote, &["fsck", "--strict"]);
    drop(mirror);
    for entry in std::fs::read_dir(world.clone_path("clone")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let content = std::fs::read(&path).unwrap();
            assert!(
                !String::from_utf8_lossy(&content).contains("hunter2"),
                "{}",
                path.display()
            );
        }
    }
}

#[test]
fn a_wrong_or_missing_token_is_told_as_such() {
    let world = World::new();
    let host = HttpHost::serve(&world.remote, Some(TOKEN));
    for token in [Some("wrong"), None] {
        let error = MirrorRepository::open_or_clone(options(&world, &host, token))
            .err()
            .unwrap();
        assert!(
            matches!(error, RepositoryError::Authentication { .. }),
            "{token:?} {error:?}"
        );
        assert!(!error.is_transient());
    }
}

#[test]
fn an_address_without_a_repository_is_told_as_such() {
    let world = World::new();
    let host = HttpHost::serve(&world.remote, None);
    let options = MirrorOptions {
        remote: host.url("elsewhere.git"),
        ..world.options()
    };
    let error = MirrorRepository::open_or_clone(options).err().unwrap();
    assert!(
        matches!(error, RepositoryError::NoRepository { .. }),
        "{error:?}"
    );
}

#[test]
fn writers_over_http_and_by_path_at_once_lose_nothing() {
    const EACH: usize = 8;
    let world = World::new();
    let host = HttpHost::serve(&world.remote, None);
    let remotes = [
        host.url("remote.git"),
        world.remote.to_str().unwrap().to_owned(),
    ];
    std::thread::scope(|scope| {
        for (writer, remote) in remotes.into_iter().enumerate() {
            let local = world.clone_path(&writer.to_string());
            let options = MirrorOptions {
                local,
                remote,
                ..world.options()
            };
            scope.spawn(move || {
                let mirror = MirrorRepository::open_or_clone(options).unwrap();
                for index in 0..EACH {
                    commit(
                        &mirror,
                        &[entry(BUILDS, &format!("{writer}-{index}"), json!(index))],
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
    run_git(&world.remote, &["fsck", "--strict"]);
}

#[test]
fn a_rule_of_the_server_is_told_with_its_words_and_the_commits_stay() {
    let world = World::new();
    let host = HttpHost::serve(&world.remote, None);
    let mirror = MirrorRepository::open_or_clone(options(&world, &host, None)).unwrap();
    let hook = world.remote.join("hooks/pre-receive");
    std::fs::create_dir_all(hook.parent().unwrap()).unwrap();
    std::fs::write(&hook, "#!/bin/sh\nexit 1\n").unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    commit(&mirror, &[put("rounds/0/a", "1")]);
    let error = mirror.push().unwrap_err();
    assert!(
        matches!(&error, RepositoryError::Refused { message, .. } if message.contains("hook")),
        "{error:?}"
    );
    assert_eq!(mirror.unpushed().len(), 1);
    std::fs::remove_file(&hook).unwrap();
    assert!(matches!(mirror.push().unwrap(), PushOutcome::Pushed(_)));
}

#[test]
fn a_push_whose_answer_was_lost_has_arrived() {
    let world = World::new();
    let host = HttpHost::serve(&world.remote, None);
    let mirror = MirrorRepository::open_or_clone(options(&world, &host, None)).unwrap();
    let oid = commit(&mirror, &[put("rounds/0/a", "1")])
        .commit
        .unwrap()
        .oid;
    host.lose_next_answer.store(true, Ordering::Relaxed);
    let error = mirror.push().unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert_eq!(mirror.unpushed(), [oid]);
    let fetched = mirror.fetch().unwrap();
    assert_eq!(fetched.arrived, [oid]);
    assert_eq!(mirror.push().unwrap(), PushOutcome::UpToDate);
    assert_eq!(host.pushes.load(Ordering::Relaxed), 1);
}
