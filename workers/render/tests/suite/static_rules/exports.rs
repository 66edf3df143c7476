//! Exports, asynchrony, imports (5.1 to 5.4).

use render::analyse;

use super::{ASYNC, FORBIDDEN, PASSES, inside_all, module_all};

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
