//! Figures and limits of a scene (§2, §9).

use std::f64::consts::FRAC_1_SQRT_2;

use render::{Metrics, Outcome, Renderer, Stage};

use crate::modules::{self, cube, rules, validate};

const PASSES: [&str; 0] = [];

/// A module that returns a group after `statements`, which may use `root`, `at` (a mesh of 24 vertices) and `paint`.
fn group(statements: &str) -> String {
    format!(
        "export default function generate(THREE) {{\n\
         const root = new THREE.Group();\n\
         const paint = new THREE.MeshBasicMaterial();\n\
         const box = new THREE.BoxGeometry(0.1, 0.1, 0.1);\n\
         const at = (x) => {{ const mesh = new THREE.Mesh(box, paint); mesh.position.x = x; return mesh; }};\n\
         {statements}\nreturn root;\n}}"
    )
}

/// The figures of a module that passes.
async fn figures(renderer: &Renderer, source: &str) -> Metrics {
    let outcome = validate(renderer, source).await;
    assert_eq!(rules(&outcome), PASSES, "{source}");
    outcome.metrics.unwrap()
}

async fn broken(renderer: &Renderer, source: &str) -> Outcome {
    let outcome = validate(renderer, source).await;
    let failures = outcome.result.as_ref().err().unwrap();
    assert!(
        failures
            .iter()
            .all(|failure| failure.stage == Stage::PostValidation)
    );
    outcome
}

#[tokio::test]
async fn a_value_at_its_limit_passes_and_one_more_fails() {
    let renderer = modules::validator(1).await;
    let points = |count: u32| {
        group(&format!(
            "const geometry = new THREE.BufferGeometry();\n\
             geometry.setAttribute('position', new THREE.BufferAttribute(new Float32Array(3 * {count}), 3));\n\
             root.add(new THREE.Points(geometry, new THREE.PointsMaterial()));"
        ))
    };
    let meshes = |count: u32| {
        group(&format!(
            "for (let i = 0; i < {count}; i++) root.add(at(0));"
        ))
    };
    let instances = |count: u32| {
        group(&format!(
            "root.add(new THREE.InstancedMesh(new THREE.TetrahedronGeometry(0.1), paint, {count}));"
        ))
    };
    let texture = |bytes: u32| {
        group(&format!(
            "paint.map = new THREE.DataTexture(new Uint8Array({bytes}), 1024, 1024); root.add(at(0));"
        ))
    };
    // `levels` groups below the root, and a mesh in the last.
    let nested = |levels: u32| {
        group(&format!(
            "let inner = root;\n\
             for (let i = 0; i < {levels}; i++) {{ const next = new THREE.Group(); inner.add(next); inner = next; }}\n\
             inner.add(at(0));"
        ))
    };
    let edge = |scale: &str| {
        format!(
            "export default (THREE) => {{ const mesh = new THREE.Mesh(new THREE.BoxGeometry(1, 1, 1), new THREE.MeshBasicMaterial()); \
             mesh.scale.{scale}; return mesh; }}"
        )
    };
    for (within, beyond, rule) in [
        (points(250_000), points(250_001), "VERTEX_LIMIT_EXCEEDED"),
        (meshes(200), meshes(201), "DRAW_CALL_LIMIT_EXCEEDED"),
        (
            instances(50_000),
            instances(50_001),
            "INSTANCE_LIMIT_EXCEEDED",
        ),
        (
            texture(4_194_304),
            texture(4_194_305),
            "TEXTURE_DATA_EXCEEDED",
        ),
        (nested(31), nested(32), "DEPTH_LIMIT_EXCEEDED"),
        (
            edge("setScalar(1)"),
            edge("setY(1.0000001)"),
            "BOUNDING_BOX_OUT_OF_RANGE",
        ),
    ] {
        figures(&renderer, &within).await;
        assert_eq!(rules(&broken(&renderer, &beyond).await), [rule]);
    }
    // Deeper than one level too deep is told twice, with the figures of what was walked.
    let outcome = broken(&renderer, &nested(40)).await;
    assert_eq!(
        rules(&outcome),
        ["DEPTH_LIMIT_EXCEEDED", "DEPTH_LIMIT_EXCEEDED"]
    );
    let metrics = outcome.metrics.unwrap();
    assert_eq!((metrics.max_depth, metrics.depth), (33, 33));
    // What lies deeper does not count, but it has its place in the box, as for the tool.
    assert_eq!((metrics.draw_calls, metrics.vertices), (0, 0));
    assert!((metrics.bbox.unwrap().max.x.unwrap() - 0.05).abs() < 1e-6);
    let far = nested(40).replace("inner.add(at(0))", "inner.add(at(9))");
    assert_eq!(
        rules(&broken(&renderer, &far).await),
        [
            "DEPTH_LIMIT_EXCEEDED",
            "DEPTH_LIMIT_EXCEEDED",
            "BOUNDING_BOX_OUT_OF_RANGE"
        ]
    );
    assert_eq!(
        rules(&broken(&renderer, &nested(1_000)).await),
        ["DEPTH_LIMIT_EXCEEDED", "DEPTH_LIMIT_EXCEEDED"]
    );
    renderer.close().await;
}

