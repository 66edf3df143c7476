// The throwaway realm: one module runs here, once, and is then copied out as plain data.
//
// This file is the body of a dedicated worker that serves exactly one module and is then terminated. Everything it
// needs after the module has run is captured before the module is loaded, and nothing that is trapped is ever given
// back: callbacks a module leaves behind run in a realm that is already dying. The worker's only output is one message,
// either a verdict or a scene document. The document is checked again, byte by byte, by the process that receives it,
// so a module that took over this realm could at most describe a scene, which is what a module is for.
import * as core from '__CORE_URL__';

const TABLES = __TABLES__;

const realm = globalThis;
const { apply, getPrototypeOf, ownKeys, defineProperty, deleteProperty } = Reflect;
const uncurry = (method) => (self, a, b) => apply(method, self, [a, b]);
const isPrototypeOf = uncurry(Object.prototype.isPrototypeOf);
const isArray = Array.isArray;
const TypedArray = getPrototypeOf(Uint8Array);
const getter = (object, key) => {
  const get = Object.getOwnPropertyDescriptor(object, key).get;
  return (self) => apply(get, self, []);
};
const typedArrayTag = getter(TypedArray.prototype, Symbol.toStringTag);
const typedArrayLength = getter(TypedArray.prototype, 'length');
const typedArrayBuffer = getter(TypedArray.prototype, 'buffer');
const typedArrayByteOffset = getter(TypedArray.prototype, 'byteOffset');
const typedArrayByteLength = getter(TypedArray.prototype, 'byteLength');
const typedArraySet = uncurry(TypedArray.prototype.set);
const dataViewSetFloat64 = DataView.prototype.setFloat64;
const dataViewSetUint32 = DataView.prototype.setUint32;
const mapGet = uncurry(Map.prototype.get);
const mapSet = uncurry(Map.prototype.set);
const setHas = uncurry(Set.prototype.has);
const setAdd = uncurry(Set.prototype.add);
const promiseThen = uncurry(Promise.prototype.then);
const stringIncludes = uncurry(String.prototype.includes);
const stringSlice = uncurry(String.prototype.slice);
const now = performance.now.bind(performance);
const post = realm.postMessage.bind(realm);
const { String: toString, Uint8Array: Bytes, DataView: View, Error: PlainError, TypeError: PlainTypeError } = realm;
const floor = Math.floor;
// Kept as values: the module may assign to properties of the classes, never to these.
const CLASS = Object.create(null);
for (const name of ['Object3D', 'Group', 'Mesh', 'InstancedMesh', 'Line', 'LineSegments', 'Points', 'BufferGeometry',
  'BufferAttribute', 'InterleavedBufferAttribute', 'Texture', 'DataTexture', 'MeshPhysicalMaterial',
  'MeshStandardMaterial', 'MeshBasicMaterial', 'PointsMaterial', 'LineDashedMaterial', 'LineBasicMaterial']) {
  CLASS[name] = core[name].prototype;
}
const isA = (object, name) => isPrototypeOf(CLASS[name], object);

// ---------------------------------------------------------------------------------------------- the namespace

function refuse() {
  return false;
}

function guarded(backing, read, has) {
  return new Proxy(backing, {
    get: read,
    has,
    set: refuse,
    deleteProperty: refuse,
    defineProperty: refuse,
    setPrototypeOf: refuse,
    preventExtensions: refuse,
    getPrototypeOf: () => Object.prototype,
  });
}

function capabilityNamespace() {
  const allowed = new Set(TABLES.allowed);
  const forbidden = new Set(TABLES.forbidden);
  const blocked = new Set(TABLES.blockedMathUtils);
  const has = (set, key) => setHas(set, key);

  const maths = {};
  for (const key of Object.keys(core.MathUtils)) {
    if (!blocked.has(key)) maths[key] = core.MathUtils[key];
  }
  const mathUtils = guarded(maths, (target, key) => {
    if (typeof key === 'string' && has(blocked, key)) {
      throw new PlainTypeError(`THREE.MathUtils.${key} is forbidden`);
    }
    return target[key];
  }, (target, key) => key in target);

  const backing = {};
  for (const key of TABLES.allowed) {
    if (key in core) backing[key] = key === 'MathUtils' ? mathUtils : core[key];
  }
  return guarded(backing, (target, key) => {
    if (typeof key === 'symbol' || key in target) return target[key];
    if (has(forbidden, key)) throw new PlainTypeError(`THREE.${key} is forbidden`);
    throw new PlainTypeError(`THREE.${key} is not a recognized Three.js API`);
  }, (target, key) => (typeof key === 'symbol' ? key in target : has(allowed, key)));
}

// ------------------------------------------------------------------------------------------------- the lockdown

