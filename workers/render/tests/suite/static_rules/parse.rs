//! Size, syntax, and where a failure is (§4).

use render::{MAX_SOURCE_BYTES, analyse};

use super::{PASSES, module_all, rules};

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
fn early_errors_of_the_language_are_parse_errors_too() {
    module_all(
        &["PARSE_ERROR"],
        &[
            "export default () => 08;",
            "export default () => '\\01';",
            "export default () => 1__0;",
            "export default () => '\\u{110000}';",
            "export default () => `\\u{}`;",
            "export default () => 1;\n--> comment",
            "let x; export { x }; export { x };",
            "import { a, a } from 'x'; export default () => 1;",
            "export default () => { const a; };",
            "export default () => { for (let x = 1 of []) {} };",
            "new.target; export default () => 1;",
            "export default () => { super.x; };",
            "export default () => { super(); };",
            "export default () => { continue; };",
            "export default (a = 1) => { 'use strict'; };",
            "class A { constructor() {} constructor() {} } export default () => 1;",
            "class A { #x; #x; } export default () => 1;",
            "export default () => { ({ a = 1 }); };",
            "export default () => { let [a, a] = []; };",
            "export default () => { if (1) function f() {} };",
            "export default () => { l: function f() {} };",
            "export default (a) => { let a; };",
            "export default () => { try {} catch (e) { let e; } };",
            "export default () => { 1 = 2; };",
            "export default () => { let a; a?.b = 1; };",
            "export default () => { f() = 1; };",
            "export default () => { a => {} ? 1 : 2; };",
            "class A { x = arguments; } export default () => 1;",
            "class A { static { await 1; } } export default () => 1;",
            "export default () => /a/q;",
            "export default () => /a/uv;",
            "export default () => { l: l: ; };",
            "export default () => { switch (1) { default: default: } };",
            "export default () => { -1 ** 2; };",
            "export default () => { async () => { for await (x in y); }; };",
            "export default () => { function* g(a = yield) {} };",
            "export default () => { let undefined; enum; };",
        ],
    );
}

#[test]
fn patterns_in_parentheses_are_parse_errors_and_targets_in_parentheses_are_not() {
    module_all(
        &["PARSE_ERROR"],
        &[
            "let a; export default () => { [(a = 1)] = []; };",
            "let a; export default () => { [([a])] = []; };",
            "let a; export default () => { ({ b: (a = 0) } = {}); };",
            "let a; export default () => { ({ b: ({ a }) } = {}); };",
            "let a; export default () => { for (({ a }) of []); };",
            "let a; export default () => { for (([a]) in []); };",
            "let a; export default () => { [([a]) = 1] = []; };",
            "export default () => { ((a)) => 1; };",
            "export default () => { ( (a), b) => 1; };",
        ],
    );
    module_all(
        PASSES,
        &[
            "let a; export default () => { [(a)] = []; };",
            "let a; export default () => { [(a) = 1] = []; };",
            "let a; export default () => { [((a))] = []; };",
            "let a; export default () => { ({ b: (a) } = {}); };",
            "let a; export default () => { ({ b: (a) = 0 } = {}); };",
            "let a = {}; export default () => { [(a.b)] = []; ({ c: (a.d) } = {}); };",
            "let a; export default () => { for ((a) of []); };",
            "let a; export default () => { for ([a] of []); for ({ a } of []); };",
            "let a; export default () => { [[a] = [1]] = []; ([a] = []); ({ a } = {}); };",
            "export default () => { String((a) => 1); ((a) => 1)(); (((a, b = (1)) => 1)); };",
            "export default () => { String(([a]) => a, ({ b }) => b, (/* ( */ c) => c); };",
        ],
    );
}

