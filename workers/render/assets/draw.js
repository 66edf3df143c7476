// The clean realm: draws scene documents. No module ever runs here, so one renderer serves all of them.
import * as THREE from './three.module.js';

const TABLES = await (await fetch('tables.json')).json();
const NONE = 0xffffffff;
const MATERIALS = ['MeshPhysicalMaterial', 'MeshStandardMaterial', 'MeshBasicMaterial', 'PointsMaterial',
  'LineDashedMaterial', 'LineBasicMaterial'];
const ARRAYS = [Int8Array, Uint8Array, Uint8ClampedArray, Int16Array, Uint16Array, Int32Array, Uint32Array, Float32Array];
const MORPHS = ['position', 'normal', 'color'];
const COLOR_SPACES = [THREE.NoColorSpace, THREE.SRGBColorSpace, THREE.LinearSRGBColorSpace];
/** Shader programs kept although no living material uses them: compiling one costs more than drawing with it. */
const KEPT_PROGRAMS = 96;

THREE.setConsoleFunction(() => {});

// ------------------------------------------------------------------------------------------ the renderer and lights

const canvas = document.createElement('canvas');
const renderer = new THREE.WebGLRenderer({ canvas, antialias: true, alpha: true, preserveDrawingBuffer: true });
renderer.setPixelRatio(1);
renderer.toneMapping = THREE.ACESFilmicToneMapping;
renderer.toneMappingExposure = 1;
renderer.outputColorSpace = THREE.SRGBColorSpace;
renderer.shadowMap.enabled = false;
const gl = renderer.getContext();

const camera = new THREE.PerspectiveCamera(49.1, 1, 0.01, 100);
const background = new THREE.Color();

function directional(intensity, x, y, z) {
  const light = new THREE.DirectionalLight(0xffffff, intensity);
  light.position.set(x, y, z);
  return light;
}

// The reference's environment map is filtered from a scene without geometry: it is black and adds nothing to any
// material, so it is left out, and with it a set of shader programs.
const studio = new THREE.Scene();
studio.add(new THREE.AmbientLight(0xffffff, 0.12), directional(1.2, 2, 3, 2), directional(0.4, -2, 1, 1),
  directional(0.3, 0, 2, -3));
const follow = new THREE.Scene();
const followLight = directional(1.5, 0, 0, 0);
follow.add(new THREE.AmbientLight(0xffffff, 0.4), followLight);

function placeCamera({ theta_deg: theta, phi_deg: phi }, radius) {
  const azimuth = (theta * Math.PI) / 180;
  const elevation = (phi * Math.PI) / 180;
  camera.position.set(
    radius * Math.cos(elevation) * Math.sin(azimuth),
    -radius * Math.sin(elevation),
    radius * Math.cos(elevation) * Math.cos(azimuth),
  );
  camera.lookAt(0, 0, 0);
  followLight.position.set(camera.position.x + 1, camera.position.y + 1, camera.position.z);
}

// --------------------------------------------------------------------------------------------- reading the document

class Cursor {
  constructor(buffer) {
    this.buffer = buffer;
    this.view = new DataView(buffer);
    this.at = 0;
  }
  u8() {
    return this.view.getUint8(this.at++);
  }
  flag() {
    return this.u8() === 1;
  }
  u32() {
    this.at += 4;
    return this.view.getUint32(this.at - 4, true);
  }
  f64() {
    this.at += 8;
    return this.view.getFloat64(this.at - 8, true);
  }
  list(read) {
    return Array.from({ length: this.u32() }, () => read(this));
  }
  numbers(length) {
    return Array.from({ length }, () => this.f64());
  }
  of(table) {
    const index = this.u32();
    return index === NONE ? null : table[index];
  }
  block(ArrayType) {
    const length = this.u32();
    this.at = (this.at + 3) & ~3;
    const array = new ArrayType(this.buffer, this.at, Math.floor(length / ArrayType.BYTES_PER_ELEMENT));
    this.at += length;
    return array;
  }
}

