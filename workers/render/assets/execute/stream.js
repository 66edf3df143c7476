// The document's bytes.

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
