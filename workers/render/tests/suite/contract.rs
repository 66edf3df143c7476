//! How a module is called, what it is handed, and what it may return (§1, §8.1).

use render::Stage;

use crate::modules::{self, cube, rules, validate};

/// A module that throws the names of all checks that do not hold. Its parameter is called `T`, so that only the
/// namespace itself stands between it and what it asks for.
fn checking(checks: &[(&str, &str)]) -> String {
    let list: Vec<String> = checks
        .iter()
        .map(|(name, check)| format!("[{name:?}, () => {check}]"))
        .collect();
    format!(
        "const refused = (act) => {{ try {{ act(); return false; }} catch (error) {{ return error instanceof TypeError; }} }};\n\
         export default function generate(T) {{\n\
         const self_ = this, given = arguments.length;\n\
         const failed = [{}].filter(([, check]) => !check()).map(([name]) => name);\n\
         if (failed.length > 0) throw new Error(failed.join('; '));\n\
         return new T.Mesh(new T.BoxGeometry(0.5, 0.5, 0.5), new T.MeshBasicMaterial());\n}}",
        list.join(",\n")
    )
}

#[tokio::test]
async fn a_module_is_called_once_with_the_namespace_and_nothing_else() {
    let renderer = modules::validator(1).await;
    let source = checking(&[
        ("no this", "self_ === undefined"),
        ("one argument", "given === 1"),
        (
            "strict",
            "refused(() => { Object.freeze({ a: 1 }).a = 2; }) || (() => { try { undeclared = 1; return false; } catch { return true; } })()",
        ),
    ]);
    let outcome = validate(&renderer, &source).await;
    assert!(outcome.result.is_ok(), "{:?}", outcome.result.err());
    let counting = "let calls = 0; export default function generate(T) { calls++; const mesh = new T.Mesh(new T.BoxGeometry(0.1 * calls, 0.1, 0.1)); return mesh; }";
    let extent = validate(&renderer, counting)
        .await
        .metrics
        .unwrap()
        .bbox
        .unwrap();
    assert!(
        (extent.max.x.unwrap() - 0.05).abs() < 1e-6,
        "called more than once"
    );
    renderer.close().await;
}

#[tokio::test]
async fn the_namespace_shows_what_is_allowed_and_cannot_be_changed() {
    let renderer = modules::validator(1).await;
    let source = checking(&[
        (
            "allowed names that do not exist are members",
            "'LuminanceFormat' in T",
        ),
        (
            "forbidden names are none",
            "!('ShaderMaterial' in T) && !('Nothing' in T)",
        ),
        (
            "only what exists is listed",
            "Object.keys(T).length === 108 && !Object.keys(T).includes('LuminanceFormat')",
        ),
        (
            "no descriptor of what is hidden",
            "Object.getOwnPropertyDescriptor(T, 'ShaderMaterial') === undefined",
        ),
        (
            "inherited members",
            "T.toString === Object.prototype.toString && T['constructor'] === Object",
        ),
        ("symbols", "T[Symbol.iterator] === undefined"),
        (
            "an ordinary prototype",
            "Object.getPrototypeOf(T) === Object.prototype",
        ),
        ("forbidden", "refused(() => T.ShaderMaterial)"),
        ("unknown", "refused(() => T.Nothing)"),
        ("absent", "refused(() => T.LuminanceFormat)"),
        ("no assignment", "refused(() => { T.Mesh = 1; })"),
        ("no deletion", "refused(() => { delete T.Mesh; })"),
        (
            "no definition",
            "refused(() => Object.defineProperty(T, 'x', { value: 1 }))",
        ),
        (
            "no other prototype",
            "refused(() => Object.setPrototypeOf(T, null))",
        ),
        ("no freezing", "refused(() => Object.preventExtensions(T))"),
        (
            "copies hold no more",
            "Object.assign({}, T).ShaderMaterial === undefined && ({ ...T }).ShaderMaterial === undefined",
        ),
        ("maths: unknown names", "T.MathUtils.nothing === undefined"),
        (
            "maths: blocked names",
            "refused(() => T.MathUtils.seededRandom) && refused(() => T.MathUtils['generateUUID'])",
        ),
        (
            "maths: not listed",
            "!('seededRandom' in T.MathUtils) && !Object.keys(T.MathUtils).includes('seededRandom')",
        ),
        (
            "maths: no change",
            "refused(() => { T.MathUtils.clamp = 1; }) && refused(() => { delete T.MathUtils.clamp; })",
        ),
    ]);
    let outcome = validate(&renderer, &source).await;
    assert!(outcome.result.is_ok(), "{:?}", outcome.result.err());
    renderer.close().await;
}

