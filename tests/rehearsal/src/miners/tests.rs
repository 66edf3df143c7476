#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::sync::Arc;

use miner::Generator;

use super::*;

fn stems() -> Vec<String> {
    (0..64).map(|index| format!("{index:032x}")).collect()
}

fn of(cast: &Cast, behaviour: Behaviour) -> CastMiner {
    cast.miners()
        .iter()
        .find(|miner| miner.behaviour == behaviour)
        .unwrap()
        .clone()
}

#[test]
fn six_miners_are_one_of_each_kind_and_the_good_one_must_win() {
    let cast = Cast::new(1, 6);
    let kinds: HashSet<Behaviour> = cast.miners().iter().map(|miner| miner.behaviour).collect();
    assert_eq!(kinds.len(), 6);
    assert_eq!(cast.expected_winner().unwrap().behaviour, Behaviour::Good);
    assert_eq!(
        Cast::new(1, 0).expected_winner(),
        None,
        "without challengers the leader defends"
    );
    assert_eq!(
        Cast::new(1, 40).expected_winner().unwrap().behaviour,
        Behaviour::Good
    );
}

#[test]
fn the_same_seed_gives_the_same_cast_and_keys_that_the_chain_accepts() {
    assert_eq!(Cast::new(3, 12), Cast::new(3, 12));
    assert_ne!(Cast::new(3, 12), Cast::new(4, 12));
    let cast = Cast::new(3, 12);
    assert_eq!(
        cast.miners()[..6],
        Cast::new(3, 6).miners()[..],
        "more miners leave the first ones as they are"
    );
    let mut keys = HashSet::new();
    for miner in cast.miners() {
        let read: subxt::utils::AccountId32 = miner.hotkey.parse().unwrap();
        assert_eq!(read.0, miner.hotkey_bytes);
        assert!(miner.hotkey.starts_with('5'), "{}", miner.hotkey);
        assert!(keys.insert(miner.hotkey.clone()) && keys.insert(miner.coldkey.clone()));
        assert_eq!(miner.commit.len(), 40);
        assert!(keys.insert(miner.repo.clone()));
    }
}

#[test]
fn only_the_late_miner_reveals_outside_the_window() {
    for miner in Cast::new(9, 30).miners() {
        match miner.reveal {
            Reveal::InWindow { share } => assert!((0.0..1.0).contains(&share)),
            Reveal::AfterWindow { blocks } => assert!(blocks >= 1),
        }
        assert_eq!(
            matches!(miner.reveal, Reveal::AfterWindow { .. }),
            miner.behaviour == Behaviour::Late
        );
    }
}

#[test]
fn an_honest_image_makes_what_was_submitted_and_a_dishonest_one_does_not() {
    let cast = Cast::new(1, 8);
    for stem in stems() {
        for miner in cast.miners() {
            let submitted = cast.submitted_module(&miner.hotkey, &stem);
            let made = cast.regenerated_module(&miner.hotkey, &stem, 0).ok();
            assert_eq!(
                submitted == made,
                miner.behaviour != Behaviour::Dishonest,
                "{} on {stem}",
                miner.name
            );
        }
    }
    let unsteady = of(&cast, Behaviour::Unsteady);
    let stem = &stems()[0];
    assert_ne!(
        cast.regenerated_module(&unsteady.hotkey, stem, 0),
        cast.regenerated_module(&unsteady.hotkey, stem, 1),
    );
}

#[test]
fn misbehaviour_shows_on_some_prompts_and_not_on_others() {
    let cast = Cast::new(1, 6);
    for behaviour in [
        Behaviour::MissingFiles,
        Behaviour::InvalidModule,
        Behaviour::EndlessLoop,
    ] {
        let miner = of(&cast, behaviour);
        let bad = stems()
            .iter()
            .filter(|stem| cast.misbehaves_on(&miner, stem))
            .count();
        assert!(
            (10..54).contains(&bad),
            "{behaviour:?} on {bad} of 64 prompts"
        );
        for stem in stems() {
            let module = cast.submitted_module(&miner.hotkey, &stem);
            let bad = cast.misbehaves_on(&miner, &stem);
            match behaviour {
                Behaviour::MissingFiles => assert_eq!(module.is_none(), bad),
                Behaviour::EndlessLoop => assert_eq!(module.unwrap().contains("while"), bad),
                _ => assert_eq!(module.unwrap().contains("const add ="), !bad),
            }
        }
    }
}

#[tokio::test]
async fn a_pod_counts_repeats_and_fails_prompts_whose_image_is_gone() {
    struct Gone;
    #[async_trait::async_trait]
    impl crate::vlm::Fetch for Gone {
        async fn fetch(&self, _url: &str) -> Result<bytes::Bytes, String> {
            Err("404".to_owned())
        }
    }
    let cast = Arc::new(Cast::new(1, 8));
    let unsteady = of(&cast, Behaviour::Unsteady);
    let pod = cast.generator(&unsteady.hotkey).unwrap();
    let first = pod
        .generate("abc", "https://x.invalid/abc.png", 1)
        .await
        .unwrap();
    assert_eq!(
        first,
        cast.submitted_module(&unsteady.hotkey, "abc").unwrap()
    );
    assert_ne!(
        first,
        pod.generate("abc", "https://x.invalid/abc.png", 1)
            .await
            .unwrap()
    );
    let leader = cast.leader_generator();
    assert_eq!(
        leader.generate("abc", "", 1).await.unwrap(),
        cast.leader_module("abc")
    );
    let blind = cast.leader_generator().with_images(Arc::new(Gone));
    assert_eq!(
        blind.generate("abc", "u", 1).await,
        Err("prompt image not downloaded: 404".to_owned())
    );
    assert!(cast.generator("5Unknown").is_none());
}
