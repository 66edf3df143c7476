// The plain way to draw a module: import it, call it with Three.js, put the result into a scene, render, take the
// canvas as PNG. Nothing is shared with the code under test but Three.js itself.
import * as THREE from './three.module.js';

const renderer = new THREE.WebGLRenderer({ antialias: true, preserveDrawingBuffer: true, alpha: true });
renderer.setPixelRatio(1);
renderer.toneMapping = THREE.ACESFilmicToneMapping;
renderer.toneMappingExposure = 1.0;
renderer.outputColorSpace = THREE.SRGBColorSpace;

let environment;

function lights(scene, lighting) {
  if (lighting === 'follow') {
    scene.add(new THREE.AmbientLight(0xffffff, 0.4));
    const light = new THREE.DirectionalLight(0xffffff, 1.5);
    scene.add(light, light.target);
    return light;
  }
  scene.add(new THREE.AmbientLight(0xffffff, 0.12));
  for (const [intensity, x, y, z] of [[1.2, 2, 3, 2], [0.4, -2, 1, 1], [0.3, 0, 2, -3]]) {
    const light = new THREE.DirectionalLight(0xffffff, intensity);
    light.position.set(x, y, z);
    scene.add(light, light.target);
  }
  if (!environment) {
    const surroundings = new THREE.Scene();
    surroundings.add(new THREE.HemisphereLight(0xffffff, 0x444444, 1.0));
    environment = new THREE.PMREMGenerator(renderer).fromScene(surroundings, 0.04).texture;
  }
  scene.environment = environment;
  scene.environmentIntensity = 0.8;
  return null;
}

globalThis.oracle = async (source, request) => {
  const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  const module = await import(url);
  let object = module.default(THREE);
  if (!object.isGroup) {
    const group = new THREE.Group();
    group.add(object);
    object = group;
  }
  renderer.setSize(request.size, request.size);
  const scene = new THREE.Scene();
  scene.background = new THREE.Color(request.background);
  const follow = lights(scene, request.lighting);
  scene.add(object);
  const camera = new THREE.PerspectiveCamera(request.camera_fov_deg, 1, 0.01, 100);
  const images = [];
  for (const { theta_deg: theta, phi_deg: phi } of request.angles) {
    const azimuth = THREE.MathUtils.degToRad(theta);
    const elevation = THREE.MathUtils.degToRad(phi);
    const r = request.camera_radius;
    camera.position.set(
      r * Math.cos(elevation) * Math.sin(azimuth), -r * Math.sin(elevation), r * Math.cos(elevation) * Math.cos(azimuth),
    );
    camera.up.set(0, 1, 0);
    camera.lookAt(0, 0, 0);
    if (follow) {
      follow.position.copy(camera.position).add(new THREE.Vector3(1, 1, 0));
      follow.target.position.set(0, 0, 0);
    }
    renderer.render(scene, camera);
    images.push(renderer.domElement.toDataURL('image/png').split(',')[1]);
  }
  return images;
};
