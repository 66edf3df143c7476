// Copying what the module built into the document. Every property is read once.

const ARRAY_KINDS = Object.assign(Object.create(null), {
  Int8Array: 0, Uint8Array: 1, Uint8ClampedArray: 2, Int16Array: 3, Uint16Array: 4, Int32Array: 5, Uint32Array: 6,
  Float32Array: 7,
});
const ARRAY_CLASSES = Object.assign(Object.create(null), {
  Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array,
});
const NONE = 0xffffffff;

function numericArray(value, what) {
  const tag = typedArrayTag(value);
  const kind = tag === undefined ? undefined : ARRAY_KINDS[tag];
  if (kind === undefined) {
    throw new Refusal('EXECUTION_THREW', `${what} is held in ${tag ?? 'something that is not a typed array'}, which cannot be drawn`);
  }
  return kind;
}

const seen = { node: new Set(), geometry: new Map(), attribute: new Map(), material: new Map(), texture: new Map() };
const counts = { geometry: 0, attribute: 0, material: 0, texture: 0 };

/** Writes a reference; a thing met for the first time is described right behind its reference. */
function reference(kind, object, describe) {
  const known = mapGet(seen[kind], object);
  if (known !== undefined) {
    u32(known);
    return;
  }
  const index = counts[kind]++;
  mapSet(seen[kind], object, index);
  u32(index);
  describe(object);
}

function countOf(value) {
  const number = +value;
  return number > 0 ? floor(number) : 0;
}

function writeAttribute(attribute) {
  const itemSize = countOf(attribute.itemSize);
  const normalized = attribute.normalized === true;
  if (itemSize < 1 || itemSize > 16) {
    throw new Refusal('EXECUTION_THREW', `a buffer attribute has ${itemSize} numbers an item, which cannot be drawn`);
  }
  let array;
  if (isA(attribute, 'InterleavedBufferAttribute')) {
    const data = attribute.data;
    const source = data.array;
    const kind = numericArray(source, 'an interleaved buffer');
    const stride = countOf(data.stride);
    const offset = countOf(attribute.offset);
    const length = typedArrayLength(source);
    const count = stride < 1 ? 0 : floor(length / stride);
    array = new ARRAY_CLASSES[typedArrayTag(source)](count * itemSize);
    for (let item = 0; item < count; item++) {
      for (let component = 0; component < itemSize; component++) {
        array[item * itemSize + component] = source[item * stride + offset + component];
      }
    }
    u8(kind);
  } else {
    array = attribute.array;
    u8(numericArray(array, 'a buffer attribute'));
  }
  u8(normalized ? 1 : 0);
  u32(itemSize);
  f64(floor(typedArrayLength(array) / itemSize));
  raw(array);
}

function writeOptionalAttribute(attribute) {
  if (attribute === undefined || attribute === null) {
    u32(NONE);
  } else {
    reference('attribute', attribute, writeAttribute);
  }
}

function writeMorphs(list) {
  if (!isArray(list)) {
    u32(0);
    return;
  }
  const length = list.length;
  u32(length);
  for (let i = 0; i < length; i++) reference('attribute', list[i], writeAttribute);
}

function writeGeometry(geometry) {
  const attributes = geometry.attributes;
  for (let i = 0; i < TABLES.attributes.length; i++) writeOptionalAttribute(attributes[TABLES.attributes[i]]);
  writeOptionalAttribute(geometry.index);
  const range = geometry.drawRange;
  f64(range.start);
  f64(range.count);
  const groups = geometry.groups;
  const length = isArray(groups) ? groups.length : 0;
  u32(length);
  for (let i = 0; i < length; i++) {
    const group = groups[i];
    f64(group.start);
    f64(group.count);
    f64(group.materialIndex);
  }
  const morphs = geometry.morphAttributes ?? {};
  u8(geometry.morphTargetsRelative === true ? 1 : 0);
  writeMorphs(morphs.position);
  writeMorphs(morphs.normal);
  writeMorphs(morphs.color);
}

function writeTexture(texture) {
  f64(texture.id);
  const image = isA(texture, 'DataTexture') ? texture.image : null;
  const data = image?.data;
  if (data === null || data === undefined) {
    u8(0);
  } else {
    u8(1);
    const tag = typedArrayTag(data);
    if (tag === undefined) throw new Refusal('EXECUTION_THREW', 'a data texture holds something that is not a typed array');
    u8(ARRAY_KINDS[tag] ?? 255);
    f64(image.width);
    f64(image.height);
    raw(data);
  }
  for (let i = 0; i < TABLES.texture.length; i++) writeField(texture, TABLES.texture[i]);
  u8(texture.colorSpace === 'srgb' ? 1 : texture.colorSpace === 'srgb-linear' ? 2 : 0);
  u8(texture.version > 0 ? 1 : 0);
  if (texture.matrixAutoUpdate === true) {
    u8(1);
  } else {
    u8(0);
    for (let i = 0; i < 9; i++) f64(texture.matrix.elements[i]);
  }
}

