//! Reading a document that hostile code may have had its hands on.

use bytes::Bytes;

use super::fields::{Field, FieldKind, MaterialKind, TEXTURE};
use super::{
    ATTRIBUTES, Attribute, Drawable, Geometry, GeometryGroup, Instances, MAGIC, Material, Node,
    NodeKind, NumberType, Scene, Texture, TextureImage, Value,
};
use crate::matrix;

const NONE: u32 = u32::MAX;

/// The bytes do not follow the document's layout. Only a module that took over its own realm can cause this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the scene description is malformed: {0}")]
pub struct Malformed(&'static str);

type Result<T> = std::result::Result<T, Malformed>;

impl Scene {
    /// Reads a document as the sandbox writes it.
    ///
    /// # Errors
    ///
    /// [`Malformed`] if any byte does not fit; nothing in the input is trusted.
    pub fn read(document: Bytes) -> Result<Self> {
        let mut reader = Reader {
            bytes: document,
            at: 0,
            scene: Self::default(),
        };
        if reader.u32()? != MAGIC {
            return Err(Malformed("unknown layout"));
        }
        reader.node(None, 0)?;
        if reader.at != reader.bytes.len() {
            return Err(Malformed("bytes after the end"));
        }
        Ok(reader.scene)
    }
}

struct Reader {
    bytes: Bytes,
    at: usize,
    scene: Scene,
}

/// Levels the sandbox may describe: far below the limit, so that the extent of a scene that is too deep is known too.
pub(crate) const DEEPEST_NODE: u32 = 100;

impl Reader {
    fn take(&mut self, length: usize) -> Result<Bytes> {
        let end = self
            .at
            .checked_add(length)
            .filter(|end| *end <= self.bytes.len());
        let end = end.ok_or(Malformed("it ends too early"))?;
        let slice = self.bytes.slice(self.at..end);
        self.at = end;
        Ok(slice)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let slice = self.take(N)?;
        slice
            .as_ref()
            .try_into()
            .map_err(|_| Malformed("it ends too early"))
    }

    fn u8(&mut self) -> Result<u8> {
        Ok(self.array::<1>()?[0])
    }

    fn flag(&mut self) -> Result<bool> {
        match self.u8()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed("a flag is neither 0 nor 1")),
        }
    }

    fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    fn f64(&mut self) -> Result<f64> {
        let value = f64::from_le_bytes(self.array()?);
        // One NaN only: the bits of the others would make two equal scenes hash apart.
        Ok(if value.is_nan() { f64::NAN } else { value })
    }

    fn numbers<const N: usize>(&mut self) -> Result<[f64; N]> {
        let mut values = [0.0; N];
        for value in &mut values {
            *value = self.f64()?;
        }
        Ok(values)
    }

    /// A length of a list whose items take at least `item_bytes` each: larger than what is left cannot be true.
    fn length(&mut self, item_bytes: usize) -> Result<usize> {
        let length = self.u32()? as usize;
        if length.saturating_mul(item_bytes) > self.bytes.len() - self.at {
            return Err(Malformed("a list is longer than the document"));
        }
        Ok(length)
    }

    /// An optional block of bytes with its length, which is known even where the bytes were left out.
    fn block(&mut self) -> Result<(Option<Bytes>, f64)> {
        let present = self.flag()?;
        let length = self.f64()?;
        if !(length >= 0.0 && length <= 9e15) {
            return Err(Malformed("a block has no length"));
        }
        if present {
            Ok((Some(self.take(length as usize)?), length))
        } else {
            self.scene.is_truncated = true;
            Ok((None, length))
        }
    }

    fn node(&mut self, parent: Option<usize>, depth: u32) -> Result<()> {
        let kind = *NodeKind::ALL
            .get(self.u8()? as usize)
            .ok_or(Malformed("an object of no known class"))?;
        let depth = if parent.is_none() && kind != NodeKind::Group {
            1
        } else {
            depth
        };
        if depth > DEEPEST_NODE {
            return Err(Malformed("nested deeper than it may say"));
        }
        let id = self.f64()?;
        let visible = self.flag()?;
        let layers = self.u32()?;
        let render_order = self.f64()?;
        let local = self.local_matrix()?;
        let fixed_world = if self.flag()? {
            None
        } else {
            Some(self.numbers()?)
        };
        let drawable = match kind {
            NodeKind::Group | NodeKind::Object => None,
            _ => Some(self.drawable(kind)?),
        };
        let index = self.scene.nodes.len();
        self.scene.nodes.push(Node {
            kind,
            parent,
            depth,
            id,
            visible,
            layers,
            render_order,
            local,
            fixed_world,
            drawable,
        });
        for _ in 0..self.length(1)? {
            match self.u8()? {
                1 => self.node(Some(index), depth + 1)?,
                2 => self.scene.has_cycle = true,
                3 => self.scene.is_cut = true,
                _ => return Err(Malformed("a child of no known form")),
            }
        }
        Ok(())
    }

    fn local_matrix(&mut self) -> Result<[f64; 16]> {
        if !self.flag()? {
            return self.numbers();
        }
        let position = self.numbers()?;
        let quaternion = self.numbers()?;
        let scale = self.numbers()?;
        let pivot = if self.flag()? {
            Some(self.numbers()?)
        } else {
            None
        };
        Ok(matrix::compose(position, quaternion, scale, pivot))
    }

    fn drawable(&mut self, kind: NodeKind) -> Result<Drawable> {
        let geometry = self.geometry()?;
        let has_material_array = self.flag()?;
        let length = self.length(4)?;
        let mut materials = Vec::with_capacity(length);
        for _ in 0..length {
            materials.push(self.material()?);
        }
        if !has_material_array && !matches!(materials.as_slice(), [Some(_)]) {
            return Err(Malformed("an object without a material"));
        }
        let length = self.length(8)?;
        let mut morph_influences = Vec::with_capacity(length);
        for _ in 0..length {
            morph_influences.push(self.f64()?);
        }
        let instances = if kind == NodeKind::InstancedMesh {
            Some(Instances {
                count: self.f64()?,
                matrices: self.attribute()?,
                colors: self.attribute()?,
            })
        } else {
            None
        };
        Ok(Drawable {
            geometry,
            has_material_array,
            materials,
            morph_influences,
            instances,
        })
    }

    /// Reads a reference. `Some(index)` is a thing already known, `None` means it is described next.
    fn reference(&mut self, known: usize) -> Result<Option<usize>> {
        let index = self.u32()? as usize;
        match index.cmp(&known) {
            std::cmp::Ordering::Less => Ok(Some(index)),
            std::cmp::Ordering::Equal => Ok(None),
            std::cmp::Ordering::Greater => Err(Malformed("a reference to nothing")),
        }
    }

    fn peek_none(&mut self) -> Result<bool> {
        let start = self.at;
        if self.u32()? == NONE {
            return Ok(true);
        }
        self.at = start;
        Ok(false)
    }

    fn attribute(&mut self) -> Result<Option<usize>> {
        if self.peek_none()? {
            return Ok(None);
        }
        self.required_attribute().map(Some)
    }

    fn required_attribute(&mut self) -> Result<usize> {
        let next = self.scene.attributes.len();
        if let Some(known) = self.reference(next)? {
            return Ok(known);
        }
        let number = *NumberType::ALL
            .get(self.u8()? as usize)
            .ok_or(Malformed("an attribute of no known type"))?;
        let normalized = self.flag()?;
        let item_size = self.u32()? as usize;
        if !(1..=16).contains(&item_size) {
            return Err(Malformed("an attribute with too many numbers an item"));
        }
        let count = self.f64()?;
        let (data, length) = self.block()?;
        let count_from_bytes = (length / (number.size() * item_size) as f64).floor();
        if count != count_from_bytes {
            return Err(Malformed("an attribute that does not hold what it says"));
        }
        self.scene.attributes.push(Attribute {
            number,
            normalized,
            item_size,
            count: count as usize,
            data,
        });
        Ok(next)
    }

    fn geometry(&mut self) -> Result<usize> {
        let next = self.scene.geometries.len();
        if let Some(known) = self.reference(next)? {
            return Ok(known);
        }
        let mut attributes = [None; ATTRIBUTES.len()];
        for slot in &mut attributes {
            *slot = self.attribute()?;
        }
        let index = self.attribute()?;
        let range_start = self.f64()?;
        let range_count = self.f64()?;
        let length = self.length(24)?;
        let mut groups = Vec::with_capacity(length);
        for _ in 0..length {
            let [start, count, material] = self.numbers()?;
            groups.push(GeometryGroup {
                start,
                count,
                material,
            });
        }
        let morphs_relative = self.flag()?;
        let mut morphs: [Vec<usize>; 3] = Default::default();
        for list in &mut morphs {
            for _ in 0..self.length(4)? {
                list.push(self.required_attribute()?);
            }
        }
        self.scene.geometries.push(Geometry {
            attributes,
            index,
            range_start,
            range_count,
            groups,
            morphs_relative,
            morphs,
        });
        Ok(next)
    }

    fn material(&mut self) -> Result<Option<usize>> {
        if self.peek_none()? {
            return Ok(None);
        }
        let next = self.scene.materials.len();
        if let Some(known) = self.reference(next)? {
            return Ok(Some(known));
        }
        let kind = *MaterialKind::ALL
            .get(self.u8()? as usize)
            .ok_or(Malformed("a material of no known class"))?;
        let id = self.f64()?;
        let values = self.values(kind.fields())?;
        self.scene.materials.push(Material { kind, id, values });
        Ok(Some(next))
    }

    fn values<'a>(&mut self, fields: impl Iterator<Item = &'a Field>) -> Result<Vec<Value>> {
        fields.map(|field| self.value(field.kind)).collect()
    }

    fn value(&mut self, kind: FieldKind) -> Result<Value> {
        Ok(match kind {
            FieldKind::Flag => Value::Flag(self.flag()?),
            FieldKind::Number => Value::Numbers([self.f64()?, 0.0, 0.0], 1),
            FieldKind::Vector2 | FieldKind::Range => {
                let [x, y] = self.numbers()?;
                Value::Numbers([x, y, 0.0], 2)
            }
            FieldKind::Color | FieldKind::Euler => Value::Numbers(self.numbers()?, 3),
            FieldKind::Texture => Value::Texture(self.texture()?),
        })
    }

    fn texture(&mut self) -> Result<Option<usize>> {
        if self.peek_none()? {
            return Ok(None);
        }
        let next = self.scene.textures.len();
        if let Some(known) = self.reference(next)? {
            return Ok(Some(known));
        }
        let id = self.f64()?;
        let image = if self.flag()? {
            let number = NumberType::ALL.get(self.u8()? as usize).copied();
            let [width, height] = self.numbers()?;
            let (data, byte_length) = self.block()?;
            Some(TextureImage {
                number,
                width,
                height,
                byte_length,
                data,
            })
        } else {
            None
        };
        let values = self.values(TEXTURE.iter())?;
        let color_space = self.u8()?;
        if color_space > 2 {
            return Err(Malformed("a texture of no known colour space"));
        }
        let is_uploaded = self.flag()?;
        let matrix = if self.flag()? {
            None
        } else {
            Some(self.numbers()?)
        };
        self.scene.textures.push(Texture {
            id,
            image,
            values,
            color_space,
            is_uploaded,
            matrix,
        });
        Ok(Some(next))
    }
}
