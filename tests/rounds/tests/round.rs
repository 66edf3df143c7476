//! A whole round in process: the winner that skill implies, and what becomes of everyone else.
#![allow(clippy::unwrap_used, missing_docs)]

mod readers;

use std::{collections::BTreeSet, path::Path, process::Command};

use assize::repository::Checkpoint;
use rehearsal::miners::{Behaviour, Cast, CastMiner};
use schema::{
    Document, Hotkey, RoundNumber, StateFile,
    files::{
        AuditRequests, Builds, GenerationAudits, Generations, Matrix, Prompts, Seed, Submissions,
        Verdict, Winner,
    },
    paths::{self, LedgerFile},
};
use workflow::rules::seed::SeedProof;

const ROUND: RoundNumber = RoundNumber(0);
const PROMPTS: u32 = 6;

struct Clone(tempfile::TempDir);

impl Clone {
    fn of(remote: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        git(
            dir.path(),
            &["clone", "--quiet", &format!("file://{remote}"), "clone"],
        );
        Self(dir)
    }

    fn folder(&self) -> std::path::PathBuf {
        self.0.path().join("clone")
    }

    fn bytes(&self, path: &str) -> Vec<u8> {
        std::fs::read(self.folder().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn read<F: StateFile>(&self, path: &str) -> F {
        F::parse(path, &self.bytes(path)).unwrap()
    }
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(folder)
        .args(arguments)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
}

fn only(cast: &Cast, behaviour: Behaviour) -> &CastMiner {
    cast.miners()
        .iter()
        .find(|miner| miner.behaviour == behaviour)
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_ends_with_the_winner_that_skill_implies() {
    let dir = tempfile::tempdir().unwrap();
    let state_dir = dir.path().join("rehearsal");
    let args = rounds::small_rehearsal(&state_dir, PROMPTS);
    let summary = assize::rehearse::play(&args).await.unwrap();
    let cast = Cast::new(args.seed, 6);
    let clone = Clone::of(&summary.state_repo);

    // The winner is the best honest miner, and the public files say so.
    let expected = cast.expected_winner().unwrap();
    assert_eq!(summary.winner, expected.hotkey);
    let winner: Winner = clone.read(&paths::winner(ROUND));
    assert_eq!(winner.winner_hotkey.as_str(), expected.hotkey);
    assert_eq!(summary.stage, "open");

    // The dishonest miner beat the leader by what it submitted, and fell by what its image made.
    let dishonest = Hotkey::new(only(&cast, Behaviour::Dishonest).hotkey.clone());
    let requests: AuditRequests = clone.read(&paths::require_audit(ROUND));
    assert!(requests.contains_key(&dishonest));
    let verdicts: GenerationAudits = clone.read(&paths::generation_audits(ROUND));
    assert_eq!(verdicts[&dishonest].verdict, Verdict::Failed);
    assert!(
        verdicts[&dishonest]
            .reason
            .starts_with("submitted vs generated #1: -"),
        "{}",
        verdicts[&dishonest].reason
    );

    // The miner with missing files lost exactly those prompts.
    let prompts: Prompts = clone.read(&paths::prompts(ROUND));
    let careless = only(&cast, Behaviour::MissingFiles);
    let delivered: Generations = clone.read(&paths::submitted(
        ROUND,
        &Hotkey::new(careless.hotkey.clone()),
    ));
    for stem in prompts.stems() {
        let entry = &delivered[&stem];
        if cast.misbehaves_on(careless, stem.as_str()) {
            assert_eq!(
                entry.failure_reason.as_deref(),
                Some("js_fetch_failed: HTTP 404")
            );
        } else {
            assert!(
                entry.views.is_some() && entry.failure_reason.is_none(),
                "{entry:?}"
            );
        }
    }

    // Endless loops were refused by their rule.
    let looping = only(&cast, Behaviour::EndlessLoop);
    let loops: BTreeSet<String> = prompts
        .stems()
        .filter(|stem| cast.misbehaves_on(looping, stem.as_str()))
        .map(|stem| stem.to_string())
        .collect();
    let decisions =
        String::from_utf8(clone.bytes(&paths::ledger(ROUND, &LedgerFile::Decisions))).unwrap();
    let refused: BTreeSet<String> = decisions
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter(|line| {
            line["hotkey"] == looping.hotkey.as_str()
                && line["faults"][0]["rule"] == "TIMEOUT_EXCEEDED"
        })
        .map(|line| line["stem"].as_str().unwrap().to_owned())
        .collect();
    assert!(!loops.is_empty(), "the seed gives the miner a loop");
    assert_eq!(refused, loops);

    people_were_told(&state_dir, &dishonest);
    the_public_state_is_whole(&clone, &cast, &prompts);
    every_commit_of_ours_is_signed(&clone);
    readers::accept(&clone.folder(), ROUND.0);
    let lag = summary.mirror_lag_p95_seconds;
    assert!(
        lag <= 5.0,
        "95 of 100 state files were on the remote within {lag} s"
    );
}

/// The channel has the round's notices in the order in which things happened, and Discord refused none.
fn people_were_told(state_dir: &Path, dishonest: &Hotkey) {
    let messages = std::fs::read_to_string(
        state_dir
            .join("world")
            .join(rehearsal::discord::MESSAGES_FILE),
    )
    .unwrap();
    let embeds: Vec<serde_json::Value> = messages
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["embeds"][0].clone())
        .collect();
    let first = |title: &str, text: &str| {
        let told =
            |embed: &serde_json::Value| embed["title"] == title && embed.to_string().contains(text);
        embeds
            .iter()
            .position(told)
            .unwrap_or_else(|| panic!("no {title} with {text:?} in {messages}"))
    };
    let miner = dishonest.short();
    let in_order = [
        first(
            "Round 0 Submissions Collected",
            "/blob/main/rounds/0/seed.json",
        ),
        first("Round 0 Audit Requested", miner),
        first(
            "Round 0 Audit Completed",
            &format!("{miner}` vs `leader`: rejected"),
        ),
        first(
            "Round 0 timeline",
            &format!("{miner} rejected: submitted vs generated #1"),
        ),
        first("Round 0 Finalized", "Winner"),
    ];
    assert!(in_order.is_sorted(), "{in_order:?} of {messages}");
}

/// Git accepts every commit of Assize by the key that the repository itself publishes.
fn every_commit_of_ours_is_signed(clone: &Clone) {
    let folder = clone.folder();
    let ours = git(&folder, &["log", "--author=^Assize <", "--format=%H"]);
    assert!(ours.lines().count() > 5);
    let allowed = "gpg.ssh.allowedSignersFile=.assize/allowed_signers";
    let mut arguments = vec!["-c", allowed, "verify-commit"];
    arguments.extend(ours.lines());
    git(&folder, &arguments);
    let people = git(
        &folder,
        &[
            "log",
            "--invert-grep",
            "--grep=^Assize-Step: ",
            "--format=%an",
        ],
    );
    assert!(
        people.lines().all(|author| author != "Assize"),
        "each commit names its steps"
    );
}

/// Every file that the reached stages call for is there, readable, and consistent with the others.
fn the_public_state_is_whole(clone: &Clone, cast: &Cast, prompts: &Prompts) {
    let fsck = git(&clone.folder(), &["fsck", "--strict", "--no-progress"]);
    assert_eq!(fsck.trim(), "", "git fsck is clean");

    let submissions: Submissions = clone.read(&paths::submissions(ROUND));
    let late = only(cast, Behaviour::Late);
    assert!(
        !submissions.contains_key(&Hotkey::new(late.hotkey.clone())),
        "who reveals late does not take part"
    );
    assert_eq!(submissions.len(), 5);
    let builds: Builds = clone.read(&paths::builds(ROUND));
    assert!(
        builds.keys().eq(submissions.keys()),
        "builds stand in the order of the submissions"
    );
    let matrix: Matrix = clone.read(&paths::matches_matrix(ROUND));
    let qualified: Vec<&str> = matrix
        .rows()
        .filter(|(left, ..)| *left == "leader")
        .map(|(_, right, _)| right.as_str())
        .collect();
    let challengers: Vec<&str> = submissions
        .challengers()
        .into_iter()
        .map(Hotkey::as_str)
        .collect();
    assert_eq!(qualified, challengers, "rows stand in the order of play");
    for hotkey in submissions.keys() {
        let submitted: Generations = clone.read(&paths::submitted(ROUND, hotkey));
        let stems: BTreeSet<String> = submitted.keys().map(ToString::to_string).collect();
        assert_eq!(
            stems,
            prompts.stems().map(|stem| stem.to_string()).collect(),
            "{hotkey} has every prompt"
        );
        clone.bytes(&paths::duels_report(ROUND, &schema::Side::Leader, hotkey));
    }
    for path in [
        paths::config(),
        paths::state(),
        paths::leader(),
        paths::schedule(ROUND),
        paths::schedule(ROUND.next()),
        paths::generation_reports(ROUND),
        paths::audit_matrix(ROUND),
        paths::generated(ROUND, &schema::Side::Leader, 1),
        paths::pod_stats(ROUND, &schema::Side::Leader),
    ] {
        Document::parse(&path, &clone.bytes(&path)).unwrap();
    }
    let listed = git(&clone.folder(), &["ls-files"]);
    for path in listed.lines() {
        let parsed = Document::parse(path, &clone.bytes(path));
        assert!(parsed.is_ok(), "{path}: {parsed:?}");
    }

    the_ledger_tells_everything_and_is_closed(clone, &submissions);

    // The seed follows from its proof, and the prompts from the seed.
    let proof: SeedProof =
        serde_json::from_slice(&clone.bytes(&paths::ledger(ROUND, &LedgerFile::Seed))).unwrap();
    assert!(proof.holds());
    assert_eq!(proof.seed, clone.read::<Seed>(&paths::seed(ROUND)).seed);

    // Seed, prompts, submissions and the stage appeared together.
    let together = git(
        &clone.folder(),
        &[
            "log",
            "--format=%H",
            "--grep=^Seed, prompts and submissions for round 0",
        ],
    );
    let files = git(
        &clone.folder(),
        &["show", "--name-only", "--format=", together.trim()],
    );
    for path in [
        paths::seed(ROUND),
        paths::prompts(ROUND),
        paths::submissions(ROUND),
        paths::state(),
    ] {
        assert!(
            files.lines().any(|line| line == path),
            "{path} is in the commit that opens generation"
        );
    }
}

/// Each kind of fact stands in the ledger, and its chain is closed.
fn the_ledger_tells_everything_and_is_closed(clone: &Clone, submissions: &Submissions) {
    let kinds = |file: LedgerFile| -> BTreeSet<String> {
        String::from_utf8(clone.bytes(&paths::ledger(ROUND, &file)))
            .unwrap()
            .lines()
            .map(|line| {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                line["kind"].as_str().unwrap().to_owned()
            })
            .collect()
    };
    assert_eq!(
        kinds(LedgerFile::Artifacts),
        ["image", "module", "prompt"].map(str::to_owned).into()
    );
    // A match near a threshold is measured again, and told of too.
    let mut decided = kinds(LedgerFile::Decisions);
    decided.remove("measured_again");
    assert_eq!(
        decided,
        [
            "batch",
            "collected",
            "generation_report",
            "judging_rules",
            "match",
            "module_rejected",
            "rules",
            "submission_rejected",
            "verdict",
            "winner",
        ]
        .map(str::to_owned)
        .into()
    );
    for hotkey in submissions.keys() {
        let duels = LedgerFile::Duels(format!("match_leader_{hotkey}"));
        let duels = String::from_utf8(clone.bytes(&paths::ledger(ROUND, &duels))).unwrap();
        assert_eq!(duels.lines().count(), PROMPTS as usize, "{hotkey}");
        for line in duels.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(line["attempt"].as_i64() >= Some(1), "{line}");
        }
    }
    let checkpoint = clone.bytes(&paths::ledger(ROUND, &LedgerFile::Checkpoint));
    let checkpoint: Checkpoint = serde_json::from_slice(&checkpoint).unwrap();
    let files: Vec<(String, Vec<u8>)> = checkpoint
        .files
        .keys()
        .map(|name| {
            (
                name.clone(),
                clone.bytes(&format!("rounds/{ROUND}/ledger/{name}")),
            )
        })
        .collect();
    assert!(files.len() > 3, "{files:?}");
    let problems = checkpoint.problems(|name| {
        let found = files.iter().find(|(known, _)| known == name);
        found.map(|(_, content)| content.as_slice())
    });
    assert_eq!(problems, []);
}