function writeField(object, field) {
  const value = object[field.name];
  switch (field.kind) {
    case 'flag':
      u8(value ? 1 : 0);
      break;
    case 'number':
      f64(value);
      break;
    case 'color':
      f64(value?.r);
      f64(value?.g);
      f64(value?.b);
      break;
    case 'vector2':
      f64(value?.x);
      f64(value?.y);
      break;
    case 'range':
      f64(value?.[0]);
      f64(value?.[1]);
      break;
    case 'euler':
      f64(value?.x);
      f64(value?.y);
      f64(value?.z);
      break;
    case 'texture':
      if (value === null || value === undefined || !isA(value, 'Texture')) u32(NONE);
      else reference('texture', value, writeTexture);
      break;
  }
}

const MATERIAL_KINDS = ['MeshPhysicalMaterial', 'MeshStandardMaterial', 'MeshBasicMaterial', 'PointsMaterial',
  'LineDashedMaterial', 'LineBasicMaterial'];

function writeMaterial(material) {
  for (let kind = 0; kind < MATERIAL_KINDS.length; kind++) {
    const name = MATERIAL_KINDS[kind];
    if (isA(material, name)) {
      u8(kind);
      f64(material.id);
      const fields = TABLES.materials[name];
      for (let i = 0; i < fields.length; i++) writeField(material, fields[i]);
      return;
    }
  }
  throw new Refusal('EXECUTION_THREW', 'a material is none of the six classes a module may use');
}

function writeMaterials(material) {
  if (isArray(material)) {
    const length = material.length;
    u8(1);
    u32(length);
    for (let i = 0; i < length; i++) {
      const one = material[i];
      if (one === null || one === undefined) u32(NONE);
      else reference('material', one, writeMaterial);
    }
    return;
  }
  if (material === null || material === undefined) {
    throw new Refusal('EXECUTION_THREW', 'an object has no material');
  }
  u8(0);
  u32(1);
  reference('material', material, writeMaterial);
}

const NODE_KINDS = ['InstancedMesh', 'Mesh', 'LineSegments', 'Line', 'Points', 'Group', 'Object3D'];

function elements(matrix) {
  const values = matrix.elements;
  for (let i = 0; i < 16; i++) f64(values[i]);
}

function writeNode(node, depth) {
  setAdd(seen.node, node);
  let kind = 0;
  while (kind < NODE_KINDS.length && !isA(node, NODE_KINDS[kind])) kind++;
  if (kind === NODE_KINDS.length) throw new Refusal('EXECUTION_THREW', 'a child is not a Three.js object');
  u8(kind);
  f64(node.id);
  u8(node.visible === false ? 0 : 1);
  u32(node.layers.mask >>> 0);
  f64(node.renderOrder);
  if (node.matrixAutoUpdate) {
    u8(1);
    const { position, quaternion, scale, pivot } = node;
    f64(position.x);
    f64(position.y);
    f64(position.z);
    f64(quaternion.x);
    f64(quaternion.y);
    f64(quaternion.z);
    f64(quaternion.w);
    f64(scale.x);
    f64(scale.y);
    f64(scale.z);
    if (pivot === null || pivot === undefined) {
      u8(0);
    } else {
      u8(1);
      f64(pivot.x);
      f64(pivot.y);
      f64(pivot.z);
    }
  } else {
    u8(0);
    elements(node.matrix);
  }
  if (node.matrixWorldAutoUpdate === true) {
    u8(1);
  } else {
    u8(0);
    elements(node.matrixWorld);
  }
  if (kind < 5) {
    const geometry = node.geometry;
    if (!isA(geometry, 'BufferGeometry')) throw new Refusal('EXECUTION_THREW', 'an object has no geometry');
    reference('geometry', geometry, writeGeometry);
    writeMaterials(node.material);
    const influences = node.morphTargetInfluences;
    const length = isArray(influences) ? influences.length : 0;
    u32(length);
    for (let i = 0; i < length; i++) f64(influences[i]);
    if (kind === 0) {
      const matrices = node.instanceMatrix;
      if (matrices === null || matrices === undefined) throw new Refusal('EXECUTION_THREW', 'an instanced mesh has no matrices');
      f64(node.count);
      writeOptionalAttribute(matrices);
      writeOptionalAttribute(node.instanceColor);
    }
  }
  const children = node.children;
  const length = children.length >>> 0;
  u32(length);
  for (let i = 0; i < length; i++) {
    const child = children[i];
    if (child === null || typeof child !== 'object') {
      throw new Refusal('EXECUTION_THREW', 'a child is not a Three.js object');
    }
    if (setHas(seen.node, child)) {
      u8(2);
    } else if (depth + 1 > TABLES.deepestNode) {
      u8(3);
    } else {
      u8(1);
      writeNode(child, depth + 1);
    }
  }
}
