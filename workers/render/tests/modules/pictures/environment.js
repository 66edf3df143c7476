// An equirectangular data texture as environment of single materials.
export default function generate(THREE) {
  const width = 64, height = 32;
  const data = new Uint8Array(width * height * 4);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) data.set([x * 4, y * 8, 120, 255], (y * width + x) * 4);
  const map = new THREE.DataTexture(data, width, height);
  map.mapping = 303;
  map.colorSpace = THREE.SRGBColorSpace;
  map.magFilter = THREE.LinearFilter;
  map.needsUpdate = true;
  const group = new THREE.Group();
  const shiny = new THREE.Mesh(new THREE.SphereGeometry(0.2, 40, 28), new THREE.MeshStandardMaterial({ envMap: map, metalness: 1, roughness: 0.2, envMapIntensity: 1.5 }));
  shiny.position.x = -0.25;
  shiny.material.envMapRotation.set(0, 0.7, 0);
  const basic = new THREE.Mesh(new THREE.SphereGeometry(0.2, 40, 28), new THREE.MeshBasicMaterial({ envMap: map, color: 0x80a0ff, reflectivity: 0.6 }));
  basic.position.x = 0.25;
  group.add(shiny, basic);
  return group;
}