#[tokio::test]
async fn failures_come_in_the_order_of_the_figures_and_the_box_last() {
    let renderer = modules::validator(1).await;
    let everything = group(
        "const dense = new THREE.TorusKnotGeometry(0.25, 0.08, 2048, 128);\n\
         root.add(new THREE.Mesh(dense, paint));\n\
         for (let i = 0; i < 200; i++) root.add(at(i));\n\
         root.add(new THREE.InstancedMesh(new THREE.TetrahedronGeometry(0.1), paint, 50001));\n\
         paint.map = new THREE.DataTexture(new Uint8Array(4400000), 1100, 1000);",
    );
    let outcome = broken(&renderer, &everything).await;
    assert_eq!(
        rules(&outcome),
        [
            "VERTEX_LIMIT_EXCEEDED",
            "DRAW_CALL_LIMIT_EXCEEDED",
            "INSTANCE_LIMIT_EXCEEDED",
            "TEXTURE_DATA_EXCEEDED",
            "BOUNDING_BOX_OUT_OF_RANGE"
        ]
    );
    renderer.close().await;
}

#[tokio::test]
async fn a_node_met_twice_is_the_only_failure_and_the_box_is_unknown() {
    let renderer = modules::validator(1).await;
    for statements in [
        "const mesh = at(9); root.add(mesh); root.children.push(mesh);",
        "const inner = new THREE.Group(); root.add(inner, at(9)); inner.children.push(root);",
        "const inner = new THREE.Group(); root.add(inner); inner.add(at(0)); inner.children.push(inner);",
    ] {
        let outcome = broken(&renderer, &group(statements)).await;
        assert_eq!(rules(&outcome), ["CYCLE_DETECTED"], "{statements}");
        let metrics = outcome.metrics.unwrap();
        assert_eq!(
            (metrics.draw_calls, metrics.bbox),
            (1, None),
            "{statements}"
        );
    }
    renderer.close().await;
}

#[tokio::test]
async fn figures_count_what_stands_in_the_scene() {
    let renderer = modules::validator(1).await;
    let counted = [
        // Shared geometry for each use, the index and instances not; invisible objects and material arrays once.
        ("root.add(at(0), at(0.1));", (48, 2, 1, 0)),
        (
            "const mesh = at(0); mesh.visible = false; root.add(mesh);",
            (24, 1, 1, 0),
        ),
        ("root.visible = false; root.add(at(0));", (24, 1, 1, 0)),
        (
            "const mesh = at(0); mesh.material = [paint, paint, paint]; root.add(mesh);",
            (24, 1, 1, 0),
        ),
        (
            "root.add(new THREE.InstancedMesh(box, paint, 7));",
            (24, 1, 1, 7),
        ),
        (
            "const mesh = new THREE.InstancedMesh(box, paint, 7); mesh.count = 3; root.add(mesh);",
            (24, 1, 1, 3),
        ),
        (
            "root.add(new THREE.Line(box, new THREE.LineBasicMaterial()));",
            (24, 1, 1, 0),
        ),
        (
            "root.add(new THREE.LineSegments(box, new THREE.LineDashedMaterial()));",
            (24, 1, 1, 0),
        ),
        (
            "root.add(new THREE.Points(box, new THREE.PointsMaterial()));",
            (24, 1, 1, 0),
        ),
        (
            "const inner = new THREE.Object3D(); inner.add(at(0)); root.add(inner);",
            (24, 1, 2, 0),
        ),
        ("box.setDrawRange(0, 3); root.add(at(0));", (24, 1, 1, 0)),
        (
            "const leaf = at(0); leaf.add(at(0.1)); root.add(leaf);",
            (48, 2, 2, 0),
        ),
    ];
    for (statements, expected) in counted {
        let metrics = figures(&renderer, &group(statements)).await;
        let found = (
            metrics.vertices,
            metrics.draw_calls,
            metrics.max_depth,
            metrics.instances,
        );
        assert_eq!(found, expected, "{statements}");
    }
    renderer.close().await;
}

