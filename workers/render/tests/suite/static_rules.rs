//! Static verdicts, as the tables of the render specification give them (§4 to §7, 5.13).

use render::{MAX_SOURCE_BYTES, analyse};

/// The rule codes of a source, in order.
fn rules(source: &str) -> Vec<&'static str> {
    analyse(source)
        .iter()
        .map(|failure| failure.rule.as_str())
        .collect()
}

/// The rule codes of statements inside a generate function whose parameter is `THREE`.
fn inside(body: &str) -> Vec<&'static str> {
    rules(&format!(
        "export default function generate(THREE) {{ {body}\n}}"
    ))
}

#[track_caller]
fn inside_all(expected: &[&str], bodies: &[&str]) {
    for body in bodies {
        assert_eq!(inside(body), expected, "in generate: {body}");
    }
}

#[track_caller]
fn module_all(expected: &[&str], sources: &[&str]) {
    for source in sources {
        assert_eq!(rules(source), expected, "module: {source}");
    }
}

const ALIAS: &[&str] = &["THREE_ALIAS_FORBIDDEN"];
const TOP_LEVEL: &[&str] = &["THREE_AT_TOP_LEVEL"];
const FORBIDDEN: &[&str] = &["FORBIDDEN_IDENTIFIER"];
const NOT_ALLOWED: &[&str] = &["IDENTIFIER_NOT_ALLOWED"];
const FORBIDDEN_API: &[&str] = &["FORBIDDEN_THREE_API"];
const UNKNOWN_API: &[&str] = &["UNKNOWN_THREE_API"];
const COMPUTED: &[&str] = &["COMPUTED_PROPERTY_ACCESS"];
const ASYNC: &[&str] = &["ASYNC_NOT_ALLOWED"];
const PASSES: &[&str] = &[];

#[test]
fn a_source_over_one_mebibyte_fails_before_it_is_parsed() {
    let valid = "export default () => 1;";
    let padded = format!("{valid}{}", " ".repeat(MAX_SOURCE_BYTES - valid.len()));
    assert_eq!(rules(&padded), PASSES);
    assert_eq!(rules(&format!("{padded} ")), ["FILE_SIZE_EXCEEDED"]);
    let garbage = "(".repeat(MAX_SOURCE_BYTES + 1);
    assert_eq!(rules(&garbage), ["FILE_SIZE_EXCEEDED"]);
    // Bytes of UTF-8, not characters.
    assert_eq!(
        rules(&format!("// {}", "é".repeat(MAX_SOURCE_BYTES / 2))),
        ["FILE_SIZE_EXCEEDED"]
    );
}

#[test]
fn syntax_errors_are_one_parse_error_each() {
    module_all(
        &["PARSE_ERROR"],
        &[
            "export default function (THREE) { new THREE.Mesh(;) }",
            "garbage text",
            "export default () => 1; export default () => 2;",
            "export default () => 1; export { nothing };",
            "return 1; export default () => 1;",
            "export default () => { let a; let a; };",
            "export default () => { let a; var a; };",
            "export default function f(a, a) {}",
            "export default () => 010;",
            "export default () => { with (Math) {} };",
            "export default () => { let x; delete x; };",
            "export default () => { let eval = 1; };",
            "export default () => { arguments = 1; };",
            "export default function f() { arguments = 1; }",
            "let await = 1; export default () => 1;",
            "let yield = 1; export default () => 1;",
            "let let = 1; export default () => 1;",
            "let static = 1; export default () => 1;",
            "export default () => { class A { m() { return this.#x; } } };",
            "export default () => { break nowhere; };",
            "export default () => ({ __proto__: null, __proto__: null });",
            "export default (a, b, c) => a ?? b || c;",
            "<!-- comment\nexport default () => 1;",
            "@decorated class A {}\nexport default () => 1;",
            "class A { @decorated m() {} }\nexport default () => 1;",
            "class A { accessor x = 1; }\nexport default () => 1;",
            "export default () => <div/>;",
            "export default (x: number) => 1;",
            "export default () => do { 1 };",
            "export default (x) => x |> f;",
            "export default () => #{ a: 1 };",
            "export default () => #[1];",
            "import source x from 'x'; export default () => 1;",
            "import defer * as x from 'x'; export default () => 1;",
            "export x from 'x'; export default () => 1;",
            "export default () => throw 1;",
            "export default () => /a/gg;",
            "export default () => /a",
            "export default () => 'unterminated",
        ],
    );
}

