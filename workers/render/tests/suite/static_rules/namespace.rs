//! Where the namespace may go (5.7, 5.8).

use render::analyse;

use super::{
    ALIAS, COMPUTED, FORBIDDEN_API, PASSES, TOP_LEVEL, UNKNOWN_API, inside_all, module_all,
};

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
            "for (THREE in {}) {}",
            "let a; ({ a = THREE } = {});",
            "let a; for ([a = THREE] of []) {}",
            "switch (1) { case THREE: }",
            "class A { static x = THREE; }",
            "for (; THREE; ) {}",
            "-THREE;",
            "THREE ? 1 : 0;",
            "null ?? THREE;",
            "const o = { [THREE.Mesh]: THREE };",
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