#[tokio::test]
async fn textures_count_once_in_every_slot_that_either_older_validator_counted() {
    let renderer = modules::validator(1).await;
    let slots = [
        "map",
        "normalMap",
        "roughnessMap",
        "metalnessMap",
        "aoMap",
        "emissiveMap",
        "displacementMap",
        "bumpMap",
        "alphaMap",
        "lightMap",
        "specularIntensityMap",
        "specularColorMap",
        "sheenRoughnessMap",
        "sheenColorMap",
        "transmissionMap",
        "thicknessMap",
        "clearcoatMap",
        "clearcoatNormalMap",
        "clearcoatRoughnessMap",
        "iridescenceMap",
        "iridescenceThicknessMap",
        "envMap",
        "anisotropyMap",
    ];
    let texture = "new THREE.DataTexture(new Uint8Array(16), 2, 2)";
    let mut all = "const physical = new THREE.MeshPhysicalMaterial();\n".to_owned();
    for slot in slots {
        all.push_str(&format!("physical.{slot} = {texture};\n"));
    }
    all.push_str("const mesh = at(0); mesh.material = physical; root.add(mesh);");
    let metrics = figures(&renderer, &group(&all)).await;
    assert_eq!(metrics.texture_bytes, 16 * slots.len() as u64);

    for (statements, bytes) in [
        // One texture object in two slots and two materials; then two objects over the same bytes.
        (
            format!(
                "paint.map = {texture}; paint.alphaMap = paint.map; const other = paint.clone(); root.add(at(0), new THREE.Mesh(box, other));"
            ),
            16,
        ),
        (
            "const data = new Uint8Array(16); paint.map = new THREE.DataTexture(data, 2, 2); paint.alphaMap = new THREE.DataTexture(data, 2, 2); root.add(at(0));".to_owned(),
            32,
        ),
        (
            format!("paint.specularMap = {texture}; root.add(at(0));"),
            0,
        ),
        (
            format!(
                "const unused = new THREE.MeshBasicMaterial({{ map: {texture} }}); root.add(at(0));"
            ),
            0,
        ),
        (
            format!(
                "const mesh = at(0); mesh.material = [paint, new THREE.MeshBasicMaterial({{ map: {texture} }})]; root.add(mesh);"
            ),
            16,
        ),
    ] {
        let metrics = figures(&renderer, &group(&statements)).await;
        assert_eq!(metrics.texture_bytes, bytes, "{statements}");
    }
    renderer.close().await;
}

#[tokio::test]
async fn the_box_is_the_hull_of_turned_boxes_and_nothing_at_all_is_empty() {
    let renderer = modules::validator(1).await;
    let x_range = |metrics: &Metrics| {
        let extent = metrics.bbox.unwrap();
        (extent.min.x.unwrap(), extent.max.x.unwrap())
    };
    // A ball of radius 0.3 has the box of a cube, and a cube turned by an eighth is wider by the root of two.
    let turned = group(
        "const ball = new THREE.Mesh(new THREE.SphereGeometry(0.3, 32, 16), paint); ball.rotation.y = Math.PI / 4; root.add(ball);",
    );
    let (low, high) = x_range(&figures(&renderer, &turned).await);
    let expected = 0.3 / FRAC_1_SQRT_2;
    assert!((high - expected).abs() < 1e-6 && (low + expected).abs() < 1e-6);
    // Transforms of parents, of a bare root, and of instances.
    let moved = group(
        "const inner = new THREE.Group(); inner.position.x = 0.2; inner.scale.x = 2; inner.add(at(0.05)); root.add(inner);",
    );
    let (low, high) = x_range(&figures(&renderer, &moved).await);
    assert!(
        (low - 0.2).abs() < 1e-6 && (high - 0.4).abs() < 1e-6,
        "{low} {high}"
    );
    let bare = cube("mesh.scale.setScalar(0.5); mesh.position.x = 0.1;");
    let (low, high) = x_range(&figures(&renderer, &bare).await);
    assert!(
        (low + 0.025).abs() < 1e-6 && (high - 0.225).abs() < 1e-6,
        "{low} {high}"
    );
    let instanced = group(
        "const mesh = new THREE.InstancedMesh(box, paint, 2); mesh.setMatrixAt(1, new THREE.Matrix4().makeTranslation(0.3, 0, 0)); root.add(mesh);",
    );
    let (low, high) = x_range(&figures(&renderer, &instanced).await);
    assert!(
        (low + 0.05).abs() < 1e-6 && (high - 0.35).abs() < 1e-6,
        "{low} {high}"
    );

    for empty in [
        "",
        "root.add(new THREE.Group(), new THREE.Object3D());",
        "root.add(new THREE.Mesh(new THREE.BufferGeometry(), paint));",
        "root.add(new THREE.InstancedMesh(box, paint, 0));",
    ] {
        assert_eq!(
            rules(&broken(&renderer, &group(empty)).await),
            ["EMPTY_SCENE"],
            "{empty}"
        );
    }
    for flat in [
        "root.add(new THREE.Mesh(new THREE.PlaneGeometry(0.5, 0.5), paint));",
        "const one = new THREE.BufferGeometry(); one.setAttribute('position', new THREE.Float32BufferAttribute([0.1, 0, 0], 3)); \
         root.add(new THREE.Points(one, new THREE.PointsMaterial()));",
    ] {
        figures(&renderer, &group(flat)).await;
    }
    renderer.close().await;
}

#[tokio::test]
async fn a_generator_passes_the_static_rules_and_returns_no_object() {
    let renderer = modules::validator(1).await;
    let outcome = broken(
        &renderer,
        "export default function* (THREE) { yield new THREE.Group(); }",
    )
    .await;
    assert_eq!(rules(&outcome), ["INVALID_RETURN_TYPE"]);
    renderer.close().await;
}
