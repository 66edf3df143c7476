//! What holds in the real data, so that it can be asked of ours.

use std::collections::BTreeSet;

use schema::files::report::score_and_margin;
use schema::files::{
    AnyAuditRequests, AnyGenerationAudits, AnyGenerations, AnyReport, Build, BuildStatus, Builds,
    Config, Leaders, Matrix, MeshAuditOutcome, MeshGenerationAudits, MeshGenerations, MeshReport,
    Prompts, Schedule, Submissions, Winner,
};
use schema::format::float::python_repr;
use schema::{Hotkey, RoundNumber, Side, StateFile, paths};

use crate::fixture::{FILES, REPORTS, ROUNDS, read};

fn config() -> Config {
    read(&paths::config())
}

fn submissions(round: RoundNumber) -> Submissions {
    read(&paths::submissions(round))
}

fn report(path: &str) -> MeshReport {
    match AnyReport::parse(path, &REPORTS[path]).unwrap() {
        AnyReport::Mesh(report) => report,
        AnyReport::Current(_) => panic!("{path} is not of the mesh competition"),
    }
}

fn submitted(round: RoundNumber, hotkey: &Hotkey) -> MeshGenerations {
    match read(&paths::submitted(round, hotkey)) {
        AnyGenerations::Mesh(generations) => generations,
        AnyGenerations::Current(_) => panic!("{hotkey} submitted no meshes"),
    }
}

fn verdicts(round: RoundNumber) -> MeshGenerationAudits {
    match read(&paths::generation_audits(round)) {
        AnyGenerationAudits::Mesh(audits) => audits,
        AnyGenerationAudits::Current(_) => panic!("round {round} was audited by repeats"),
    }
}

#[test]
fn reveal_windows_follow_each_other_and_deadlines_are_two_hours_later() {
    let schedules: Vec<Schedule> = (0..3)
        .map(|round| read(&paths::schedule(RoundNumber(round))))
        .collect();
    for pair in schedules.windows(2) {
        assert_eq!(
            pair[1].earliest_reveal_block.0,
            pair[0].latest_reveal_block.0 + 1
        );
    }
    for schedule in schedules {
        assert_eq!(
            schedule.generation_deadline_block.0 - schedule.latest_reveal_block.0,
            600
        );
    }
}

#[test]
fn leaders_become_effective_with_the_next_rounds_reveal_and_never_earlier_than_the_one_before() {
    let leaders: Leaders = read(&paths::leader());
    assert_eq!(leaders.problems(), Vec::<String>::new());
    for (round, entry) in leaders.0.iter().enumerate() {
        let schedule: Schedule = read(&paths::schedule(RoundNumber(round as u32)));
        assert_eq!(entry.effective_block, schedule.latest_reveal_block);
        assert_eq!(leaders.at_block(entry.effective_block), Some(entry));
    }
    assert!(
        leaders
            .0
            .windows(2)
            .all(|pair| pair[0].effective_block < pair[1].effective_block)
    );
}

#[test]
fn reveals_lie_in_their_window_and_ascend_and_builds_keep_their_order() {
    for round in ROUNDS {
        let schedule: Schedule = read(&paths::schedule(round));
        let submissions = submissions(round);
        assert!(
            submissions
                .values()
                .all(|row| schedule.accepts_reveal_at(row.revealed_at_block))
        );
        assert!(
            submissions.keys().eq(submissions.challengers()),
            "file order is the order of challengers"
        );
        let builds: Builds = read(&paths::builds(round));
        assert!(builds.keys().eq(submissions.keys()));
    }
}

#[test]
fn tags_and_images_derive_from_commit_round_and_hotkey() {
    for round in ROUNDS {
        let label = config().round_label(round);
        let submissions = submissions(round);
        for (hotkey, build) in &read::<Builds>(&paths::builds(round)) {
            let submission = &submissions[hotkey];
            assert_eq!(submission.round, label);
            assert_eq!(
                (&build.repo, &build.commit),
                (&submission.repo, &submission.commit)
            );
            assert_eq!(build.revealed_at_block, submission.revealed_at_block);
            assert!(build.commit.is_whole());
            assert_eq!(build.tag, Build::tag_of(&build.commit, &label));
            let image = Build::image_of(Build::DEFAULT_IMAGE_FORMAT, hotkey, &build.tag);
            let expected = (build.status == BuildStatus::Success).then_some(image);
            assert_eq!(build.docker_image, expected);
            assert_eq!(build.runnable_image(), expected.as_deref());
            assert!(build.status.is_terminal());
        }
    }
}

#[test]
fn a_report_has_every_prompt_in_order_and_its_score_is_right_minus_left() {
    for round in ROUNDS {
        let stems: BTreeSet<_> = read::<Prompts>(&paths::prompts(round)).stems().collect();
        let prefix = format!("rounds/{round}/");
        for path in REPORTS.keys().filter(|path| path.starts_with(&prefix)) {
            let report = report(path);
            assert!(
                report.duels.iter().map(|duel| &duel.name).eq(&stems),
                "{path}"
            );
            let (score, margin) = score_and_margin(report.duels.iter().map(|duel| duel.winner));
            assert_eq!((report.score, report.margin), (score, margin), "{path}");
            assert_eq!(report.margin, report.score as f64 / 128.0, "{path}");
        }
    }
}

