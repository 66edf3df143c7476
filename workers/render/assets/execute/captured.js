// The throwaway realm: one module runs here, once, and is then copied out as plain data.
//
// This file and those listed after it in `src/execute/page.rs` are one script, in that order: the body of a dedicated
// worker that serves exactly one module and is then terminated. Everything it needs after the module has run is captured
// before the module is loaded, and nothing that is trapped is ever given back: callbacks a module leaves behind run in a
// realm that is already dying. The worker's only output is one message, either a verdict or a scene document. The
// document is checked again, byte by byte, by the process that receives it, so a module that took over this realm could
// at most describe a scene, which is what a module is for.
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