#[test]
fn a_parse_error_says_where() {
    let failures = analyse("export default () => {\n  let a;\n  let a;\n};");
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0].stage.as_str(), "parse");
    assert!(
        failures[0].detail.contains("(2:") || failures[0].detail.contains("(3:"),
        "{}",
        failures[0].detail
    );
}

#[test]
fn current_syntax_is_accepted() {
    module_all(
        PASSES,
        &[
            "export default () => { class A { #x = 1; has(o) { return #x in o; } static { this.y = 1; } } return new A(); };",
            "export default () => { let a; a ??= 1; a ||= 2; a &&= 3; return 1_000 + 2n ** 3n; };",
            "#!/usr/bin/env node\nexport default () => 1;",
            "\u{feff}export default () => 1;",
            "export default () => /[\\p{L}--[a-z]]/v.test('x');",
            "export default () => { { using x = null; } };",
            "export default () => { const bad = /(?<a/; };",
            "export default function* () { yield 1; }",
            "export default (function () { return 1; });",
            "export default function THREE() { return 1; }",
            "export default ({ a: { b = 1 } = {} } = {}) => b;",
        ],
    );
}

#[test]
fn exports_are_checked_first_and_may_end_the_run() {
    const MISSING: &[&str] = &["MISSING_DEFAULT_EXPORT"];
    module_all(
        MISSING,
        &[
            "",
            "function generate(THREE) {}",
            "function f() {} export { f as default };",
            "const f = () => 1; export default f;",
            "export default class {}",
            "export default 5;",
            "export default (() => 1)();",
            "export default {};",
            // An early return: the rest is not looked at.
            "fetch(); export default 5;",
        ],
    );
    module_all(
        &["MULTIPLE_TOP_LEVEL_EXPORTS"],
        &[
            "export default () => 1; export {};",
            "export default () => 1; export const a = 1;",
            "export default () => 1; export * from 'x';",
        ],
    );
    module_all(
        &["MULTIPLE_TOP_LEVEL_EXPORTS", "FORBIDDEN_IDENTIFIER"],
        &["export default () => fetch; export {};"],
    );
    module_all(
        &["MULTIPLE_TOP_LEVEL_EXPORTS", "MISSING_DEFAULT_EXPORT"],
        &["export const a = 1; export default 5;"],
    );
    module_all(
        ASYNC,
        &[
            "export default async function (THREE) { fetch(); }",
            "export default async () => 1;",
            "export default async function* () {}",
            "export default (async () => 1);",
        ],
    );
}

#[test]
fn every_async_function_is_one_failure() {
    inside_all(
        ASYNC,
        &[
            "async function f() { await 1; await 2; }",
            "(async () => { await 1; })();",
            "const o = { async m() {} };",
            "class A { async m() {} }",
            "class A { async #m() {} }",
            "class A { static async *m() {} }",
            "const f = async function* () {};",
        ],
    );
    inside_all(
        &["ASYNC_NOT_ALLOWED", "ASYNC_NOT_ALLOWED"],
        &[
            "async function f() { async function g() {} }",
            "async function f() { for await (const x of []) {} }",
        ],
    );
    module_all(
        ASYNC,
        &[
            "await 1; export default () => 1;",
            "for await (const x of []) {} export default () => 1;",
        ],
    );
    // The method's own failure stands before what its computed key breaks.
    inside_all(
        &["ASYNC_NOT_ALLOWED", "FORBIDDEN_IDENTIFIER"],
        &[
            "const o = { async [fetch]() {} };",
            "class A { async [fetch]() {} }",
        ],
    );
}

