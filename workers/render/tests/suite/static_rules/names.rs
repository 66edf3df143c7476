//! Identifiers: forbidden by spelling, allowed by list (5.5, 5.6, tables 6).

use render::analyse;

use super::{FORBIDDEN, NOT_ALLOWED, PASSES, inside, inside_all, module_all};

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
