//! A competition of one finished round with three miners and eight prompts, right in every detail.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use git2::{FileMode, Oid, Repository, RepositoryInitOptions, build::TreeUpdateBuilder};
use schema::files::{Build, Duel, DuelWinner, MatchReport, Prompts};
use schema::{CommitSha, Hotkey, LeftSide, RoundNumber, Side, StateFile, Stem, paths};
use serde_json::{Value, json};
use tempfile::TempDir;
use workflow::rules::prompts::{PromptDraw, draw_prompts};

use super::super::{AuditOptions, AuditReport, Code, Severity, audit};

pub const A: &str = "5AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
pub const B: &str = "5BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB";
pub const C: &str = "5CCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC";
pub const ROUND: RoundNumber = RoundNumber(0);
const PROMPTS: usize = 8;
const SEED: u32 = 42;

/// The files of a repository by path.
pub type Files = BTreeMap<String, Vec<u8>>;

pub fn pretty(value: &Value) -> Vec<u8> {
    schema::format::json::pretty(value)
}

fn sha(letter: char) -> String {
    letter.to_string().repeat(40)
}

fn pool() -> Vec<String> {
    (0..40)
        .map(|index| format!("https://prompts.example.org/{index:02}.png"))
        .collect()
}

pub fn prompts() -> Vec<String> {
    let pool = pool();
    let draw = PromptDraw {
        seed: SEED,
        round: ROUND,
        pool: &pool,
        previous: None,
        prompts_per_round: PROMPTS,
        carryover_prompts: 2,
    };
    draw_prompts(draw).unwrap()
}

fn js(who: &str, what: &str, stem: &Stem) -> String {
    format!("https://store.example.org/rounds/0/{who}/{what}/{stem}.js")
}

fn views(who: &str, what: &str, stem: &Stem) -> String {
    format!("https://store.example.org/rounds/0/{who}/{what}/{stem}")
}

fn outputs(who: &str, what: &str) -> Vec<u8> {
    let row = |url: &String| {
        let stem = Stem::of_url(url);
        let row = json!({"js": js(who, what, &stem), "views": views(who, what, &stem), "failure_reason": null, "size": 10});
        (stem.to_string(), row)
    };
    pretty(&Value::Object(prompts().iter().map(row).collect()))
}

/// A report in which the right side wins `score` duels more.
pub fn report(left: &str, right: &str, sides: [(&str, &str); 2], score: i64) -> Vec<u8> {
    let duels = prompts().into_iter().enumerate().map(|(index, url)| {
        let stem = Stem::of_url(&url);
        let decided = (index as i64) < score.abs();
        let [(left_who, left_what), (right_who, right_what)] = sides;
        Duel {
            prompt: url,
            left_js: Some(js(left_who, left_what, &stem)),
            left_png: Some(format!("{}/grid.png", views(left_who, left_what, &stem))),
            right_js: Some(js(right_who, right_what, &stem)),
            right_png: Some(format!("{}/grid.png", views(right_who, right_what, &stem))),
            winner: match (decided, score > 0) {
                (false, _) => DuelWinner::Draw,
                (true, true) => DuelWinner::Right,
                (true, false) => DuelWinner::Left,
            },
            detail: None,
            name: stem,
        }
    });
    MatchReport::of_duels(LeftSide::from(left), Hotkey::new(right), duels.collect()).to_bytes()
}

fn match_report(left: &str, right: &str, score: i64) -> (String, Vec<u8>) {
    let what = |who: &str| {
        if who == "leader" {
            "generated_1"
        } else {
            "submitted"
        }
    };
    let path = paths::duels_report(ROUND, &Side::from(left), &Hotkey::new(right));
    (
        path,
        report(
            left,
            right,
            [(left, what(left)), (right, what(right))],
            score,
        ),
    )
}

fn audit_report(left: &str, right: &str, score: i64) -> (String, Vec<u8>) {
    let shown = match left {
        "submitted" => (right, "submitted"),
        "leader" => ("leader", "generated_1"),
        defender => (defender, "submitted"),
    };
    let path = paths::audit_report(ROUND, &LeftSide::from(left), &Hotkey::new(right), 1);
    (
        path,
        report(left, right, [shown, (right, "generated_1")], score),
    )
}