#[test]
fn imports_are_forbidden_in_every_form() {
    module_all(
        FORBIDDEN,
        &[
            "import x from 'x'; export default () => 1;",
            "import { fetch } from 'x'; export default () => 1;",
            "import { a as self } from 'x'; export default () => 1;",
            "import * as process from 'x'; export default () => 1;",
            "import 'x'; export default () => 1;",
            "import x from 'x' with { type: 'json' }; export default () => 1;",
            "export default () => import('x');",
            "export default () => import.meta;",
        ],
    );
    for (source, text) in [
        ("import 'x'; export default () => 1;", "import statement"),
        ("export default () => import('x');", "dynamic import"),
        ("export default () => import.meta;", "import.meta"),
    ] {
        assert!(analyse(source)[0].detail.contains(text), "{source}");
    }
    inside_all(PASSES, &["function F() { return new.target; }"]);
}

#[test]
fn forbidden_names_are_refused_by_spelling_wherever_they_are_examined() {
    for name in render::names::FORBIDDEN_NAMES {
        let as_value = inside(&format!("const x = {name};"));
        assert_eq!(as_value, FORBIDDEN, "{name} as a value");
        let detail = &analyse(&format!("export default () => {{ const x = {name}; }};"))[0].detail;
        assert!(detail.contains(name), "{detail}");
        if name != "eval" {
            assert_eq!(
                inside(&format!("const {name} = 1;")),
                FORBIDDEN,
                "{name} as a local variable"
            );
        }
    }
    inside_all(
        FORBIDDEN,
        &[
            "(self) => 1;",
            "self: for (;;) {}",
            "try {} catch (window) {}",
            "class process {}",
            "function module() {}",
            "const o = {}; o?.fetch;",
            "const o = {}; o?.a.fetch;",
            "const fetchThings = { fetch };",
            "const { self } = {};",
            "const { self = 1 } = {};",
            "const o = { [fetch]: 1 };",
            "typeof window;",
            "window = 1;",
            "[window] = [1];",
            "({ a: window } = {});",
            "({ window } = {});",
            "Math.random;",
            "Math.random();",
            "const f = (r = Math.random) => 1;",
            "Math.random = 1;",
            "const Math = {}; Math.random();",
        ],
    );
    module_all(
        FORBIDDEN,
        &[
            "export default function fetch() {}",
            "const a = self; export default () => 1;",
        ],
    );
    inside_all(
        &["FORBIDDEN_IDENTIFIER", "FORBIDDEN_IDENTIFIER"],
        &[
            "class A { #self = 1; m() { return this.#self; } }",
            "self: for (;;) { break self; }",
        ],
    );
    inside_all(
        PASSES,
        &[
            "const o = {}; o.fetch;",
            "const o = {}; (o?.a).fetch;",
            "const o = {}; o.a?.b;",
            "const o = { fetch: 1 };",
            "const o = { self() {}, get window() { return 1; }, set window(v) {} };",
            "class A { self() {} window = 1; static process = 2; }",
            "class A extends Object { m() { return super.process; } }",
            "const { process: p } = {};",
            "const s = \"window\";",
        ],
    );
}

