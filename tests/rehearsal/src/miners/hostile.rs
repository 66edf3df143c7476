//! Modules that must be refused: one for each kind of rule, and one that never returns.

/// Which rule a broken module breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum InvalidKind {
    /// It is no JavaScript.
    Syntax,
    /// It has no default export.
    NoExport,
    /// It wants randomness.
    Randomness,
    /// It wants the network.
    Network,
    /// It uses a class that is not on the list.
    ForbiddenClass,
    /// It throws.
    Throws,
    /// It returns nothing.
    ReturnsNothing,
    /// It returns an empty group.
    Empty,
    /// It reaches out of the unit box.
    TooLarge,
    /// It has more draw calls than allowed.
    TooManyParts,
}

impl InvalidKind {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Syntax,
        Self::NoExport,
        Self::Randomness,
        Self::Network,
        Self::ForbiddenClass,
        Self::Throws,
        Self::ReturnsNothing,
        Self::Empty,
        Self::TooLarge,
        Self::TooManyParts,
    ];

    /// The code of the published rule that refuses it (render and validate, "Code catalogue").
    pub fn rule(self) -> &'static str {
        match self {
            Self::Syntax => "PARSE_ERROR",
            Self::NoExport => "MISSING_DEFAULT_EXPORT",
            Self::Randomness | Self::Network => "FORBIDDEN_IDENTIFIER",
            Self::ForbiddenClass => "FORBIDDEN_THREE_API",
            Self::Throws => "EXECUTION_THREW",
            Self::ReturnsNothing => "INVALID_RETURN_TYPE",
            Self::Empty => "EMPTY_SCENE",
            Self::TooLarge => "BOUNDING_BOX_OUT_OF_RANGE",
            Self::TooManyParts => "DRAW_CALL_LIMIT_EXCEEDED",
        }
    }

    fn body(self) -> &'static str {
        match self {
            Self::Syntax | Self::NoExport | Self::Empty => "",
            Self::Randomness => "root.add(box(Math.random() * 0.5));",
            Self::Network => "fetch('https://example.org/model.bin'); root.add(box(0.5));",
            Self::ForbiddenClass => {
                "root.add(new THREE.Mesh(new THREE.BoxGeometry(0.5, 0.5, 0.5), new THREE.ShaderMaterial()));"
            }
            Self::Throws => "throw new Error('the weights file is missing');",
            Self::ReturnsNothing => "root.add(box(0.5)); return;",
            Self::TooLarge => "root.add(box(1.5));",
            Self::TooManyParts => "for (let i = 0; i < 201; i += 1) root.add(box(0.1));",
        }
    }
}

/// A module that breaks exactly the rule of `kind`.
pub(super) fn invalid_module(kind: InvalidKind) -> String {
    let module = |head: &str| {
        format!(
            "// {kind:?}
{head}function generate(THREE) {{
  const root = new THREE.Group();
  const box = (size) => new THREE.Mesh(
    new THREE.BoxGeometry(size, size, size),
    new THREE.MeshStandardMaterial({{ color: 0x336699 }}),
  );
  {}
  return root;
}}
",
            kind.body()
        )
    };
    match kind {
        InvalidKind::Syntax => {
            "export default function generate(THREE) { return new THREE.Group(;".to_owned()
        }
        InvalidKind::NoExport => module(""),
        _ => module("export default "),
    }
}

/// A module that passes every static rule and never returns.
pub(super) fn endless_module() -> String {
    "// Waits for a better idea.
export default function generate(THREE) {
  const root = new THREE.Group();
  let angle = 0;
  while (root.children.length < 1) {
    angle += 0.001;
  }
  return root;
}
"
    .to_owned()
}