/// What the operator sets up.
pub fn setup() -> Files {
    Files::from([
        ("README.md".to_owned(), b"A competition".to_vec()),
        (
            paths::config(),
            pretty(&json!({
                "name": "mini", "description": "A small one", "first_evaluation_date": "2026-02-02",
                "last_competition_date": "2027-01-26", "round_start_time": "08:00:00", "generation_stage_minutes": 120,
                "finalization_buffer_hours": 1.0, "win_margin": 0.25, "weight_decay": 0.2, "weight_floor": 0.2,
                "prompts_per_round": PROMPTS, "carryover_prompts": 2, "round_duration_days": 1, "audit_repeats": 1
            })),
        ),
        (paths::state(), state(0, "open")),
        (paths::leader(), pretty(&json!([base_leader()]))),
        (paths::prompt_pool(), Prompts(pool()).to_bytes()),
        (paths::schedule(ROUND), schedule(1, 1000)),
    ])
}

pub fn state(round: u32, stage: &str) -> Vec<u8> {
    pretty(&json!({"current_round": round, "stage": stage, "next_stage_eta": null}))
}

fn schedule(earliest: u64, latest: u64) -> Vec<u8> {
    pretty(&json!({
        "earliest_reveal_block": earliest, "latest_reveal_block": latest, "generation_deadline_block": latest + 600
    }))
}

fn base_leader() -> Value {
    json!({"hotkey": "5Base", "repo": "base/miner", "commit": sha('0'), "docker": "registry/base:0", "weight": 0.0,
        "effective_block": 1000})
}

/// The image of A.
pub fn image() -> String {
    format!(
        "registry.example.org/x/{}:aaaaaaa-mini-0",
        A[..10].to_lowercase()
    )
}