#[test]
fn globals_must_be_on_the_effective_allow_list() {
    inside_all(
        NOT_ALLOWED,
        &[
            "console.log(1);",
            "structuredClone({});",
            "WebAssembly;",
            "Buffer;",
            "new TextDecoder();",
            "new URL('x');",
            "atob('x');",
            "location;",
            "parent;",
            "exports;",
            "new Image();",
            "requestAnimationFrame();",
            "AsyncFunction;",
            "DisposableStack;",
            "SuppressedError;",
            "foo++;",
            "--foo;",
            "typeof foo;",
            "for (foo of []) {}",
            "for (foo in {}) {}",
            "{ let a = 1; } a;",
            "for (let i = 0; i < 1; i++) {} i;",
            "{ function f() {} } f();",
            "(function g() {}); g;",
            "(class C {}); C;",
            "try {} catch (e) {} e;",
            "const { a = foo } = {};",
            "const o = { [foo]: 1 };",
            "class A extends foo {}",
            "class A { x = foo; }",
        ],
    );
    for name in render::names::DOCUMENTED_GLOBALS
        .iter()
        .chain(&render::names::TOLERATED_GLOBALS)
    {
        assert_eq!(inside(&format!("const x = {name};")), PASSES, "{name}");
    }
    inside_all(
        PASSES,
        &[
            "foo = 1;",
            "foo += 1;",
            "foo ??= 1;",
            "[foo] = [1];",
            "[...foo] = [1];",
            "({ foo } = {});",
            "({ foo = 1 } = {});",
            "({ a: foo } = {});",
            "({ a: foo = 1 } = {});",
            "for ([foo] of []) {}",
            "Promise.resolve().then(() => 1);",
            "new RegExp('a'); new WeakMap(); Intl; escape('x'); Iterator; Float16Array;",
            "arguments[0];",
            // Order and initialisation do not matter.
            "later(); function later() {}",
            "use; let use = 1;",
            "if (1) { var hoisted = 1; } hoisted;",
            "class A { m() { return A; } } A;",
            "(function g() { return g; });",
            "switch (1) { case 0: let inSwitch; case 1: inSwitch; }",
            "function f(a = inBody) { var inBody; }",
        ],
    );
}

#[test]
fn assigning_a_name_that_is_read_in_its_own_default_is_seen() {
    // The default of a shorthand pattern is a reference, the target is not.
    inside_all(
        NOT_ALLOWED,
        &[
            "({ foo = bar } = {});",
            "[foo = bar] = [];",
            "({ [bar]: foo } = {});",
        ],
    );
}

#[test]
fn three_needs_a_visible_binding() {
    module_all(
        TOP_LEVEL,
        &[
            "const c = THREE.ShaderMaterial; export default (THREE) => 1;",
            "const x = THREE; export default (THREE) => 1;",
            "const f = (a) => a; f(THREE); export default (THREE) => 1;",
            "function helper() { return new THREE.Mesh(); } export default (THREE) => helper();",
            "export default () => new THREE.Mesh();",
            "export default (T) => new THREE.Mesh();",
            "const a = [...THREE]; export default () => 1;",
        ],
    );
    module_all(
        &["COMPUTED_PROPERTY_ACCESS", "THREE_AT_TOP_LEVEL"],
        &["export default () => THREE['x'];"],
    );
    module_all(
        &["FORBIDDEN_THREE_API", "THREE_AT_TOP_LEVEL"],
        &["export default () => THREE.MathUtils.seededRandom;"],
    );
    module_all(
        FORBIDDEN_API,
        &[
            "const THREE = {}; const a = THREE.ShaderMaterial; export default () => 1;",
            "export default ({ THREE }) => THREE.ShaderMaterial;",
        ],
    );
}

#[test]
fn renamed_parameters_are_left_to_the_run_time() {
    module_all(
        PASSES,
        &[
            "export default (T) => new T.ShaderMaterial();",
            "export default ({ Mesh, ...rest }) => rest;",
            "export default (...a) => a[0].ShaderMaterial;",
            "export default function () { return arguments[0].ShaderMaterial; }",
        ],
    );
}

