//! The properties of materials and textures that reach the picture, as one table.
//!
//! The sandbox reads them, the reader checks them and the drawing page sets them, all from this table, in this order.

use serde::Serialize;

/// How a property is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldKind {
    /// Truthy or not.
    Flag,
    /// One number.
    Number,
    /// Red, green, blue as stored (linear).
    Color,
    /// Two numbers.
    Vector2,
    /// Two numbers in an array.
    Range,
    /// Three angles.
    Euler,
    /// A texture or none.
    Texture,
}

/// One property.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Field {
    /// The property's name in Three.js.
    pub name: &'static str,
    /// How it is carried.
    pub kind: FieldKind,
}

macro_rules! fields {
    ($($kind:ident $name:literal),* $(,)?) => {
        &[$(Field { name: $name, kind: FieldKind::$kind }),*]
    };
}

const COMMON: &[Field] = fields![
    Number "blending", Number "side", Flag "vertexColors", Number "opacity", Flag "transparent", Flag "alphaHash",
    Number "blendSrc", Number "blendDst", Number "blendEquation", Number "blendSrcAlpha", Number "blendDstAlpha",
    Number "blendEquationAlpha", Color "blendColor", Number "blendAlpha", Number "depthFunc", Flag "depthTest",
    Flag "depthWrite", Flag "colorWrite", Flag "polygonOffset", Number "polygonOffsetFactor",
    Number "polygonOffsetUnits", Flag "dithering", Flag "alphaToCoverage", Flag "premultipliedAlpha",
    Flag "forceSinglePass", Flag "visible", Flag "toneMapped", Number "alphaTest",
];

const STANDARD: &[Field] = fields![
    Color "color", Number "roughness", Number "metalness", Texture "map", Texture "lightMap",
    Number "lightMapIntensity", Texture "aoMap", Number "aoMapIntensity", Color "emissive",
    Number "emissiveIntensity", Texture "emissiveMap", Texture "bumpMap", Number "bumpScale", Texture "normalMap",
    Number "normalMapType", Vector2 "normalScale", Texture "displacementMap", Number "displacementScale",
    Number "displacementBias", Texture "roughnessMap", Texture "metalnessMap", Texture "alphaMap", Texture "envMap",
    Euler "envMapRotation", Number "envMapIntensity", Flag "wireframe", Number "wireframeLinewidth",
    Flag "flatShading",
];

const PHYSICAL: &[Field] = fields![
    Number "anisotropy", Number "anisotropyRotation", Texture "anisotropyMap", Number "clearcoat",
    Texture "clearcoatMap", Number "clearcoatRoughness", Texture "clearcoatRoughnessMap",
    Vector2 "clearcoatNormalScale", Texture "clearcoatNormalMap", Number "dispersion", Number "ior",
    Number "iridescence", Texture "iridescenceMap", Number "iridescenceIOR", Range "iridescenceThicknessRange",
    Texture "iridescenceThicknessMap", Number "sheen", Color "sheenColor", Texture "sheenColorMap",
    Number "sheenRoughness", Texture "sheenRoughnessMap", Number "transmission", Texture "transmissionMap",
    Number "thickness", Texture "thicknessMap", Number "attenuationDistance", Color "attenuationColor",
    Number "specularIntensity", Texture "specularIntensityMap", Color "specularColor", Texture "specularColorMap",
];

const BASIC: &[Field] = fields![
    Color "color", Texture "map", Texture "lightMap", Number "lightMapIntensity", Texture "aoMap",
    Number "aoMapIntensity", Texture "specularMap", Texture "alphaMap", Texture "envMap", Euler "envMapRotation",
    Number "combine", Number "reflectivity", Number "refractionRatio", Flag "wireframe",
    Number "wireframeLinewidth",
];

const POINTS: &[Field] = fields![
    Color "color", Texture "map", Texture "alphaMap", Number "size", Flag "sizeAttenuation",
];

const LINE: &[Field] = fields![Color "color", Texture "map", Number "linewidth"];

const DASHED: &[Field] = fields![Number "scale", Number "dashSize", Number "gapSize"];

/// The properties of a texture besides its pixels, colour space and matrix.
pub const TEXTURE: &[Field] = fields![
    Number "format", Number "type", Number "mapping", Number "wrapS", Number "wrapT", Number "magFilter",
    Number "minFilter", Number "anisotropy", Number "channel", Vector2 "offset", Vector2 "repeat", Vector2 "center",
    Number "rotation", Flag "generateMipmaps", Flag "premultiplyAlpha", Flag "flipY", Number "unpackAlignment",
];

/// The vertex attributes that reach the picture, in the order they are carried. `position` is the first.
pub const ATTRIBUTES: [&str; 9] = [
    "position",
    "normal",
    "tangent",
    "uv",
    "uv1",
    "uv2",
    "uv3",
    "color",
    "lineDistance",
];

/// Properties whose texture does not count against the texture budget: counted by neither reference validator.
const UNCOUNTED_SLOTS: [&str; 1] = ["specularMap"];

/// Whether the texture in `slot` counts against the texture budget. The union of both reference validators' lists.
pub fn slot_is_counted(slot: &str) -> bool {
    !UNCOUNTED_SLOTS.contains(&slot)
}

/// The six materials a module may use, in the order the sandbox tests for them (most derived first).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MaterialKind {
    /// `MeshPhysicalMaterial`
    Physical,
    /// `MeshStandardMaterial`
    Standard,
    /// `MeshBasicMaterial`
    Basic,
    /// `PointsMaterial`
    Points,
    /// `LineDashedMaterial`
    LineDashed,
    /// `LineBasicMaterial`
    LineBasic,
}

impl MaterialKind {
    /// All kinds, by their number in the document.
    pub const ALL: [Self; 6] = [
        Self::Physical,
        Self::Standard,
        Self::Basic,
        Self::Points,
        Self::LineDashed,
        Self::LineBasic,
    ];

    /// The class name in Three.js.
    pub const fn class(self) -> &'static str {
        match self {
            Self::Physical => "MeshPhysicalMaterial",
            Self::Standard => "MeshStandardMaterial",
            Self::Basic => "MeshBasicMaterial",
            Self::Points => "PointsMaterial",
            Self::LineDashed => "LineDashedMaterial",
            Self::LineBasic => "LineBasicMaterial",
        }
    }

    /// The properties carried, in order.
    pub fn fields(self) -> impl Iterator<Item = &'static Field> {
        let (own, derived): (&[Field], &[Field]) = match self {
            Self::Physical => (STANDARD, PHYSICAL),
            Self::Standard => (STANDARD, &[]),
            Self::Basic => (BASIC, &[]),
            Self::Points => (POINTS, &[]),
            Self::LineDashed => (LINE, DASHED),
            Self::LineBasic => (LINE, &[]),
        };
        COMMON.iter().chain(own).chain(derived)
    }
}