#[test]
fn every_matrix_row_equals_its_report_digit_for_digit() {
    for round in ROUNDS {
        let path = paths::matches_matrix(round);
        let text = std::str::from_utf8(&FILES[&path]).unwrap();
        let mut rows = 0;
        for line in text.lines().skip(1) {
            let [left, right, margin] = line.split(',').collect::<Vec<_>>().try_into().unwrap();
            let report = report(&paths::duels_report(round, &left.into(), &right.into()));
            assert_eq!((report.left.as_str(), report.right.as_str()), (left, right));
            assert_eq!(python_repr(report.margin), margin, "{line}");
            rows += 1;
        }
        let reports = REPORTS
            .keys()
            .filter(|path| path.starts_with(&format!("rounds/{round}/")))
            .count();
        assert_eq!((rows, read::<Matrix>(&path).len()), (reports, reports));
    }
}

#[test]
fn every_miner_has_exactly_the_rounds_stems_in_its_submission() {
    for round in ROUNDS {
        let stems: BTreeSet<_> = read::<Prompts>(&paths::prompts(round)).stems().collect();
        for hotkey in submissions(round).keys() {
            let keys: BTreeSet<_> = submitted(round, hotkey).keys().cloned().collect();
            assert_eq!(keys, stems, "{hotkey}");
        }
    }
}

#[test]
fn round_prompts_are_distinct_and_begin_with_prompts_of_the_round_before() {
    let config = config();
    let [first, second] = ROUNDS.map(|round| read::<Prompts>(&paths::prompts(round)));
    for prompts in [&first, &second] {
        assert_eq!(prompts.len(), config.prompts_per_round as usize);
        assert_eq!(
            prompts.urls().iter().collect::<BTreeSet<_>>().len(),
            prompts.len()
        );
    }
    let carried = &second.urls()[..config.carryover_prompts as usize];
    assert!(carried.iter().all(|url| first.urls().contains(url)));
}

#[test]
fn both_readings_of_the_round_prompts_agree() {
    for round in ROUNDS {
        let path = paths::prompts(round);
        let judge = Prompts::parse_split_on_newline_only(&path, &FILES[&path]).unwrap();
        assert_eq!(judge, read(&path));
    }
}

#[test]
fn the_winner_is_a_build_or_the_latest_leader() {
    let leaders: Leaders = read(&paths::leader());
    for round in ROUNDS {
        let winner: Winner = read(&paths::winner(round));
        let (repo, commit, image) = match &winner.winner_hotkey {
            Side::Leader => {
                let schedule: Schedule = read(&paths::schedule(round));
                let leader = leaders.at_block(schedule.latest_reveal_block).unwrap();
                (
                    leader.repo.clone(),
                    leader.commit.clone(),
                    leader.docker.clone(),
                )
            }
            Side::Miner(hotkey) => {
                let build = read::<Builds>(&paths::builds(round))[hotkey].clone();
                (build.repo, build.commit, build.docker_image.unwrap())
            }
        };
        assert_eq!(
            (winner.repo, winner.commit, winner.docker_image),
            (repo, commit, image)
        );
    }
}

#[test]
fn the_rounds_have_the_counts_their_readme_states() {
    let facts = [
        (
            0,
            45,
            [15, 14, 16],
            [42, 3],
            [107, 41, 12],
            [6, 1, 5],
            "5GgpGaDxzT",
        ),
        (
            1,
            36,
            [14, 10, 12],
            [25, 11],
            [36, 36, 0],
            [1, 1, 0],
            "leader",
        ),
    ];
    for (round, miners, delivered, builds, matrix_rows, audits, winner) in facts {
        let round = RoundNumber(round);
        let submissions = submissions(round);
        assert_eq!(submissions.len(), miners);

        let delivery = |hotkey| {
            submitted(round, hotkey)
                .values()
                .filter(|row| row.glb.is_some())
                .count()
        };
        let counts: Vec<usize> = submissions.keys().map(delivery).collect();
        let number =
            |matches: fn(usize) -> bool| counts.iter().filter(|count| matches(**count)).count();
        assert_eq!(
            [
                number(|n| n == 128),
                number(|n| n > 0 && n < 128),
                number(|n| n == 0)
            ],
            delivered
        );

        let build_file: Builds = read(&paths::builds(round));
        let with = |status| {
            build_file
                .values()
                .filter(|build| build.status == status)
                .count()
        };
        assert_eq!(
            [with(BuildStatus::Success), with(BuildStatus::Failure)],
            builds
        );

        let matrix: Matrix = read(&paths::matches_matrix(round));
        let against_leader = matrix.rows().filter(|(left, ..)| *left == "leader").count();
        let winning = matrix
            .rows()
            .filter(|(left, _, margin)| *left == "leader" && *margin >= 0.05)
            .count();
        assert_eq!([matrix.len(), against_leader, winning], matrix_rows);

        let AnyAuditRequests::Older(requests) = read(&paths::require_audit(round)) else {
            panic!("round {round} recorded no defenders");
        };
        let audit_file = verdicts(round);
        let ended = |outcome| {
            audit_file
                .values()
                .filter(|audit| audit.outcome == outcome)
                .count()
        };
        assert_eq!(
            [
                requests.0.len(),
                ended(MeshAuditOutcome::Passed),
                ended(MeshAuditOutcome::Rejected)
            ],
            audits
        );

        assert_eq!(
            read::<Winner>(&paths::winner(round)).winner_hotkey.short(),
            winner
        );
    }
}

#[test]
fn the_hand_made_verdict_keeps_its_two_hotkeys() {
    let audits = verdicts(RoundNumber(0));
    let mismatched: Vec<_> = audits
        .mismatched_hotkeys()
        .map(|(key, inner)| (key.short(), inner.short()))
        .collect();
    assert_eq!(mismatched, [("5FP3qpaSyR", "5FcDQ6Eh3d")]);
}
