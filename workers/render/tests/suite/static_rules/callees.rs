//! The namespace as an argument (5.9).

use super::{ALIAS, FORBIDDEN_API, PASSES, inside_all};

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