function readField(cursor, object, field, textures) {
  const { name, kind } = field;
  switch (kind) {
    case 'flag':
      object[name] = cursor.flag();
      break;
    case 'number':
      object[name] = cursor.f64();
      break;
    case 'color':
      object[name].setRGB(cursor.f64(), cursor.f64(), cursor.f64());
      break;
    case 'vector2':
      object[name].set(cursor.f64(), cursor.f64());
      break;
    case 'range':
      object[name] = [cursor.f64(), cursor.f64()];
      break;
    case 'euler':
      object[name].set(cursor.f64(), cursor.f64(), cursor.f64());
      break;
    case 'texture':
      object[name] = cursor.of(textures);
      break;
  }
}

function readTexture(cursor) {
  const texture = new THREE.DataTexture();
  if (cursor.flag()) {
    const ArrayType = ARRAYS[cursor.u8()];
    const width = cursor.f64();
    const height = cursor.f64();
    texture.image = { data: cursor.block(ArrayType), width, height };
  } else {
    texture.image = null;
  }
  for (const field of TABLES.texture) readField(cursor, texture, field);
  texture.colorSpace = COLOR_SPACES[cursor.u8()];
  if (cursor.flag()) texture.needsUpdate = true;
  if (cursor.flag()) {
    texture.matrixAutoUpdate = false;
    texture.matrix.fromArray(cursor.numbers(9));
  }
  return texture;
}

function readAttribute(cursor) {
  const ArrayType = ARRAYS[cursor.u8()];
  const normalized = cursor.flag();
  const itemSize = cursor.u32();
  return new THREE.BufferAttribute(cursor.block(ArrayType), itemSize, normalized);
}

function readGeometry(cursor, attributes) {
  const geometry = new THREE.BufferGeometry();
  for (const name of TABLES.attributes) {
    const attribute = cursor.of(attributes);
    if (attribute !== null) geometry.setAttribute(name, attribute);
  }
  geometry.index = cursor.of(attributes);
  geometry.drawRange = { start: cursor.f64(), count: cursor.f64() };
  geometry.groups = cursor.list(() => ({ start: cursor.f64(), count: cursor.f64(), materialIndex: cursor.f64() }));
  geometry.morphTargetsRelative = cursor.flag();
  for (const name of MORPHS) {
    const list = cursor.list(() => cursor.of(attributes));
    if (list.length > 0) geometry.morphAttributes[name] = list;
  }
  return geometry;
}

function readMaterial(cursor, textures) {
  const name = MATERIALS[cursor.u8()];
  const material = new THREE[name]();
  for (const field of TABLES.materials[name]) readField(cursor, material, field, textures);
  for (const name of ['blendSrcAlpha', 'blendDstAlpha', 'blendEquationAlpha']) {
    if (material[name] === 0) material[name] = null;
  }
  return material;
}

function readObject(cursor, geometries, materials, attributes) {
  const kind = cursor.u8();
  const groupOrder = cursor.f64();
  const renderOrder = cursor.f64();
  const world = cursor.numbers(16);
  const geometry = cursor.of(geometries);
  const isArray = cursor.flag();
  const list = cursor.list(() => cursor.of(materials));
  const material = isArray ? list : list[0];
  const influences = cursor.list(() => cursor.f64());
  let object;
  switch (kind) {
    case 0: {
      const count = cursor.f64();
      object = new THREE.InstancedMesh(geometry, material, 0);
      object.instanceMatrix = cursor.of(attributes);
      if (object.instanceMatrix !== null) {
        const { array, itemSize, normalized } = object.instanceMatrix;
        object.instanceMatrix = new THREE.InstancedBufferAttribute(array, itemSize, normalized);
      }
      const color = cursor.of(attributes);
      if (color !== null) object.instanceColor = new THREE.InstancedBufferAttribute(color.array, color.itemSize, color.normalized);
      object.count = count;
      break;
    }
    case 1:
      object = new THREE.Mesh(geometry, material);
      break;
    case 2:
      object = new THREE.LineSegments(geometry, material);
      break;
    case 3:
      object = new THREE.Line(geometry, material);
      break;
    default:
      object = new THREE.Points(geometry, material);
  }
  if (influences.length > 0) object.morphTargetInfluences = influences;
  object.renderOrder = renderOrder;
  object.frustumCulled = false;
  object.matrixAutoUpdate = false;
  object.matrixWorldAutoUpdate = false;
  object.matrix.fromArray(world);
  object.matrixWorld.fromArray(world);
  if (groupOrder === 0) return object;
  const group = new THREE.Group();
  group.renderOrder = groupOrder;
  group.add(object);
  return group;
}