#[test]
fn three_in_any_other_position_is_an_alias() {
    inside_all(
        ALIAS,
        &[
            "return THREE;",
            "function* g() { yield THREE; }",
            "throw THREE;",
            "() => THREE;",
            "[THREE];",
            "({ a: THREE });",
            "({ THREE });",
            "1 ? THREE : 0;",
            "THREE || 0;",
            "THREE && 0;",
            "THREE + 1;",
            "typeof THREE;",
            "!THREE;",
            "void THREE;",
            "(0, THREE);",
            "`${THREE}`;",
            "THREE;",
            "if (THREE) {}",
            "while (THREE) {}",
            "for (const x of THREE) {}",
            "for (const x in THREE) {}",
            "for (THREE of []) {}",
            "THREE++;",
            "class A extends THREE {}",
            "class A { x = THREE; }",
            "class A { #x = THREE; }",
            "const f = (a = THREE) => 1;",
            "const { a = THREE } = {};",
            "[a = THREE] = [];",
            "THREE();",
            "new THREE();",
            "const o = {}; o[THREE];",
            "const o = { [THREE]: 1 };",
            "THREE?.Mesh;",
            "THREE?.Mesh.x;",
            "const f = (THREE) => 1; f?.(THREE);",
            "const o = {}; o?.f(THREE);",
            "'Mesh' in THREE;",
            "THREE instanceof Object;",
            "switch (THREE) {}",
            "do {} while (THREE);",
            "let a; a = (0, THREE);",
        ],
    );
    inside_all(ALIAS, &["const tag = (s, t) => t; tag`${THREE}`;"]);
    inside_all(ALIAS, &["THREE`x`;"]);
}

#[test]
fn three_may_be_written_to_and_compared_after_a_compound_assignment() {
    inside_all(
        PASSES,
        &[
            "let X; X ??= THREE;",
            "let X; X ||= THREE;",
            "let X; X &&= THREE;",
            "let X = ''; X += THREE;",
            "THREE = {};",
            "THREE.Mesh = 1;",
            "delete THREE.Mesh;",
            "THREE.Mesh?.foo;",
            "class A extends THREE.Mesh {}",
            "const x = {}; x instanceof THREE.Mesh;",
            "THREE.Box3.prototype.setFromObject = function () {};",
        ],
    );
}

#[test]
fn assigning_three_follows_the_left_side() {
    inside_all(
        ALIAS,
        &[
            "const X = THREE;",
            "let X; X = THREE;",
            "const X = (THREE);",
            "const [a] = THREE;",
            "const x = {}; [x.y] = THREE;",
            "this.t = THREE;",
            "const o = {}; o.t = THREE;",
            "const o = {}; o['t'] = THREE;",
            "class A { #t; m() { this.#t = THREE; } }",
            "let a, b; a = b = THREE;",
            "[...THREE];",
            "({ ...THREE });",
            "Object.keys(...THREE);",
            "const { ...rest } = THREE;",
            "const { Mesh, ...rest } = THREE;",
            "let rest; ({ ...rest } = THREE);",
        ],
    );
    let text = |body: &str| {
        analyse(&format!("export default (THREE) => {{ {body} }};"))[0]
            .detail
            .clone()
    };
    assert!(text("const X = THREE;").contains("aliasing THREE as `X`"));
    assert!(text("[...THREE];").contains("spread of THREE"));
    assert!(text("const { ...r } = THREE;").contains("rest-destructure"));
    assert!(text("const [a] = THREE;").contains("array-destructuring"));
    assert!(text("const { ShaderMaterial } = THREE;").contains("ShaderMaterial (destructured)"));
}

