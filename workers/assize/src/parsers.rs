//! Everything that reads bytes from outside, by name: the entry points of the fuzzers (`fuzz/`) and of the tests here.
//!
//! No input may panic, hang or take memory without bounds. What a parser answers is not looked at here; its own tests do.

use bytes::Bytes;
use schema::{Document, format, paths};
use workflow::{
    round::ledger::{Artifact, Decision, DuelVerdict, OperatorAction},
    rules::{
        prompts::read_prompts,
        seed::SeedProof,
        submissions::{decode_payload, normalize_cdn_url, parse_entry},
        vlm_answer::{
            CompareAnswer, DecomposeAnswer, ExplainAnswer, SideAnswer, VerifyAnswer, read_answer,
        },
    },
};

use crate::{
    audit,
    clients::{
        clouds::{CloudKind, read_listing},
        embedder::Embeddings,
        github::read_pages,
        pod, registry, render_service,
        vlm::read_completion,
    },
    git_sync,
    repository::{Change, Checkpoint, verify_signature},
};

/// A parser under its name.
pub type EntryPoint = (&'static str, fn(&[u8]));

/// Every parser.
pub const ENTRY_POINTS: &[EntryPoint] = &[
    ("state_file", state_file),
    ("path", path),
    ("text_forms", text_forms),
    ("reveal", reveal),
    ("prompt_list", prompt_list),
    ("model_answer", model_answer),
    ("pod_archive", pod_archive),
    ("pod_status", pod_status),
    ("render_bundle", render_bundle),
    ("embeddings", embeddings),
    ("picture", picture),
    ("ledger_line", ledger_line),
    ("checkpoint", checkpoint),
    ("signature", signature),
    ("outbox_row", outbox_row),
    ("audited_report", audited_report),
    ("module", module),
    ("scene", scene),
    ("render_query", render_query),
    ("cloud_reply", cloud_reply),
    ("github_reply", github_reply),
    ("registry_reply", registry_reply),
    ("completion", completion),
    ("hand_edit", hand_edit),
];

/// A path of every kind of file; the first byte of the input picks one.
pub const STATE_PATHS: [&str; 26] = [
    "config.json",
    "state.json",
    "leader.json",
    "prompts.txt",
    "rounds/0/schedule.json",
    "rounds/0/seed.json",
    "rounds/0/prompts.txt",
    "rounds/0/submissions.json",
    "rounds/0/builds.json",
    "rounds/0/require_audit.json",
    "rounds/0/generation_reports.json",
    "rounds/0/generation_audits.json",
    "rounds/0/verification_audits.json",
    "rounds/0/source_audit.json",
    "rounds/0/matches_matrix.csv",
    "rounds/0/audit_matrix.csv",
    "rounds/0/winner.json",
    "rounds/0/5A/submitted.json",
    "rounds/0/5A/generated_1.json",
    "rounds/0/5A/generated.json",
    "rounds/0/5A/pod_stats.json",
    "rounds/0/5A/duels_leader.json",
    "rounds/0/5A/audit_submitted_1.json",
    "rounds/0/ledger/seed.json",
    "rounds/0/ledger/decisions.jsonl",
    "README.md",
];

/// A state file of any kind, strictly and row by row.
pub fn state_file(data: &[u8]) {
    let Some((pick, content)) = data.split_first() else {
        return;
    };
    let path = STATE_PATHS[usize::from(*pick) % STATE_PATHS.len()];
    if let Ok(document) = Document::parse(path, content) {
        let written = document.to_bytes();
        drop(Document::parse(path, &written));
    }
    audit::read_any(path, content);
}

/// A path of the repository.
pub fn path(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Some(path) = paths::classify(&text) {
        assert_eq!(path.to_string(), text, "a path is what it was read from");
    }
}

/// Dates, times and numbers as files write them.
pub fn text_forms(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    format::datetime::parse_datetime(&text);
    format::datetime::parse_date(&text);
    format::datetime::parse_clock(&text);
    format::float::parse_python(&text);
}

/// A revealed commitment of the chain.
pub fn reveal(data: &[u8]) {
    let text = decode_payload(data);
    drop(parse_entry(&text));
    drop(normalize_cdn_url(&text));
}

/// `prompts.txt`.
pub fn prompt_list(data: &[u8]) {
    drop(read_prompts(&String::from_utf8_lossy(data)));
}

/// What the vision-language model says.
pub fn model_answer(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    drop(read_answer::<CompareAnswer>(&text));
    drop(read_answer::<DecomposeAnswer>(&text));
    drop(read_answer::<VerifyAnswer>(&text));
    drop(read_answer::<SideAnswer>(&text));
    drop(read_answer::<ExplainAnswer>(&text));
}

/// The archive of a miner's pod.
pub fn pod_archive(data: &[u8]) {
    drop(pod::archive::read(data, &pod::ArchiveLimits::default()));
}

/// The status of a miner's pod.
pub fn pod_status(data: &[u8]) {
    drop(pod::status::read(data));
    pod::status::conflicting_state(data);
}

/// What the renderer answers.
pub fn render_bundle(data: &[u8]) {
    drop(render_service::bundle::read(&Bytes::copy_from_slice(data)));
}

/// `embeddings.npz`.
pub fn embeddings(data: &[u8]) {
    drop(Embeddings::from_npz(data));
}

/// A PNG file.
pub fn picture(data: &[u8]) {
    drop(crate::clients::png::decode_rgb(data));
}

/// A line of the ledger.
pub fn ledger_line(data: &[u8]) {
    drop(serde_json::from_slice::<Artifact>(data));
    drop(serde_json::from_slice::<Decision>(data));
    drop(serde_json::from_slice::<DuelVerdict>(data));
    drop(serde_json::from_slice::<OperatorAction>(data));
    if let Ok(proof) = serde_json::from_slice::<SeedProof>(data) {
        proof.holds();
    }
}

/// A checkpoint with what it closes.
pub fn checkpoint(data: &[u8]) {
    if let Ok(checkpoint) = serde_json::from_slice::<Checkpoint>(data) {
        checkpoint.problems(|_| Some(data));
        checkpoint.follows(Some(data));
    }
}

/// A signature.
pub fn signature(data: &[u8]) {
    drop(verify_signature(
        "git",
        data,
        &String::from_utf8_lossy(data),
    ));
}

/// A stored change, applied to a file with the rest of the input.
pub fn outbox_row(data: &[u8]) {
    const KINDS: [&str; 8] = [
        "put",
        "merge_entry",
        "list_item",
        "matrix_row",
        "append_line",
        "remove_entry",
        "remove_row",
        "delete",
    ];
    let Some((pick, content)) = data.split_first() else {
        return;
    };
    let (row, file) = content.split_at(content.len() / 2);
    let kind = KINDS[usize::from(*pick) % KINDS.len()];
    if let Ok(change) = Change::from_stored(kind, "rounds/0/builds.json", row) {
        drop(change.apply(Some(file)));
    }
}

/// A report as the audit reads it.
pub fn audited_report(data: &[u8]) {
    audit::read_any("rounds/0/5A/duels_leader.json", data);
}

/// A miner's module, by the static rules.
pub fn module(data: &[u8]) {
    drop(render::analyse(&String::from_utf8_lossy(data)));
}

/// What a module built, as its realm describes it.
pub fn scene(data: &[u8]) {
    render::parsers::scene(data);
}

/// The query of a request to the render service.
pub fn render_query(data: &[u8]) {
    render::parsers::query(data);
}

/// The list of pods of each cloud.
pub fn cloud_reply(data: &[u8]) {
    for kind in [CloudKind::Targon, CloudKind::Verda, CloudKind::RunPod] {
        read_listing(kind, data);
    }
}

/// Pages of GitHub's lists.
pub fn github_reply(data: &[u8]) {
    read_pages(data);
}

/// What a container registry answers.
pub fn registry_reply(data: &[u8]) {
    registry::read_answer(data);
}

/// The envelope around what the model says.
pub fn completion(data: &[u8]) {
    drop(read_completion(data));
}

/// An edit by people of a file that is theirs; the first byte picks the file.
pub fn hand_edit(data: &[u8]) {
    let Some((pick, content)) = data.split_first() else {
        return;
    };
    let path = STATE_PATHS[usize::from(*pick) % STATE_PATHS.len()];
    git_sync::check(path, Some(content), None);
    drop(git_sync::check_owned(path, Some(content)));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rand::{Rng as _, SeedableRng as _, rngs::StdRng, seq::IndexedRandom as _};

    use super::*;

    /// Inputs near to real ones, from which random ones are made.
    const SEEDS: [&[u8]; 18] = [
        b"{}",
        b"[]",
        b"left,right,margin\nleader,5A,0.5",
        br#"{"5A":{"repo":"a/b","commit":"0000000000000000000000000000000000000000","revealed_at_block":1,"tag":"0000000-mesh-0","status":"success","docker_image":"x:y"}}"#,
        br#"{"left":"leader","right":"5A","score":1,"margin":0.5,"duels":[{"name":"a","prompt":"https://h/a.png","winner":"right","detail":{"reason":"no preview from left"}}]}"#,
        br#"{"kind":"module","hotkey":"5A","repeat":0,"stem":"a","path":"p","url":"u","sha256":"00","size":1,"fetched_at":null}"#,
        br#"{"round":0,"previous":null,"files":{"a.jsonl":{"lines":1,"hash":"00"}},"public_key":null,"signature":"-----BEGIN SSH SIGNATURE-----"}"#,
        b"```json\n{\"penalty_1\": 3.0, \"penalty_2\": \"7\", \"issues\": \"x\",}\n```",
        b"\x04{'repo': 'a/b', 'commit': 'c', 'cdn_url': 'https://x'}",
        b"PK\x03\x04\x14\x00\x00\x00\x00\x00",
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x02\x00\x00\x00",
        b"1ZSA\x05\x00\x00\x00",
        b"thetas=24,120&phis=-15&img_size=512&bg_color=ffffff&cam_radius=2.5",
        br#"{"items":[{"uid":"a","name":"m","state":{"status":"running","urls":[{"url":"https://h"}]}}]}"#,
        br#"{"total_count":1,"workflow_runs":[{"id":1,"head_commit":{"message":"submissions for round 0"},"path":"a/b.yml@x"}]}"#,
        br#"{"choices":[{"message":{"content":"{}"}}]}"#,
        br#"{"name":"mesh","description":"d","first_evaluation_date":"2026-02-02","last_competition_date":"2027-01-26","generation_stage_minutes":120,"win_margin":0.05,"weight_decay":0.2,"weight_floor":0.2,"prompts_per_round":128,"carryover_prompts":32}"#,
        b"import * as THREE from 'three'; export default function generate() { return new THREE.Group(); }",
    ];

    /// Inputs a parser is given here; the fuzzers go on where this ends. `PARSER_RUNS` asks for more.
    const RUNS: usize = 1500;

    fn input(random: &mut StdRng) -> Vec<u8> {
        let mut bytes = SEEDS.choose(random).unwrap().to_vec();
        if random.random_bool(0.2) {
            bytes = (0..random.random_range(0..300))
                .map(|_| random.random())
                .collect();
        }
        if random.random_bool(0.5) {
            bytes.insert(0, random.random());
        }
        for _ in 0..random.random_range(0..6) {
            let at = random.random_range(0..=bytes.len());
            match random.random_range(0..4) {
                0 if at < bytes.len() => bytes[at] = random.random(),
                1 => bytes.truncate(at),
                2 => {
                    let other = *SEEDS.choose(random).unwrap();
                    bytes.splice(at..at, other.iter().copied());
                }
                _ => bytes.insert(at, *b"\"{}[]:,0e-\\\n".choose(random).unwrap()),
            }
        }
        bytes
    }

    #[test]
    fn no_input_panics_in_any_parser() {
        let runs = std::env::var("PARSER_RUNS").map_or(RUNS, |runs| runs.parse().unwrap());
        for (index, (name, parse)) in ENTRY_POINTS.iter().enumerate() {
            let mut random = StdRng::seed_from_u64(index as u64);
            for run in 0..runs {
                let input = input(&mut random);
                let parsed = std::panic::catch_unwind(|| parse(&input));
                assert!(
                    parsed.is_ok(),
                    "{name} panics in run {run} on {:?}",
                    String::from_utf8_lossy(&input)
                );
            }
        }
    }

    #[test]
    fn every_parser_has_a_fuzz_target() {
        let manifest = include_str!("../../../fuzz/Cargo.toml");
        for (name, _) in ENTRY_POINTS {
            assert!(
                manifest.contains(&format!("name = \"{name}\"")),
                "fuzz/Cargo.toml has no target {name}"
            );
        }
    }
}