#[test]
fn no_jump_leaves_its_function() {
    module_all(
        &["PARSE_ERROR"],
        &[
            "export default () => { for (;;) { (() => { break; }); } };",
            "export default () => { for (;;) { (() => { continue; }); } };",
            "export default () => { switch (1) { case 1: (() => { break; }); } };",
            "export default () => { a: { (() => { break a; }); } };",
            "export default () => { a: for (;;) { class A { x = () => { continue a; }; } } };",
            "export default () => { for (;;) { function f() { break; } } };",
        ],
    );
    module_all(
        PASSES,
        &[
            "export default () => { a: for (;;) { b: { for (;;) { break b; } continue a; } } };",
            "export default () => { for (;;) { (() => { for (;;) { break; } }); break; } };",
            "export default () => { a: { switch (1) { default: break a; } } };",
            "export default () => { a: { (() => { a: { break a; } }); break a; } };",
        ],
    );
}

#[test]
fn what_only_this_parser_knows_is_a_parse_error() {
    module_all(
        &["PARSE_ERROR"],
        &[
            "class A { private m() {} } export default () => 1;",
            "class A { override m() {} } export default () => 1;",
            "class A { declare x; } export default () => 1;",
            "class A { static readonly x = 1; } export default () => 1;",
            "class A { m?() {} } export default () => 1;",
            "class A { x?; } export default () => 1;",
            "class A { public constructor() {} } export default () => 1;",
            "export default abstract class {}",
            "export default interface A {}",
            "import 'x' assert { type: 'json' }; export default () => 1;",
            "\u{200b}export default () => 1;",
            "export default () => 1;\u{85}",
        ],
    );
    module_all(
        PASSES,
        &[
            "class A { private; readonly() {} override = 1; abstract() {} declare } export default () => 1;",
            "export default () => '\u{200b}' + `\u{85}` + /\u{200b}/.source; // \u{200b}",
            "\u{a0}\u{3000}\u{feff}export default () => 1;",
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
fn only_a_bare_in_is_refused_in_the_head_of_a_for() {
    let in_a_for = |heads: &[&str]| -> Vec<String> {
        let module = |head| format!("let f; export default () => {{ for ({head}) {{ break; }} }};");
        heads.iter().map(module).collect()
    };
    let accepted = in_a_for(&[
        "let g = () => { 'a' in f }; ; ",
        "f = (k) => { if (k in f) f = k in f && 1 in f; }; ; ",
        "let g = () => { const a = 'a' in f, b = 1; throw 'é'\n  in f }; ; ",
        "let g = () => { switch ('a' in f) { case 'b' in f: } while ('c' in f); }; ; ",
        "let g = () => { for (const k in f) { (() => { k in f; }); } }; ; ",
        "var g = () => { for (let h = () => { 'a' in f }; ; ) { break; } }; ; ",
        "let g = () => { 'é' in f }, h = () => { 'ü' in f }; ; ",
        "let g = class { static { 'a' in f } x = 'a' in f; m() { 'a' in f } }; ; ",
        "let x = ('a' in f), y = ['a' in f]; 'a' in f; 'a' in f",
        "let g = function () { 'a' in f }; ; ",
    ]);
    module_all(
        PASSES,
        &accepted.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    let refused = in_a_for(&[
        "let x = 'a' in f; ; ",
        "f = 'a' in f; ; ",
        "let g = () => 'a' in f; ; ",
        "let g = () => { 'a' in f }, x = 'a' in f; ; ",
        "let g = () => { for (let x = 'a' in f; ; ); }; ; ",
        "let g = class { static { for (let x = 'a' in f; ; ); } }; ; ",
        "let g = () => { let in; }; ; ",
        "let g = () => { 1 index f; }; ; ",
        "let g = () => { 'a' in f +; }; ; ",
        "; (() => { 1 index f; }); ",
    ]);
    module_all(
        &["PARSE_ERROR"],
        &refused.iter().map(String::as_str).collect::<Vec<_>>(),
    );

    // The rules see such an operator's sides as they see any other's, in the places where they stand.
    let failures =
        analyse("export default () => {\n  for (let f = () => {\n    fetch in foo }; ; ) {}\n};");
    let told: Vec<(&str, bool)> = failures
        .iter()
        .map(|failure| (failure.rule.as_str(), failure.detail.starts_with("line 3:")))
        .collect();
    assert_eq!(
        told,
        [
            ("FORBIDDEN_IDENTIFIER", true),
            ("IDENTIFIER_NOT_ALLOWED", true)
        ]
    );
    // What is told is what is wrong.
    let failures =
        analyse("export default () => {\n  for (let f = () => { 'a' in f }; ; ) {}\n let 1; };");
    assert!(failures[0].detail.contains("(3:"), "{failures:?}");
    // And nobody makes us parse without end.
    let many = "'a' in f; ".repeat(10_000);
    assert_eq!(
        rules(&format!(
            "export default () => {{ for (let f = () => {{ {many} }}; ; ) {{}} }};"
        )),
        ["PARSE_ERROR"]
    );
}

#[test]
fn arguments_may_be_read_wherever_values_may_be_read() {
    module_all(
        PASSES,
        &[
            "export default function () { let a; ({ a = arguments[0] } = {}); [a = arguments] = []; }",
            "export default function () { let a; ({ [arguments.length]: a } = {}); ({ a: a = arguments } = {}); }",
            "export default function () { let a = []; [a[arguments]] = []; a[arguments.length] = arguments; a[arguments]++; }",
            "export default function () { let a; for ([a = arguments] of []); for ({ a = arguments } of []); }",
        ],
    );
    module_all(
        &["PARSE_ERROR"],
        &[
            "export default function () { [arguments] = []; }",
            "export default function () { [arguments = 1] = []; }",
            "export default function () { [...arguments] = []; }",
            "export default function () { ({ arguments } = {}); }",
            "export default function () { ({ arguments = 1 } = {}); }",
            "export default function () { ({ a: arguments } = {}); }",
            "export default function () { ({ a: [eval] } = {}); }",
            "export default function () { ({ ...arguments } = {}); }",
            "export default function () { arguments++; }",
            "export default function () { --eval; }",
            "export default function () { arguments += 1; }",
            "export default function () { (arguments) = 1; }",
            "export default function () { for (arguments of []); }",
            "export default function () { for (eval in {}); }",
            "export default function () { let [arguments] = []; }",
        ],
    );
}

#[test]
fn a_function_may_share_its_name_with_a_var_of_its_body_and_with_nothing_else() {
    let in_bodies = |statements: &[&str]| -> Vec<String> {
        let of = |statements: &&str| {
            [
                format!("export default function () {{ {statements} }}"),
                format!(
                    "class A {{ m() {{ {statements} }} static {{ {statements} }} }} export default () => 1;"
                ),
            ]
        };
        statements.iter().flat_map(of).collect()
    };
    let valid = [
        "function g() {} { var g; }",
        "function g() {} for (var g of []); for (var [g] = []; ; ) { break; }",
        "function g() {} try { var g = 1; } catch { { var g; } }",
        "function g() {} var g; function g() {}",
        "(function (g) { function g() {} { var g; } });",
        "{ { var g; } } function g() {} { let g; }",
        "var g; function g() {} { var g; }",
    ];
    let accepted = in_bodies(&valid);
    module_all(
        PASSES,
        &accepted.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    let refused = in_bodies(&[
        "function g() {} let g;",
        "function g() {} { let g; { var g; } }",
        "let g; { var g; }",
        "class g {} { var g; }",
        "{ function g() {} var g; }",
        "{ function g() {} { var g; } }",
        "{ { var g; } function g() {} }",
        "function g() {} { var g; } const g = 1;",
    ]);
    module_all(
        &["PARSE_ERROR"],
        &refused.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    // The top level of a module is no body: its functions are declared as `let` declares.
    module_all(
        &["PARSE_ERROR"],
        &[
            "function g() {} { var g; } export default () => 1;",
            "export default function g() { return 1; } var g;",
        ],
    );
    // What the shared name means is what was declared first.
    assert_eq!(
        rules("export default function (THREE) { function g(THREE) {} { var g = 1; } g(THREE); }"),
        PASSES
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