#[tokio::test]
async fn whatever_has_a_then_method_is_refused_before_anything_is_awaited() {
    let renderer = modules::validator(1).await;
    for source in [
        cube("mesh.then = () => 1;"),
        cube("Object.defineProperty(mesh, 'then', { get: () => (resolve) => resolve(1) });"),
        "export default () => Promise.resolve(1);".to_owned(),
        "export default () => Object.assign(() => 1, { then() {} });".to_owned(),
        "export default () => ({ then() { throw new Error('called'); } });".to_owned(),
    ] {
        let outcome = validate(&renderer, &source).await;
        assert_eq!(rules(&outcome), ["ASYNC_NOT_ALLOWED"], "{source}");
        let failures = outcome.result.err().unwrap();
        assert_eq!(failures[0].stage, Stage::Execution);
    }
    // A then that cannot be called is a property like any other.
    assert!(
        validate(&renderer, &cube("mesh.then = 1;"))
            .await
            .result
            .is_ok()
    );
    let throwing =
        cube("Object.defineProperty(mesh, 'then', { get() { throw new Error('no'); } });");
    let failures = validate(&renderer, &throwing).await.result.err().unwrap();
    assert_eq!(
        (failures[0].stage, failures[0].rule.as_str()),
        (Stage::Execution, "EXECUTION_THREW")
    );
    renderer.close().await;
}

#[tokio::test]
async fn real_modules_are_evaluated_as_modules() {
    // Forms that the reference service rejected because it rewrote the source (§3).
    let renderer = modules::validator(1).await;
    let body =
        "new THREE.Mesh(new THREE.BoxGeometry(size, size, size), new THREE.MeshBasicMaterial())";
    for source in [
        format!("export default function generate(THREE) {{ return {body}; }}\nconst size = 0.5;"),
        format!("export default function generate(THREE) {{ return {body}; }}\nvar size = 0.5;"),
        format!("const size = 0.5; export default (function (THREE) {{ return {body}; }});"),
        format!(
            "const size = 0.5; export default function generate(THREE) {{ return {body}; }} const more = 1;"
        ),
        format!("#!/usr/bin/env node\nconst size = 0.5; export default (THREE) => {body};"),
        format!("\u{feff}const size = 0.5; export default (THREE) => {body};"),
        format!(
            "const size = 0.5; const text = 'export default'; // export default\n\
             function again(THREE) {{ return generate(THREE, 1); }}\n\
             export default function generate(THREE, second) {{ return second ? {body} : again(THREE); }}"
        ),
    ] {
        let outcome = validate(&renderer, &source).await;
        assert!(outcome.result.is_ok(), "{source}: {:?}", outcome.result);
    }
    // What the engine refuses and the parser accepts fails when the module is loaded.
    let failures = validate(&renderer, "const bad = /(/; export default (THREE) => 1;")
        .await
        .result
        .err()
        .unwrap();
    assert_eq!(
        (failures[0].stage, failures[0].rule.as_str()),
        (Stage::ModuleLoad, "EXECUTION_THREW")
    );
    renderer.close().await;
}
