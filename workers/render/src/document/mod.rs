//! The scene document: what a module built, as plain data.
//!
//! A module runs once, in a realm that dies afterwards, and everything that can reach a picture is copied out of it:
//! hierarchy, matrices, vertex attributes, indices, groups, draw ranges, instances, the six materials, data textures.
//! From then on only this document is measured and drawn, so what is measured is what is drawn. Callbacks, accessors,
//! user data, preset bounding boxes and flags a module painted on its objects stay behind.
//!
//! The bytes come from a realm in which hostile code ran. [`Scene::read`] therefore trusts nothing in them.

pub mod canonical;
pub mod fields;
pub mod look;
mod read;

pub use fields::{ATTRIBUTES, MaterialKind};
pub(crate) use read::DEEPEST_NODE;
pub use read::Malformed;

use bytes::Bytes;

/// First word of a document: changes with its layout.
pub const MAGIC: u32 = 0x4153_5a31;

/// The most bytes of attributes, indices, textures and nodes a document may hold. Reaching it is a failure of the
/// module (`SCENE_DATA_EXCEEDED`); the largest scene inside the other limits that real modules approach has 12 MB.
pub const MAX_DOCUMENT_BYTES: usize = 48 * 1024 * 1024;

/// A whole scene.
#[derive(Debug, Clone, Default)]
pub struct Scene {
    /// Nodes in depth-first order, root first; a node's parent always stands before it.
    pub nodes: Vec<Node>,
    /// Geometries in the order they were met.
    pub geometries: Vec<Geometry>,
    /// Attributes in the order they were met.
    pub attributes: Vec<Attribute>,
    /// Materials in the order they were met.
    pub materials: Vec<Material>,
    /// Textures in the order they were met.
    pub textures: Vec<Texture>,
    /// A node was met twice.
    pub has_cycle: bool,
    /// Nodes below the deepest level that is described were left out.
    pub is_cut: bool,
    /// Some bytes were left out because the document had grown past [`MAX_DOCUMENT_BYTES`].
    pub is_truncated: bool,
}

/// The classes of objects a scene is made of, by their number in the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NodeKind {
    /// `InstancedMesh`
    InstancedMesh,
    /// `Mesh`
    Mesh,
    /// `LineSegments`
    LineSegments,
    /// `Line`
    Line,
    /// `Points`
    Points,
    /// `Group`
    Group,
    /// `Object3D`
    Object,
}

impl NodeKind {
    /// All kinds, by their number in the document.
    pub const ALL: [Self; 7] = [
        Self::InstancedMesh,
        Self::Mesh,
        Self::LineSegments,
        Self::Line,
        Self::Points,
        Self::Group,
        Self::Object,
    ];

    /// Whether triangles are drawn for it.
    pub const fn is_mesh(self) -> bool {
        matches!(self, Self::InstancedMesh | Self::Mesh)
    }
}

/// One object of the hierarchy.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its class.
    pub kind: NodeKind,
    /// Index of its parent; `None` for the root.
    pub parent: Option<usize>,
    /// Levels below the root group; a root that is not a group has depth 1.
    pub depth: u32,
    /// Creation number in the module's realm: decides the drawing order of ties.
    pub id: f64,
    /// Drawn at all, with everything below it.
    pub visible: bool,
    /// Layer bits; only layer 0 is drawn.
    pub layers: u32,
    /// `renderOrder`
    pub render_order: f64,
    /// Local transform, column-major.
    pub local: [f64; 16],
    /// World transform fixed by the module instead of derived from the parent's.
    pub fixed_world: Option<[f64; 16]>,
    /// What it draws.
    pub drawable: Option<Drawable>,
}

/// Geometry and materials of a drawn node.
#[derive(Debug, Clone)]
pub struct Drawable {
    /// Index into [`Scene::geometries`].
    pub geometry: usize,
    /// Whether the materials were given as an array: then only geometry groups are drawn.
    pub has_material_array: bool,
    /// Indices into [`Scene::materials`]; `None` where the array had a hole.
    pub materials: Vec<Option<usize>>,
    /// `morphTargetInfluences`
    pub morph_influences: Vec<f64>,
    /// Instances, for an `InstancedMesh`.
    pub instances: Option<Instances>,
}

/// The instances of an `InstancedMesh`.
#[derive(Debug, Clone)]
pub struct Instances {
    /// How many are drawn, as the module set it.
    pub count: f64,
    /// One matrix an instance.
    pub matrices: Option<usize>,
    /// One colour an instance.
    pub colors: Option<usize>,
}

/// Vertex data.
#[derive(Debug, Clone)]
pub struct Geometry {
    /// Indices into [`Scene::attributes`], in the order of [`ATTRIBUTES`].
    pub attributes: [Option<usize>; ATTRIBUTES.len()],
    /// Index into [`Scene::attributes`] of the vertex index.
    pub index: Option<usize>,
    /// First vertex or index drawn.
    pub range_start: f64,
    /// How many are drawn; infinite for all.
    pub range_count: f64,
    /// Parts with a material each.
    pub groups: Vec<GeometryGroup>,
    /// Morph targets are offsets.
    pub morphs_relative: bool,
    /// Morph targets of positions, normals and colours.
    pub morphs: [Vec<usize>; 3],
}

impl Geometry {
    /// The position attribute.
    pub fn position(&self) -> Option<usize> {
        self.attributes[0]
    }
}

/// A part of a geometry.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GeometryGroup {
    /// First vertex or index.
    pub start: f64,
    /// How many.
    pub count: f64,
    /// Index into the object's material array.
    pub material: f64,
}

/// Number types of attributes and texture data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the types")]
pub enum NumberType {
    Int8,
    Uint8,
    Uint8Clamped,
    Int16,
    Uint16,
    Int32,
    Uint32,
    Float32,
}