#[test]
fn destructuring_three_checks_each_property() {
    inside_all(
        PASSES,
        &[
            "const { Mesh, BoxGeometry: Box } = THREE;",
            "const { 'Mesh': M } = THREE;",
            "const { Mesh: { prototype } } = THREE;",
            "const { Mesh = 1 } = THREE;",
            "const o = {}; ({ Mesh: o.m } = THREE);",
            "const { 1: x } = THREE;",
            "const { '': x } = THREE;",
            "const { MathUtils } = THREE; MathUtils.seededRandom();",
            "const { MathUtils: { clamp } } = THREE;",
            "const { MathUtils: { ['seededRandom']: r } } = THREE;",
            "let Mesh; ({ Mesh } = THREE);",
            "let Mesh; ({ Mesh = 1 } = THREE);",
        ],
    );
    inside_all(
        FORBIDDEN_API,
        &[
            "const { ShaderMaterial } = THREE;",
            "const { ShaderMaterial: S } = THREE;",
            "const { 'ShaderMaterial': S } = THREE;",
            "const { MathUtils: { seededRandom } } = THREE;",
            "const { MathUtils: { seededRandom: r } = {} } = THREE;",
            "const { MathUtils: { 'generateUUID': u } } = THREE;",
            "const { MathUtils: { ...rest } } = THREE;",
            "const o = {}; ({ ShaderMaterial: o.s } = THREE);",
            "let s; ({ MathUtils: { seededRandom: s } } = THREE);",
            "let s; ({ MathUtils: { seededRandom: s } = {} } = THREE);",
        ],
    );
    inside_all(
        UNKNOWN_API,
        &[
            "const { TorusKnotCurve } = THREE;",
            "const { constructor } = THREE;",
        ],
    );
    inside_all(COMPUTED, &["const k = 'Mesh'; const { [k]: M } = THREE;"]);
    inside_all(
        &[
            "FORBIDDEN_THREE_API",
            "UNKNOWN_THREE_API",
            "THREE_ALIAS_FORBIDDEN",
        ],
        &["const { ShaderMaterial, Nope, ...rest } = THREE;"],
    );
}

#[test]
fn a_callee_must_be_known_and_call_its_parameter_three() {
    inside_all(
        PASSES,
        &[
            "helper(THREE); function helper(THREE) {}",
            "const helper = (THREE) => 1; helper(THREE);",
            "const helper = function (THREE) {}; helper(THREE);",
            "helper(1, THREE); function helper(a, THREE) {}",
            "helper(THREE, 1, 2); function helper(THREE, ...r) {}",
            "helper(THREE); function helper(THREE = 1) {}",
            "helper(THREE); function helper({ Mesh }) {}",
            "helper(THREE); function helper({ Mesh } = {}) {}",
            "((THREE) => 1)(THREE);",
            "(function (THREE) {})(THREE);",
            "class K { constructor(THREE) {} } new K(THREE);",
            "const K = class { constructor(THREE) {} }; new K(THREE);",
            "new (class { constructor(THREE) {} })(THREE);",
            "function F(THREE) {} new F(THREE);",
            "(function own(THREE) { own(THREE); });",
            "generate(THREE);",
            "let f = (THREE) => 1; f = (other) => 1; f(THREE);",
            "var f = (THREE) => 1; var f = (other) => 1; f(THREE);",
            "const { call: f } = function (THREE) {}; f(THREE);",
            "helper(...[], THREE); function helper(a, THREE) {}",
        ],
    );
    inside_all(
        ALIAS,
        &[
            "helper(THREE); function helper(other) {}",
            "helper(THREE); function helper(...rest) {}",
            "helper(1, THREE); function helper(...rest) {}",
            "helper(THREE); function helper() {}",
            "helper(THREE); function helper([a]) {}",
            "((other) => 1)(THREE);",
            "const o = { f(THREE) {} }; o.f(THREE);",
            "const f = (THREE) => 1; f.call(null, THREE);",
            "const g = {}; g.add(THREE);",
            "THREE.Mesh(THREE);",
            "new THREE.Mesh(THREE);",
            "class A { constructor() {} } class B extends A { constructor() { super(THREE); } }",
            "(0, (THREE) => 1)(THREE);",
            "const h = (f) => { f(THREE); };",
            "const h = (f = (THREE) => 1) => { f(THREE); };",
            "let f; f = (THREE) => 1; f(THREE);",
            "const f = 1 ? (THREE) => 1 : 0; f(THREE);",
            "(class Own { constructor(THREE) { new Own(THREE); } });",
            "Object(THREE);",
            "class K {} new K(THREE);",
            "class A { constructor(THREE) {} } class K extends A {} new K(THREE);",
            "const f = (a, THREE) => 1; f(THREE);",
        ],
    );
    inside_all(
        &["THREE_ALIAS_FORBIDDEN", "THREE_ALIAS_FORBIDDEN"],
        &["const f = (a, b) => 1; f(THREE, THREE);"],
    );
    inside_all(ALIAS, &["const f = (THREE, t) => 1; f(THREE, THREE);"]);
    inside_all(
        FORBIDDEN_API,
        &["helper(THREE); function helper({ ShaderMaterial }) {}"],
    );
    inside_all(
        &["FORBIDDEN_IDENTIFIER", "THREE_ALIAS_FORBIDDEN"],
        &["const f = Function('T'); f(THREE);"],
    );
}