function readScene(buffer) {
  const cursor = new Cursor(buffer);
  if (cursor.u32() !== TABLES.magic) throw new Error('not a scene document');
  const textures = cursor.list(readTexture);
  const attributes = cursor.list(readAttribute);
  const geometries = cursor.list(() => readGeometry(cursor, attributes));
  const materials = cursor.list(() => readMaterial(cursor, textures));
  const holder = new THREE.Object3D();
  const objects = cursor.list(() => readObject(cursor, geometries, materials, attributes));
  for (const object of objects) holder.add(object);
  const dispose = () => {
    keepPrograms();
    holder.removeFromParent();
    holder.traverse((object) => object.isInstancedMesh && object.dispose());
    for (const one of [...geometries, ...materials, ...textures]) one.dispose();
    renderer.renderLists.dispose();
  };
  return { holder, dispose };
}

/** Pins the programs just used, and lets the oldest go when there are too many. */
const pinned = new Set();
function keepPrograms() {
  for (const program of renderer.info.programs) {
    if (pinned.delete(program)) {
      pinned.add(program);
    } else {
      program.usedTimes++;
      pinned.add(program);
    }
  }
  for (const program of pinned) {
    if (pinned.size <= KEPT_PROGRAMS) break;
    pinned.delete(program);
    if (--program.usedTimes > 0) continue;
    const programs = renderer.info.programs;
    programs[programs.indexOf(program)] = programs[programs.length - 1];
    programs.pop();
    program.destroy();
  }
}

// --------------------------------------------------------------------------------------------------------- drawing

/** Pixels around the projected box: a line drawn along its edge is wider than the edge. */
const MARGIN = 3;
const corner = new THREE.Vector3();

/**
 * The part of the picture that `bounds` can touch, bottom left corner first. Everything else is background, and is
 * neither cleared, resolved, read nor sent.
 */
function touchedPart(bounds, size) {
  const whole = { left: 0, bottom: 0, right: size, top: size };
  if (bounds === null) return whole;
  camera.updateMatrixWorld();
  const part = { left: size, bottom: size, right: 0, top: 0 };
  for (let i = 0; i < 8; i++) {
    corner.set(bounds[i & 1 ? 3 : 0], bounds[i & 2 ? 4 : 1], bounds[i & 4 ? 5 : 2]);
    corner.applyMatrix4(camera.matrixWorldInverse);
    if (-corner.z <= camera.near) return whole;
    corner.applyMatrix4(camera.projectionMatrix);
    const x = ((corner.x + 1) / 2) * size;
    const y = ((corner.y + 1) / 2) * size;
    part.left = Math.min(part.left, x);
    part.right = Math.max(part.right, x);
    part.bottom = Math.min(part.bottom, y);
    part.top = Math.max(part.top, y);
  }
  const inside = (value) => Math.min(Math.max(value, 0), size);
  const left = Math.min(inside(Math.floor(part.left) - MARGIN), size - 1);
  const bottom = Math.min(inside(Math.floor(part.bottom) - MARGIN), size - 1);
  return {
    left,
    bottom,
    right: Math.max(inside(Math.ceil(part.right) + MARGIN), left + 1),
    top: Math.max(inside(Math.ceil(part.top) + MARGIN), bottom + 1),
  };
}

