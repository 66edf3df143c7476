//! The report format miners know (§10), and the command's exit codes.

use std::path::{Path, PathBuf};

use futures::StreamExt as _;
use render::cli::{self, COULD_NOT_RUN, FAILED, PASSED, ValidateArgs};
use render::validate::{Report, validate, validate_file};

use crate::modules;

fn path(folder: &str, name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/modules/{folder}/{name}.js"))
}

fn args(files: Vec<PathBuf>) -> ValidateArgs {
    ValidateArgs {
        files,
        json: true,
        render: None,
        size: 64,
        jobs: 2,
        time_limit_ms: 5_000,
        chromium: None,
    }
}

#[tokio::test]
async fn reports_have_the_documented_keys_in_their_order() {
    let renderer = modules::validator(2).await;
    let files = vec![
        path("budget", "bare_mesh_root"),
        path("negative", "math_random"),
        path("negative", "execution_threw"),
        path("negative", "bounding_box_out_of_range"),
        path("negative", "timeout_exceeded"),
    ];
    let reports: Vec<Report> = validate(&renderer, &files, 2)
        .map(|validated| validated.unwrap().report)
        .collect()
        .await;
    let [passed, by_rule, thrown, measured, hung] = reports.as_slice() else {
        panic!("five reports")
    };

    let text = serde_json::to_string(passed).unwrap();
    let keys = [
        "file",
        "passed",
        "stagesRun",
        "failures",
        "metrics",
        "moduleLoadMs",
        "executionMs",
        "totalMs",
    ];
    let places: Vec<usize> = keys
        .iter()
        .map(|key| text.find(&format!("\"{key}\":")).unwrap())
        .collect();
    assert!(places.is_sorted(), "{text}");
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["file"], files[0].display().to_string());
    assert_eq!(
        json["stagesRun"],
        serde_json::json!([
            "parse",
            "static_analysis",
            "module_load",
            "execution",
            "post_validation"
        ])
    );
    assert_eq!(
        json["metrics"]["bbox"]["min"]["x"].as_f64().unwrap(),
        f64::from(-0.3_f32)
    );
    assert!(
        json["moduleLoadMs"].is_u64() && json["executionMs"].is_u64() && json["totalMs"].is_u64()
    );

    let stages = |report: &Report| {
        report
            .stages_run
            .iter()
            .map(|stage| stage.as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(stages(by_rule), ["parse", "static_analysis"]);
    assert_eq!(
        (
            by_rule.total_ms,
            by_rule.module_load_ms,
            by_rule.metrics.clone()
        ),
        (0, None, None)
    );
    assert_eq!(
        stages(thrown),
        ["parse", "static_analysis", "module_load", "execution"]
    );
    assert!(
        thrown.module_load_ms.is_some()
            && thrown.execution_ms.is_some()
            && thrown.metrics.is_none()
    );
    assert!(measured.metrics.is_some() && !measured.passed);
    assert_eq!(
        stages(hung),
        ["parse", "static_analysis", "module_load", "execution"]
    );
    assert_eq!((hung.module_load_ms, hung.execution_ms), (None, None));
    renderer.close().await;
}

#[tokio::test]
async fn exit_codes_tell_a_bad_module_from_a_bad_file() {
    let good = path("budget", "bare_mesh_root");
    let bad = path("negative", "math_random");
    let missing = path("budget", "nothing_of_that_name");
    assert_eq!(cli::validate(args(vec![good.clone()])).await, PASSED);
    assert_eq!(
        cli::validate(args(vec![good.clone(), bad.clone()])).await,
        FAILED
    );
    assert_eq!(cli::validate(args(vec![missing, bad])).await, COULD_NOT_RUN);
    let no_browser = ValidateArgs {
        chromium: Some(PathBuf::from("/nowhere/chromium")),
        ..args(vec![good])
    };
    assert_eq!(cli::validate(no_browser).await, COULD_NOT_RUN);
}

#[tokio::test]
async fn modules_that_pass_can_be_drawn_into_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let with_pictures = ValidateArgs {
        render: Some(folder.path().to_path_buf()),
        json: false,
        ..args(vec![
            path("budget", "line_segments"),
            path("budget", "bare_mesh_root"),
        ])
    };
    assert_eq!(cli::validate(with_pictures).await, PASSED);
    for stem in ["line_segments", "bare_mesh_root"] {
        let count = |of: &str| {
            std::fs::read_dir(folder.path().join(stem).join(of))
                .unwrap()
                .count()
        };
        assert_eq!((count("white"), count("gray")), (8, 4));
        assert!(folder.path().join(stem).join("grid.png").is_file());
    }
}