#[test]
fn members_of_the_namespace_are_looked_up_in_the_tables() {
    for member in render::names::ALLOWED_MEMBERS {
        assert_eq!(inside(&format!("THREE.{member};")), PASSES, "{member}");
    }
    for member in render::names::FORBIDDEN_MEMBERS {
        if member != "3MFLoader" {
            assert_eq!(
                inside(&format!("new THREE.{member}();")),
                FORBIDDEN_API,
                "{member}"
            );
        }
    }
    inside_all(
        UNKNOWN_API,
        &[
            "THREE.REVISION;",
            "THREE.LineLoop;",
            "THREE.TorusKnotCurve;",
            "THREE.PyramidGeometry;",
            "THREE.MagicPhysicsMaterial;",
            "THREE.InstancedBufferAttribute;",
            "THREE.Matrix2;",
        ],
    );
    inside_all(
        FORBIDDEN_API,
        &[
            "THREE.MathUtils.seededRandom();",
            "THREE.MathUtils.generateUUID;",
            "class A extends THREE.Sprite {}",
            "THREE.ShaderMaterial = 1;",
            "const o = {}; [o.x = THREE.ShaderMaterial] = [];",
        ],
    );
    inside_all(
        PASSES,
        &[
            "THREE.MathUtils.randFloat(0, 1); THREE.MathUtils.randInt(0, 1); THREE.MathUtils.randFloatSpread(1);",
            "THREE.MathUtils?.seededRandom;",
            "THREE.MathUtils['seededRandom'];",
            "const M = THREE.MathUtils; M.seededRandom;",
            "const { seededRandom } = THREE.MathUtils;",
            "Math?.random();",
            "const { random } = Math;",
            "const M = Math; M.random();",
            "Object?.['keys'];",
        ],
    );
}

#[test]
fn brackets_are_gated_by_the_name_before_them() {
    inside_all(
        COMPUTED,
        &[
            "Math['PI'];",
            "Array[0];",
            "const k = 'x', Object = {}; Object[k];",
            "Object['x'] = 1;",
            "Math['random']();",
            "THREE['Mesh'];",
            "Symbol['iterator'];",
            "const k = 'Mesh'; new THREE[k]();",
        ],
    );
    inside_all(
        PASSES,
        &[
            "JSON['parse'];",
            "Number['x'];",
            "const o = {}; o[Symbol.iterator];",
            "const o = {}; o['x'];",
        ],
    );
}

#[test]
fn properties_that_reach_code_generation_are_refused_behind_a_dot() {
    const PROPERTY: &[&str] = &["FORBIDDEN_PROPERTY_ACCESS"];
    inside_all(
        PROPERTY,
        &[
            "(() => {}).constructor;",
            "const o = {}; o.__proto__;",
            "const o = {}; o.__defineGetter__('x', () => 1);",
            "const o = {}; o.__defineSetter__;",
            "const o = {}; o.__lookupGetter__;",
            "const o = {}; o.__lookupSetter__;",
            "const o = {}; o.constructor = 1;",
        ],
    );
    inside_all(
        &["FORBIDDEN_PROPERTY_ACCESS", "UNKNOWN_THREE_API"],
        &["THREE.constructor;"],
    );
    inside_all(
        PASSES,
        &[
            "(() => {})['constructor'];",
            "const f = () => 1; const { constructor } = f;",
            "const f = () => 1; f?.constructor;",
            "({ __proto__: null });",
            "class A { constructor() {} }",
        ],
    );
    assert!(
        analyse("export default (o) => o.constructor;")[0]
            .detail
            .contains(".constructor")
    );
}

