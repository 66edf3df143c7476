//! Member access (5.10, tables 7).

use render::analyse;

use super::{COMPUTED, FORBIDDEN_API, PASSES, UNKNOWN_API, inside, inside_all};

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