/** Draws one batch and starts sending each picture as raw pixels, bottom row first. */
function drawBatch(batch, scene, bounds, upload, firstNumber, timings) {
  const { size, angles, background: hex, camera_radius: radius } = batch;
  const stage = batch.lighting === 'follow' ? follow : studio;
  stage.add(scene.holder);
  // Without a background the picture keeps its own coverage as alpha, and any background can be put behind it later.
  stage.background = hex === null ? null : background.setHex(hex);
  renderer.setClearColor(0x000000, 0);
  camera.fov = batch.camera_fov_deg;
  camera.updateProjectionMatrix();
  // The canvas is the whole picture and only the scissor is narrow. A canvas that is a window into a larger viewport
  // would cost less, but its offset changes how vertices round to the raster: edges move by a sixteenth of a pixel.
  renderer.setSize(size, size, false);
  renderer.setScissorTest(true);
  return angles.map((angle, index) => {
    const before = performance.now();
    placeCamera(angle, radius);
    const { left, bottom, right, top } = touchedPart(bounds, size);
    const width = right - left;
    const height = top - bottom;
    // Three.js counts a scissor's y from the bottom, as WebGL does.
    renderer.setScissor(left, bottom, width, height);
    renderer.render(stage, camera);
    const drawn = performance.now();
    const pixels = new Uint8Array(width * height * 4);
    gl.readPixels(left, bottom, width, height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
    const read = performance.now();
    if (gl.isContextLost()) throw new Error('the graphics context was lost');
    const sent = send(`${upload}/${firstNumber + index}/${left}/${bottom}/${width}/${height}`, pixels);
    timings.drawMs += drawn - before;
    timings.readMs += read - drawn;
    timings.sendMs += performance.now() - read;
    return sent;
  });
}

/**
 * Draws one document.
 *
 * @param {{document: string, upload: string, bounds: number[]|null, batches: Array}} job
 * @returns {Promise<{error: string|null, timings: object}>} `error` is what the scene itself made fail.
 */
globalThis.assizeDraw = async ({ document: path, upload, bounds, batches }) => {
  const started = performance.now();
  const buffer = await (await fetch(path)).arrayBuffer();
  const fetched = performance.now();
  let scene;
  let failure = null;
  const sending = [];
  const timings = { fetchMs: fetched - started, buildMs: 0, drawMs: 0, readMs: 0, sendMs: 0 };
  try {
    scene = readScene(buffer);
    timings.buildMs = performance.now() - fetched;
    for (const batch of batches) sending.push(...drawBatch(batch, scene, bounds, upload, sending.length, timings));
  } catch (error) {
    if (gl.isContextLost()) throw error;
    failure = error;
  }
  try {
    scene?.dispose();
  } catch (error) {
    // What could not be drawn cannot always be put away either. This page is not used again.
    failure ??= error;
  }
  if (failure !== null) {
    await Promise.allSettled(sending);
    return { error: String(failure?.message ?? failure), timings };
  }
  const before = performance.now();
  await Promise.all(sending);
  timings.sendMs += performance.now() - before;
  return { error: null, timings };
};

async function send(url, body) {
  const answer = await fetch(url, { method: 'POST', body });
  if (!answer.ok) throw new Error(`the pixels were refused with status ${answer.status}`);
}

globalThis.assizeInfo = () => {
  const info = gl.getExtension('WEBGL_debug_renderer_info');
  return {
    renderer: info ? gl.getParameter(info.UNMASKED_RENDERER_WEBGL) : gl.getParameter(gl.RENDERER),
    samples: gl.getParameter(gl.SAMPLES),
    three: THREE.REVISION,
    programs: renderer.info.programs.length,
    geometries: renderer.info.memory.geometries,
    textures: renderer.info.memory.textures,
  };
};
