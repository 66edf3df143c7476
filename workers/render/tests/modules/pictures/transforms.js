// Negative scales, fixed matrices, pivots, nested turns.
export default function generate(THREE) {
  const group = new THREE.Group();
  const shape = new THREE.ConeGeometry(0.12, 0.3, 5);
  const material = new THREE.MeshStandardMaterial({ color: 0x778899, flatShading: true });
  const mirrored = new THREE.Mesh(shape, material);
  mirrored.scale.set(-1, 1, 1.2);
  mirrored.position.x = -0.3;
  const fixed = new THREE.Mesh(shape, material);
  fixed.matrixAutoUpdate = false;
  fixed.matrix.makeRotationZ(0.8).setPosition(0, 0.1, 0);
  const pivoted = new THREE.Mesh(shape, material);
  pivoted.pivot = new THREE.Vector3(0, 0.15, 0);
  pivoted.rotation.z = 0.9;
  pivoted.position.x = 0.25;
  const nest = new THREE.Object3D();
  nest.rotation.set(0.2, 0.3, 0.4);
  nest.scale.setScalar(0.8);
  nest.add(mirrored, pivoted);
  group.add(nest, fixed);
  return group;
}