impl NumberType {
    /// All types, by their number in the document.
    pub const ALL: [Self; 8] = [
        Self::Int8,
        Self::Uint8,
        Self::Uint8Clamped,
        Self::Int16,
        Self::Uint16,
        Self::Int32,
        Self::Uint32,
        Self::Float32,
    ];

    /// Bytes of one number.
    pub const fn size(self) -> usize {
        match self {
            Self::Int8 | Self::Uint8 | Self::Uint8Clamped => 1,
            Self::Int16 | Self::Uint16 => 2,
            Self::Int32 | Self::Uint32 | Self::Float32 => 4,
        }
    }
}

/// A list of items of a few numbers each.
#[derive(Debug, Clone)]
pub struct Attribute {
    /// Type of a number.
    pub number: NumberType,
    /// Integers stand for fractions of their type's range.
    pub normalized: bool,
    /// Numbers an item.
    pub item_size: usize,
    /// Whole items held.
    pub count: usize,
    /// The numbers, little-endian; `None` where the document was truncated.
    pub data: Option<Bytes>,
}

impl Attribute {
    /// One number of an item as Three.js reads it. Numbers an item does not have are 0, as the graphics card reads
    /// them; items that are not there are NaN.
    pub fn get(&self, item: usize, component: usize) -> f64 {
        if component >= self.item_size {
            return 0.0;
        }
        let Some(data) = &self.data else {
            return f64::NAN;
        };
        let size = self.number.size();
        let start = (item * self.item_size + component) * size;
        let Some(bytes) = data.get(start..start + size) else {
            return f64::NAN;
        };
        let value = match (self.number, bytes) {
            (NumberType::Int8, &[a]) => f64::from(a as i8),
            (NumberType::Uint8 | NumberType::Uint8Clamped, &[a]) => f64::from(a),
            (NumberType::Int16, &[a, b]) => f64::from(i16::from_le_bytes([a, b])),
            (NumberType::Uint16, &[a, b]) => f64::from(u16::from_le_bytes([a, b])),
            (NumberType::Int32, &[a, b, c, d]) => f64::from(i32::from_le_bytes([a, b, c, d])),
            (NumberType::Uint32, &[a, b, c, d]) => f64::from(u32::from_le_bytes([a, b, c, d])),
            (NumberType::Float32, &[a, b, c, d]) => f64::from(f32::from_le_bytes([a, b, c, d])),
            _ => f64::NAN,
        };
        if !self.normalized {
            return value;
        }
        match self.number {
            NumberType::Int8 => (value / 127.0).max(-1.0),
            NumberType::Uint8 | NumberType::Uint8Clamped => value / 255.0,
            NumberType::Int16 => (value / 32767.0).max(-1.0),
            NumberType::Uint16 => value / 65535.0,
            NumberType::Int32 => (value / 2_147_483_647.0).max(-1.0),
            NumberType::Uint32 => value / 4_294_967_295.0,
            NumberType::Float32 => value,
        }
    }
}

/// A value of a material or texture property.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// Truthy or not.
    Flag(bool),
    /// One to three numbers; unused ones are 0.
    Numbers([f64; 3], u8),
    /// Index into [`Scene::textures`], or none.
    Texture(Option<usize>),
}

/// A material: its kind and the values of [`MaterialKind::fields`].
#[derive(Debug, Clone)]
pub struct Material {
    /// Its class.
    pub kind: MaterialKind,
    /// Creation number in the module's realm: decides the drawing order of ties.
    pub id: f64,
    /// One value a field, in the order of the fields.
    pub values: Vec<Value>,
}

impl Material {
    /// The first number of the property `name`, if the material has it.
    pub fn number(&self, name: &str) -> Option<f64> {
        match self.value(name)? {
            Value::Numbers([first, ..], _) => Some(first),
            Value::Flag(flag) => Some(f64::from(u8::from(flag))),
            Value::Texture(_) => None,
        }
    }

    /// Whether the flag `name` is set.
    pub fn flag(&self, name: &str) -> bool {
        matches!(self.value(name), Some(Value::Flag(true)))
    }

    /// The properties that hold a texture, with its index.
    pub fn textures(&self) -> impl Iterator<Item = (&'static str, usize)> + '_ {
        self.kind
            .fields()
            .zip(&self.values)
            .filter_map(|(field, value)| match value {
                Value::Texture(Some(index)) => Some((field.name, *index)),
                _ => None,
            })
    }

    fn value(&self, name: &str) -> Option<Value> {
        self.kind
            .fields()
            .zip(&self.values)
            .find(|(field, _)| field.name == name)
            .map(|(_, value)| *value)
    }
}

/// A texture.
#[derive(Debug, Clone)]
pub struct Texture {
    /// Creation number in the module's realm.
    pub id: f64,
    /// Its pixels, if it has any.
    pub image: Option<TextureImage>,
    /// One value for each of [`fields::TEXTURE`].
    pub values: Vec<Value>,
    /// 1 for sRGB, 2 for linear sRGB, 0 for none.
    pub color_space: u8,
    /// `needsUpdate` was set: without it nothing is uploaded and the texture is black.
    pub is_uploaded: bool,
    /// The matrix set by hand, where the module turned off `matrixAutoUpdate`.
    pub matrix: Option<[f64; 9]>,
}

/// The pixels of a data texture.
#[derive(Debug, Clone)]
pub struct TextureImage {
    /// Type of a number; `None` for types that cannot be uploaded.
    pub number: Option<NumberType>,
    /// Pixels across, as the module said.
    pub width: f64,
    /// Pixels down, as the module said.
    pub height: f64,
    /// Bytes held.
    pub byte_length: f64,
    /// The bytes; `None` where the document was truncated.
    pub data: Option<Bytes>,
}