#[test]
fn the_literal_budget_counts_values_of_strings_and_sources_of_numbers() {
    const OVER: &[&str] = &["LITERAL_BUDGET_EXCEEDED"];
    let at = |count: usize| format!("const s = \"{}\";", "x".repeat(count));
    assert_eq!(inside(&at(51_200)), PASSES);
    assert_eq!(inside(&at(51_201)), OVER);
    // An escape counts as what it means.
    assert_eq!(
        inside(&format!("const s = \"{}\";", "\\u0041".repeat(51_200))),
        PASSES
    );
    assert_eq!(
        inside(&format!("const s = \"{}\";", "\\u00e9".repeat(25_601))),
        OVER
    );
    assert_eq!(
        inside(&format!("const s = \"{}\";", "\\ud800".repeat(17_066))),
        PASSES
    );
    assert_eq!(
        inside(&format!("const s = \"{}\";", "\\ud800".repeat(17_067))),
        OVER
    );
    assert_eq!(
        inside(&format!(
            "const s = '{}\\ud800';",
            "\u{fffd}".repeat(17_065)
        )),
        PASSES
    );
    assert_eq!(
        inside(&format!(
            "const s = '{}\\ud800';",
            "\u{fffd}".repeat(17_066)
        )),
        OVER
    );
    // Templates count their text, numbers and big integers their source.
    assert_eq!(
        inside(&format!("const s = `{}`;", "x".repeat(51_201))),
        OVER
    );
    assert_eq!(
        inside(&format!(
            "const t = (s) => s; t`\\u{{}}{}`;",
            "x".repeat(51_197)
        )),
        OVER
    );
    assert_eq!(
        inside(&format!("const a = [{}];", "0x1_0,".repeat(10_240))),
        PASSES
    );
    assert_eq!(
        inside(&format!("const a = [{}1];", "0x1_0,".repeat(10_240))),
        OVER
    );
    assert_eq!(
        inside(&format!("const a = [{}1];", "1234n,".repeat(10_240))),
        OVER
    );
    assert_eq!(
        inside(&format!("const a = [{}];", "-12345,".repeat(10_240))),
        PASSES,
        "the minus is not counted"
    );
    assert_eq!(
        inside(&format!("const a = [{}];", "12345,".repeat(13_000))),
        OVER
    );
    // Keys and indices too, when they are literals.
    assert_eq!(
        inside(&format!("const o = {{ '{}': 1 }};", "x".repeat(51_200))),
        OVER
    );
    // Not counted: regular expressions, directives, comments, names.
    let long = "x".repeat(60_000);
    assert_eq!(
        inside(&format!("const r = /{long}/; // {long}\nconst {long} = 1;")),
        PASSES
    );
    assert_eq!(
        rules(&format!("'{long}'; export default () => {{ '{long}'; }};")),
        PASSES
    );
    // Always last.
    assert_eq!(
        inside(&format!("const s = \"{long}\"; fetch;")),
        ["FORBIDDEN_IDENTIFIER", "LITERAL_BUDGET_EXCEEDED"]
    );
}

#[test]
fn failures_carry_the_line_they_are_on() {
    let failures = analyse("export default () => {\n  fetch;\r\n\r\n  process;\n};");
    let details: Vec<&str> = failures
        .iter()
        .map(|failure| failure.detail.as_str())
        .collect();
    assert!(details[0].starts_with("line 2:"), "{details:?}");
    assert!(details[1].starts_with("line 4:"), "{details:?}");
}