/// The commits of the round after the set-up: message and files.
pub fn steps() -> Vec<(String, Files)> {
    let miners = [(A, 'a', 500), (B, 'b', 600), (C, 'c', 600)];
    let submission = |(hotkey, letter, block): (&str, char, u64)| {
        let row = json!({"repo": format!("{letter}/miner"), "commit": sha(letter),
            "cdn_url": format!("https://{letter}.example.org"), "revealed_at_block": block, "round": "mini-0"});
        (hotkey.to_owned(), row)
    };
    let build = |(hotkey, letter, block): (&str, char, u64)| {
        let tag = Build::tag_of(&CommitSha::new(sha(letter)), "mini-0");
        let image = format!(
            "registry.example.org/x/{}:{tag}",
            hotkey[..10].to_lowercase()
        );
        let row = json!({"repo": format!("{letter}/miner"), "commit": sha(letter), "revealed_at_block": block, "tag": tag,
            "status": "success", "docker_image": image});
        (hotkey.to_owned(), row)
    };
    let collected = Files::from([
        (paths::state(), state(0, "miner_generation")),
        (
            paths::seed(ROUND),
            format!("{{\"seed\": {SEED}}}").into_bytes(),
        ),
        (paths::prompts(ROUND), Prompts(prompts()).to_bytes()),
        (
            paths::submissions(ROUND),
            pretty(&Value::Object(miners.map(submission).into_iter().collect())),
        ),
    ]);
    let builds = Files::from([(
        paths::builds(ROUND),
        pretty(&Value::Object(miners.map(build).into_iter().collect())),
    )]);
    let baseline = Files::from([(
        paths::generated(ROUND, &Side::Leader, 1),
        outputs("leader", "generated_1"),
    )]);
    let duels = Files::from([(paths::state(), state(0, "duels"))]);
    let regenerated = Files::from([
        (
            paths::generated(ROUND, &Side::from(A), 1),
            outputs(A, "generated_1"),
        ),
        (
            paths::generation_reports(ROUND),
            pretty(
                &json!({A: {"hotkey": A, "outcome": "completed", "repeats": [{"repeat_index": 1,
                "generated_prompts": PROMPTS, "failed_prompts": 0, "generation_time": 60.5}], "reason": ""}}),
            ),
        ),
    ]);
    let winner = Files::from([(
        paths::winner(ROUND),
        pretty(
            &json!({"winner_hotkey": A, "repo": "a/miner", "commit": sha('a'), "docker_image": image()}),
        ),
    )]);
    let finalized = Files::from([
        (paths::state(), state(1, "open")),
        (paths::schedule(ROUND.next()), schedule(1001, 2000)),
        (
            paths::leader(),
            pretty(
                &json!([base_leader(), {"hotkey": A, "repo": "a/miner", "commit": sha('a'), "docker": image(),
                "weight": 1.0, "effective_block": 2000}]),
            ),
        ),
    ]);

    let mut steps = vec![
        (
            "Seed, prompts and submissions for round 0".to_owned(),
            collected,
        ),
        ("Update build statuses for round 0".to_owned(), builds),
        (
            "Update generated_1.json for round 0, miner leader".to_owned(),
            baseline,
        ),
        (
            "Round 0: downloading".to_owned(),
            Files::from([(paths::state(), state(0, "downloading"))]),
        ),
    ];
    for hotkey in [A, B, C] {
        let file = Files::from([(
            paths::submitted(ROUND, &Hotkey::new(hotkey)),
            outputs(hotkey, "submitted"),
        )]);
        steps.push((
            format!("Update submitted.json for round 0, miner {}", &hotkey[..10]),
            file,
        ));
    }
    steps.push(("Round 0: duels".to_owned(), duels));
    let mut matrix = "left,right,margin".to_owned();
    for (left, right, score) in [
        ("leader", A, 4),
        ("leader", B, 2),
        ("leader", C, -2),
        (A, B, 0),
    ] {
        let _ = write!(
            matrix,
            "\n{left},{right},{:?}",
            score as f64 / PROMPTS as f64
        );
        let files = Files::from([
            match_report(left, right, score),
            (paths::matches_matrix(ROUND), matrix.clone().into_bytes()),
        ]);
        let short = |who: &str| who.get(..10).unwrap_or(who).to_owned();
        let message = format!(
            "Match report: {} vs {}\nUpdate matches matrix for round 0",
            short(left),
            short(right)
        );
        steps.push((message, files));
    }
    steps.push((
        "Update audit requests for round 0".to_owned(),
        Files::from([(
            paths::require_audit(ROUND),
            pretty(&json!([{"hotkey": A, "latest_defender": "leader"}])),
        )]),
    ));
    steps.push((
        "Update generated_1.json for round 0, miner 5AAAAAAAAA\nUpdate generation reports for round 0".to_owned(),
        regenerated,
    ));
    steps.push((
        "Source audit of A".to_owned(),
        Files::from([(
            paths::source_audit(ROUND),
            pretty(&json!([{"hotkey": A, "verdict": "passed", "reason": "No issues found"}])),
        )]),
    ));
    let mut matrix = "left,right,margin".to_owned();
    for (left, score) in [("submitted", 0), ("leader", 3)] {
        let _ = write!(matrix, "\n{left}_1,{A},{:?}", score as f64 / PROMPTS as f64);
        let files = Files::from([
            audit_report(left, A, score),
            (paths::audit_matrix(ROUND), matrix.clone().into_bytes()),
        ]);
        steps.push((
            format!("Audit report: {left} vs 5AAAAAAAAA\nUpdate audit matrix for round 0"),
            files,
        ));
    }
    steps.push((
        "Update generation audits for round 0".to_owned(),
        Files::from([(
            paths::generation_audits(ROUND),
            pretty(&json!({A: {"hotkey": A, "verdict": "passed", "reason": ""}})),
        )]),
    ));
    steps.push(("Round 0 winner: 5AAAAAAAAA".to_owned(), winner));
    steps.push((
        "Update state (finalizing) for round 0".to_owned(),
        Files::from([(paths::state(), state(0, "finalizing"))]),
    ));
    steps.push((
        "Update state (open), schedule, leader for round 1".to_owned(),
        finalized,
    ));
    steps
}

/// The finished competition.
pub fn finished() -> Files {
    let mut files = setup();
    for (_, changed) in steps() {
        files.extend(changed);
    }
    files
}

/// Audits these files as a plain folder.
pub fn audit_files(files: &Files) -> AuditReport {
    let folder = TempDir::new().unwrap();
    write(folder.path(), files);
    audit_path(folder.path())
}

