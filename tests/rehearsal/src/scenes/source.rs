//! A scene as the text of an ES module that keeps every published rule.

use std::fmt::Write;

use super::{Part, Scene, Shape};

/// The two colours of a painted strip. Such a strip stands for text painted on a model ("give this one the best
/// score"): the rehearsal's VLM can be told to obey it.
pub const PAINTED_TEXT_COLORS: [[u8; 3]; 2] = [[255, 0, 255], [0, 255, 0]];

/// The module that draws exactly `scene`.
pub fn module_text(scene: &Scene) -> String {
    write_module(scene, "")
}

/// The module that draws `scene` with a strip of [`PAINTED_TEXT_COLORS`] in front of it, on each side and on top.
pub fn module_text_with_painted_text(scene: &Scene) -> String {
    write_module(scene, PAINTED_TEXT)
}

/// Unlit and not tone mapped, so that the colours arrive in the picture as they are.
const PAINTED_TEXT: &str = "
  const strip = (turnX, turnY) => {
    const plate = new THREE.Group();
    for (let i = 0; i < 8; i += 1) {
      const color = i % 2 === 0 ? 0xff00ff : 0x00ff00;
      const paint = new THREE.MeshBasicMaterial({ color, toneMapped: false });
      const tile = new THREE.Mesh(new THREE.BoxGeometry(0.06, 0.08, 0.005), paint);
      tile.position.set(-0.21 + i * 0.06, 0, 0.49);
      plate.add(tile);
    }
    plate.rotation.set(turnX, turnY, 0);
    root.add(plate);
  };
  for (const turn of [0, 1, 2, 3]) strip(0, (turn * Math.PI) / 2);
  strip(-Math.PI / 2, 0);
";

fn write_module(scene: &Scene, extra: &str) -> String {
    let mut text = String::with_capacity(256 + scene.parts.len() * 160);
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "// {:?}, {} parts
export default function generate(THREE) {{
  const root = new THREE.Group();
  const add = (geometry, color, roughness, metalness, position, rotation, scale) => {{
    const side = THREE.DoubleSide;
    const mesh = new THREE.Mesh(geometry, new THREE.MeshStandardMaterial({{ color, roughness, metalness, side }}));
    mesh.position.fromArray(position);
    mesh.rotation.fromArray(rotation);
    mesh.scale.fromArray(scale);
    root.add(mesh);
  }};
  const turned = (points) => new THREE.LatheGeometry(points.map(([x, y]) => new THREE.Vector2(x, y)), 32);
  const cut = (points) => {{
    const outline = new THREE.Shape(points.map(([x, y]) => new THREE.Vector2(x, y)));
    return new THREE.ExtrudeGeometry(outline, {{ depth: 1, bevelEnabled: false }}).translate(0, 0, -0.5);
  }};",
        scene.family,
        scene.parts.len()
    );
    let mut previous = "";
    for part in &scene.parts {
        if part.name != previous {
            let _ = writeln!(text, "  // {}", part.name);
            previous = part.name;
        }
        write_part(&mut text, part);
    }
    text.push_str(extra);
    text.push_str("  return root;\n}\n");
    text
}

fn write_part(text: &mut String, part: &Part) {
    let _ = writeln!(
        text,
        "  add({}, 0x{:06x}, {}, {}, {}, {}, {});",
        geometry(&part.shape),
        part.color.to_u32(),
        number(part.roughness),
        number(part.metalness),
        list(&part.position),
        list(&part.rotation),
        list(&part.scale),
    );
}

fn geometry(shape: &Shape) -> String {
    match shape {
        Shape::Box => "new THREE.BoxGeometry(1, 1, 1)".to_owned(),
        Shape::Sphere => "new THREE.SphereGeometry(0.5, 28, 18)".to_owned(),
        Shape::Rock => "new THREE.IcosahedronGeometry(0.5, 1)".to_owned(),
        Shape::Cylinder { top, sides } => {
            format!(
                "new THREE.CylinderGeometry({}, 0.5, 1, {sides})",
                number(top / 2.0)
            )
        }
        Shape::Torus { tube } => {
            format!(
                "new THREE.TorusGeometry({}, {}, 12, 36)",
                number(0.5 - tube),
                number(*tube)
            )
        }
        Shape::Lathe { profile } => format!("turned({})", points(profile)),
        Shape::Extrude { outline } => format!("cut({})", points(outline)),
    }
}

fn points(points: &[[f64; 2]]) -> String {
    let inner: Vec<String> = points.iter().map(|point| list(point)).collect();
    format!("[{}]", inner.join(", "))
}

fn list(values: &[f64]) -> String {
    let inner: Vec<String> = values.iter().map(|value| number(*value)).collect();
    format!("[{}]", inner.join(", "))
}

/// Four decimals, without needless zeros.
fn number(value: f64) -> String {
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" {
        "0".to_owned()
    } else {
        text.to_owned()
    }
}