/// The report of one file with these bytes.
async fn report_of(renderer: &render::Renderer, name: &str, bytes: &[u8]) -> Report {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    validate_file(renderer, &path).await.unwrap().report
}

#[tokio::test]
async fn files_that_are_no_text_or_too_large_fail_at_the_first_stage() {
    let renderer = modules::validator(1).await;
    let of = async |bytes: &[u8]| {
        let report = report_of(&renderer, "module.js", bytes).await;
        assert!(!report.passed);
        assert_eq!(report.failures.len(), 1);
        assert_eq!(report.failures[0].stage.as_str(), "parse");
        assert_eq!((report.total_ms, report.metrics), (0, None));
        (
            report.failures[0].rule.as_str(),
            report.failures[0].detail.clone(),
        )
    };
    // As a live round: there such a module is refused too, even if the engine would take it.
    let latin = b"// caf\xe9\nexport default (THREE) => new THREE.Group();";
    let (rule, detail) = of(latin).await;
    assert_eq!(rule, "PARSE_ERROR");
    assert_eq!(detail, "the module is not UTF-8 text: byte 7 breaks it");
    assert_eq!(of(b"\x89PNG\r\n\x1a\n\0\0").await.0, "PARSE_ERROR");
    let (rule, detail) = of(&vec![b' '; 1_048_577]).await;
    assert_eq!(rule, "FILE_SIZE_EXCEEDED");
    assert_eq!(detail, "the source has 1048577 bytes, the limit is 1048576");

    // A file without an end is not read to its end.
    let endless = validate_file(&renderer, Path::new("/dev/zero"))
        .await
        .unwrap();
    assert_eq!(
        endless.report.failures[0].rule.as_str(),
        "FILE_SIZE_EXCEEDED"
    );
    renderer.close().await;
}

#[tokio::test]
async fn folders_are_checked_whole_and_empty_ones_are_complained_about() {
    let folder = tempfile::tempdir().unwrap();
    let empty = tempfile::tempdir().unwrap();
    for (name, from) in [
        ("a", path("budget", "bare_mesh_root")),
        ("b", path("budget", "car")),
    ] {
        std::fs::copy(from, folder.path().join(format!("{name}.js"))).unwrap();
    }
    let good = folder.path().to_path_buf();
    assert_eq!(cli::validate(args(vec![good.clone()])).await, PASSED);
    let nothing = empty.path().to_path_buf();
    assert_eq!(
        cli::validate(args(vec![nothing.clone()])).await,
        COULD_NOT_RUN
    );
    assert_eq!(
        cli::validate(args(vec![good.clone(), nothing])).await,
        COULD_NOT_RUN
    );
    std::fs::copy(path("negative", "math_random"), folder.path().join("c.js")).unwrap();
    assert_eq!(cli::validate(args(vec![good.clone()])).await, FAILED);

    let twice = ValidateArgs {
        render: Some(empty.path().to_path_buf()),
        ..args(vec![good.join("a.js"), good.join("a.js")])
    };
    assert_eq!(cli::validate(twice).await, COULD_NOT_RUN);
    assert_eq!(std::fs::read_dir(empty.path()).unwrap().count(), 0);
}