/** mulberry32 with the seed every round has used: the same module draws the same scene everywhere. */
function seededRandom() {
  let state = TABLES.randomSeed;
  const imul = Math.imul;
  return function random() {
    state = (state + 0x6d2b79f5) | 0;
    let t = imul(state ^ (state >>> 15), 1 | state);
    t = (t + imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function lockDown() {
  const violation = (name) => ({
    get() {
      throw new PlainError(`Runtime violation: ${name} is forbidden`);
    },
    set() {
      throw new PlainError(`Runtime violation: ${name} is forbidden`);
    },
    configurable: false,
    enumerable: false,
  });

  // Whatever the language itself does not define is taken away, not only what has a name on a list.
  const keep = new Set(TABLES.globals);
  const silent = () => {};
  const quiet = Object.freeze({ log: silent, info: silent, warn: silent, error: silent, debug: silent });
  core.setConsoleFunction(silent);
  for (let object = realm; object !== null && object !== Object.prototype; object = getPrototypeOf(object)) {
    for (const key of ownKeys(object)) {
      if (typeof key === 'symbol' || (object === realm && keep.has(key))) continue;
      if (!deleteProperty(object, key)) {
        try {
          defineProperty(object, key, { value: undefined, writable: false });
        } catch {
          // Not configurable and not writable: the language's own constants.
        }
      }
    }
  }
  defineProperty(realm, 'console', { value: quiet, writable: false, configurable: false });
  for (const name of TABLES.trappedGlobals) {
    defineProperty(realm, name, violation(name));
  }
  // A date formatter reads the clock.
  defineProperty(Intl, 'DateTimeFormat', violation('Intl.DateTimeFormat'));

  const functions = [function () {}, function* () {}, async function () {}, async function* () {}];
  for (const one of functions) {
    defineProperty(getPrototypeOf(one), 'constructor', violation('Function constructor'));
  }
  Math.random = seededRandom();
}

// --------------------------------------------------------------------------------------- the document's byte stream

class Refusal {
  constructor(rule, detail) {
    this.rule = rule;
    this.detail = detail;
  }
}

let bytes = new Bytes(1 << 16);
let view = new View(typedArrayBuffer(bytes));
let used = 0;
/** Set once the document is larger than anything that will be drawn: from then on only counts are written. */
let overflowed = false;
/** What those counts may take beyond it. */
const LARGEST = TABLES.documentBytes + (1 << 20);

function room(size) {
  const needed = used + size;
  // Lists of groups, morph targets, materials and nodes are told item by item, and have no other bound.
  if (needed > LARGEST) throw new Refusal('SCENE_DATA_EXCEEDED', 'the scene has more parts than can be described');
  let capacity = typedArrayByteLength(bytes);
  if (needed <= capacity) return;
  while (capacity < needed) capacity *= 2;
  const grown = new Bytes(capacity);
  typedArraySet(grown, new Bytes(typedArrayBuffer(bytes), 0, used));
  bytes = grown;
  view = new View(typedArrayBuffer(bytes));
}
function u8(value) {
  room(1);
  bytes[used++] = value;
}
function u32(value) {
  room(4);
  apply(dataViewSetUint32, view, [used, value, true]);
  used += 4;
}
function f64(value) {
  room(8);
  apply(dataViewSetFloat64, view, [used, +value, true]);
  used += 8;
}
/** The bytes of a typed array, or a mark that they were left out because the document is already too large. */
function raw(array) {
  const length = typedArrayByteLength(array);
  if (overflowed || used + length > TABLES.documentBytes) {
    overflowed = true;
    u8(0);
    f64(length);
    return;
  }
  u8(1);
  f64(length);
  room(length);
  typedArraySet(bytes, new Bytes(typedArrayBuffer(array), typedArrayByteOffset(array), length), used);
  used += length;
}

// ------------------------------------------------------------------------------------------------ reading the scene

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

// ------------------------------------------------------------------------------------------------------ the one run

function message(error) {
  let text;
  try {
    const own = error !== null && typeof error === 'object' ? error.message : undefined;
    text = typeof own === 'string' && own !== '' ? own : toString(error);
  } catch {
    text = 'something that cannot be described was thrown';
  }
  return stringSlice(text, 0, 2000);
}

function failed(stage, rule, detail, times) {
  const violated = rule === 'EXECUTION_THREW' && stage !== 'post_validation' && stringIncludes(detail, 'Runtime violation');
  post({
    stage: violated ? 'execution' : stage, rule: violated ? 'RUNTIME_VIOLATION' : rule, detail,
    moduleLoadMs: times.load, executionMs: times.execute,
  });
}

function run(url) {
  const times = { load: null, execute: 0 };
  const started = now();
  const loading = import(url);
  promiseThen(loading, (module) => {
    times.load = now() - started;
    execute(module, times);
  }, (error) => {
    times.load = now() - started;
    failed('module_load', 'EXECUTION_THREW', message(error), times);
  });
}

function execute(module, times) {
  const generate = module.default;
  if (typeof generate !== 'function') {
    failed('module_load', 'INVALID_RETURN_TYPE', 'the default export is not a function', times);
    return;
  }
  const started = now();
  let root;
  let thenable;
  try {
    root = apply(generate, undefined, [namespace]);
    thenable = root !== null && (typeof root === 'object' || typeof root === 'function') && typeof root.then === 'function';
  } catch (error) {
    times.execute = now() - started;
    failed('execution', 'EXECUTION_THREW', message(error), times);
    return;
  }
  times.execute = now() - started;
  if (thenable) {
    failed('execution', 'ASYNC_NOT_ALLOWED', 'generate returned a promise or another object with a then method', times);
    return;
  }
  try {
    if (root === null || root === undefined) throw new Refusal('INVALID_RETURN_TYPE', `generate returned ${root}`);
    const accepted = isA(root, 'Group') || isA(root, 'Mesh') || isA(root, 'LineSegments') || isA(root, 'Points');
    if (!accepted) {
      throw new Refusal('INVALID_RETURN_TYPE', 'generate must return a Group, Mesh, LineSegments or Points');
    }
    u32(TABLES.magic);
    writeNode(root, isA(root, 'Group') ? 0 : 1);
  } catch (error) {
    const refused = isPrototypeOf(Refusal.prototype, error);
    failed('post_validation', refused ? error.rule : 'EXECUTION_THREW', refused ? error.detail : message(error), times);
    return;
  }
  const length = used;
  post({
    stage: '', rule: '', detail: '', moduleLoadMs: times.load, executionMs: times.execute, length,
    document: typedArrayBuffer(bytes),
  }, [typedArrayBuffer(bytes)]);
}

const namespace = capabilityNamespace();
realm.addEventListener('message', (event) => run(event.data), { once: true });
lockDown();
post('ready');
//# sourceURL=execute.js