pub fn write(folder: &Path, files: &Files) {
    for (path, bytes) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

pub fn audit_path(path: &Path) -> AuditReport {
    audit(&AuditOptions {
        repository: path.to_owned(),
        ..AuditOptions::default()
    })
    .unwrap()
}

/// Codes of all errors and warnings, each once, in order of the codes.
pub fn problems(report: &AuditReport) -> Vec<Code> {
    let mut codes: Vec<Code> = report
        .findings
        .iter()
        .filter(|finding| finding.severity != Severity::Note)
        .map(|finding| finding.code)
        .collect();
    codes.sort_unstable();
    codes.dedup();
    codes
}

/// Messages of a code, for asserting on what they say.
pub fn messages(report: &AuditReport, code: Code) -> Vec<&str> {
    report
        .findings
        .iter()
        .filter(|finding| finding.code == code)
        .map(|finding| finding.message.as_str())
        .collect()
}

/// A repository that grows by commits of people and services.
pub struct Git {
    pub folder: TempDir,
    pub repository: Repository,
}

pub const SERVICE: &str = "owner@example.org";
pub const OPERATOR: &str = "operator@example.org";

impl Git {
    pub fn empty() -> Self {
        let folder = TempDir::new().unwrap();
        let mut init = RepositoryInitOptions::new();
        init.bare(true).initial_head("main");
        let repository = Repository::init_opts(folder.path().join("state.git"), &init).unwrap();
        Self { folder, repository }
    }

    /// The whole round as services and people committed it.
    pub fn finished() -> Self {
        Self::until("Update state (open), schedule, leader for round 1")
    }

    /// The round up to the commit with this message.
    pub fn until(last: &str) -> Self {
        let git = Self::empty();
        git.commit(OPERATOR, "Start", &setup());
        for (message, files) in steps() {
            let author = if message.starts_with("Source audit") {
                OPERATOR
            } else {
                SERVICE
            };
            git.commit(author, &message, &files);
            if message == last {
                return git;
            }
        }
        panic!("nothing is committed as {last}");
    }

    pub fn path(&self) -> &Path {
        self.repository.path()
    }

    pub fn commit(&self, email: &str, message: &str, files: &Files) -> Oid {
        let files: BTreeMap<String, Option<Vec<u8>>> = files
            .iter()
            .map(|(path, bytes)| (path.clone(), Some(bytes.clone())))
            .collect();
        self.change(email, message, &files)
    }

    /// A commit that also deletes (`None`).
    pub fn change(
        &self,
        email: &str,
        message: &str,
        files: &BTreeMap<String, Option<Vec<u8>>>,
    ) -> Oid {
        let git = &self.repository;
        let parent = git
            .refname_to_id("refs/heads/main")
            .ok()
            .map(|oid| git.find_commit(oid).unwrap());
        let base = match &parent {
            Some(parent) => parent.tree().unwrap(),
            None => git
                .find_tree(git.treebuilder(None).unwrap().write().unwrap())
                .unwrap(),
        };
        let mut update = TreeUpdateBuilder::new();
        for (path, bytes) in files {
            match bytes {
                Some(bytes) => {
                    update.upsert(path.as_str(), git.blob(bytes).unwrap(), FileMode::Blob)
                }
                None => update.remove(path.as_str()),
            };
        }
        let tree = git
            .find_tree(update.create_updated(git, &base).unwrap())
            .unwrap();
        let author = git2::Signature::now("Somebody", email).unwrap();
        let parents: Vec<_> = parent.iter().collect();
        git.commit(
            Some("refs/heads/main"),
            &author,
            &author,
            message,
            &tree,
            &parents,
        )
        .unwrap()
    }

    pub fn audit(&self) -> AuditReport {
        audit_path(self.path())
    }
}

/// Replaces text in one file; panics when it is not there.
pub fn edit(files: &mut Files, path: &str, from: &str, to: &str) {
    let text = String::from_utf8(files[path].clone()).unwrap();
    assert!(text.contains(from), "{path} does not hold `{from}`");
    files.insert(path.to_owned(), text.replacen(from, to, 1).into_bytes());
}
