use super::super::testing::{STATE, World, commit, commit_to, put};
use super::super::{MirrorOptions, MirrorRepository, RepositoryError};
use secrecy::SecretString;

fn refusal(options: MirrorOptions) -> RepositoryError {
    match MirrorRepository::open_or_clone(options) {
        Ok(_) => panic!("expected a refusal"),
        Err(error) => error,
    }
}

#[test]
fn a_clone_reads_and_lists_what_the_remote_holds() {
    let world = World::new();
    world.person(&[
        ("rounds/0/seed.json", Some("{\"seed\": 1}")),
        ("rounds/10/seed.json", Some("{}")),
    ]);
    let mirror = world.mirror();
    assert_eq!(mirror.head().unwrap(), world.tip());
    assert_eq!(
        mirror.read("state.json").unwrap().unwrap(),
        STATE.as_bytes()
    );
    assert_eq!(mirror.read("rounds/0/winner.json").unwrap(), None);
    assert_eq!(mirror.read("rounds").unwrap(), None);
    assert_eq!(mirror.list("rounds/1").unwrap(), ["rounds/10/seed.json"]);
    assert_eq!(
        mirror.list("rounds/").unwrap(),
        ["rounds/0/seed.json", "rounds/10/seed.json"]
    );
    assert_eq!(mirror.list("").unwrap().len(), 6);
    assert_eq!(mirror.list("nowhere/").unwrap(), Vec::<String>::new());
}

#[test]
fn an_existing_clone_opens_while_the_remote_is_away() {
    let world = World::new();
    drop(world.mirror());
    std::fs::rename(&world.remote, world.clone_path("away")).unwrap();
    let mirror = world.mirror();
    assert!(mirror.read("config.json").unwrap().is_some());
    assert!(matches!(
        mirror.fetch(),
        Err(RepositoryError::NoRepository { .. })
    ));
}

#[test]
fn a_wrong_branch_is_named_together_with_the_default_one() {
    let world = World::new();
    let error = refusal(MirrorOptions {
        branch: "production".into(),
        ..world.options()
    });
    assert!(
        matches!(error, RepositoryError::NoBranch { .. }),
        "{error:?}"
    );
    assert!(
        error
            .to_string()
            .contains("`production` (its default branch is `main`)"),
        "{error}"
    );
}

#[test]
fn a_remote_without_a_competition_is_refused_unless_it_is_to_be_filled() {
    let world = World::empty();
    let error = refusal(world.options());
    assert!(matches!(error, RepositoryError::Empty { .. }), "{error:?}");

    world.person(&[("README.md", Some("something else"))]);
    let error = refusal(world.options());
    assert!(
        error
            .to_string()
            .contains("is not a state repository: it has no config.json"),
        "{error}"
    );

    let mirror = MirrorRepository::open_or_clone(MirrorOptions {
        bootstrap: true,
        ..world.options()
    })
    .unwrap();
    assert!(mirror.read("README.md").unwrap().is_some());
}

#[test]
fn an_empty_remote_can_be_filled_from_nothing() {
    let world = World::empty();
    let options = MirrorOptions {
        bootstrap: true,
        ..world.options()
    };
    let mirror = MirrorRepository::open_or_clone(options).unwrap();
    assert!(matches!(mirror.head(), Err(RepositoryError::Empty { .. })));
    assert_eq!(mirror.read("config.json").unwrap(), None);
    commit(
        &mirror,
        &[put("config.json", "{}"), put("state.json", STATE)],
    );
    mirror.push().unwrap();
    assert_eq!(world.file("state.json").unwrap(), STATE);
}

#[test]
fn an_address_that_leads_nowhere_is_told_in_one_sentence() {
    let world = World::new();
    let missing = MirrorOptions {
        remote: "/nonexistent/state.git".into(),
        ..world.options()
    };
    let error = refusal(missing);
    assert!(
        matches!(error, RepositoryError::NoRepository { .. }),
        "{error:?}"
    );

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let closed = MirrorOptions {
        remote: format!("http://127.0.0.1:{port}/state.git"),
        ..world.options()
    };
    let error = refusal(closed);
    assert!(
        matches!(error, RepositoryError::Unreachable { .. }),
        "{error:?}"
    );
    assert!(error.is_transient());
}

#[test]
fn credentials_in_an_address_and_tokens_over_plain_http_are_refused_without_being_shown() {
    let world = World::new();
    let error = refusal(MirrorOptions {
        remote: "https://x:hunter2@example.org/a".into(),
        ..world.options()
    });
    assert!(
        matches!(error, RepositoryError::Options { .. }),
        "{error:?}"
    );
    assert!(!format!("{error:?}{error}").contains("hunter2"));

    let mut options = MirrorOptions {
        remote: "http://example.org/a".into(),
        ..world.options()
    };
    options.credentials.token = Some(SecretString::from("hunter2"));
    assert!(!format!("{options:?}").contains("hunter2"));
    assert!(matches!(refusal(options), RepositoryError::Options { .. }));
}

#[test]
fn a_folder_with_something_else_in_it_is_left_alone() {
    let world = World::new();
    let folder = world.clone_path("clone");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("thesis.txt"), "ten years of work").unwrap();
    assert!(matches!(
        refusal(world.options()),
        RepositoryError::ForeignFolder { .. }
    ));
    assert!(folder.join("thesis.txt").exists());
}

#[test]
fn a_clone_of_another_remote_is_left_alone() {
    let (world, other) = (World::new(), World::new());
    drop(world.mirror());
    let options = MirrorOptions {
        remote: other.remote.to_str().unwrap().into(),
        ..world.options()
    };
    assert!(matches!(
        refusal(options),
        RepositoryError::ForeignFolder { .. }
    ));
}

#[test]
fn only_one_process_works_on_a_clone() {
    let world = World::new();
    let first = world.mirror();
    assert!(matches!(
        refusal(world.options()),
        RepositoryError::Locked { .. }
    ));
    drop(first);
    world.mirror();
}

#[test]
fn a_branch_beside_the_default_one_can_carry_the_state() {
    let world = World::new();
    commit_to(
        &world.git(),
        "stage",
        "O",
        "o@example.org",
        &[("config.json", Some("{}")), ("state.json", Some(STATE))],
    );
    let mirror = MirrorRepository::open_or_clone(MirrorOptions {
        branch: "stage".into(),
        ..world.options()
    })
    .unwrap();
    commit(&mirror, &[put("rounds/0/seed.json", "{}")]);
    mirror.push().unwrap();
    assert_eq!(world.file("rounds/0/seed.json"), None);
    assert!(
        world
            .git()
            .refname_to_id("refs/heads/stage")
            .is_ok_and(|oid| oid == mirror.head().unwrap())
    );
}
