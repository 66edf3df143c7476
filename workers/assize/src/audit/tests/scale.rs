//! An audit of a repository as large as the first competition's.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;

use super::fixture::{collect, unpacked};
use super::world::{Files, Git, SERVICE};

const ROUNDS: usize = 7;
const COMMITS: usize = 540;

/// Seven rounds with the files of the two real ones, in 540 commits.
fn grown() -> Git {
    let folder = unpacked();
    let mut real = Files::new();
    collect(folder.path(), "", &mut real);
    let (of_rounds, global): (Files, Files) = real
        .into_iter()
        .partition(|(path, _)| path.starts_with("rounds/"));
    let mut all: Vec<(String, Vec<u8>)> = Vec::new();
    for round in 0..ROUNDS {
        let from = format!("rounds/{}/", round % 2);
        let of_round = of_rounds.iter().filter(|(path, _)| path.starts_with(&from));
        all.extend(of_round.map(|(path, bytes)| {
            (
                path.replacen(&from, &format!("rounds/{round}/"), 1),
                bytes.clone(),
            )
        }));
    }
    let git = Git::empty();
    git.commit(SERVICE, "Start", &global);
    for index in 1..COMMITS {
        let bound = |index: usize| index * all.len() / (COMMITS - 1);
        let part = &all[bound(index - 1)..bound(index)];
        git.commit(
            SERVICE,
            "Match report: leader vs 5GgpGaDxzT",
            &part.iter().cloned().collect(),
        );
    }
    git
}

/// Processor time of this process so far. On a busy machine it tells the work, where the clock tells the neighbours.
fn processor_time() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap();
    let seconds =
        |time: TimeVal| Duration::new(time.tv_sec() as u64, time.tv_usec() as u32 * 1_000);
    seconds(usage.user_time()) + seconds(usage.system_time())
}

#[test]
fn seven_rounds_and_their_history_are_audited_in_five_seconds() {
    let git = grown();
    let timed = |_| {
        let started = processor_time();
        let report = git.audit();
        assert_eq!(
            (report.rounds.len(), report.source.commits),
            (ROUNDS, COMMITS)
        );
        processor_time().saturating_sub(started)
    };
    let took = (0..3).map(timed).min().unwrap();
    assert!(took <= Duration::from_secs(5), "{took:?}");
}
