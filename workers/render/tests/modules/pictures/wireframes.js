// Wireframes of indexed and unindexed geometries, and hidden materials.
export default function generate(THREE) {
  const group = new THREE.Group();
  const first = new THREE.Mesh(new THREE.SphereGeometry(0.2, 16, 12), new THREE.MeshBasicMaterial({ wireframe: true, color: 0x226622 }));
  first.position.x = -0.25;
  const second = new THREE.Mesh(new THREE.IcosahedronGeometry(0.2, 1), new THREE.MeshStandardMaterial({ wireframe: true, color: 0x662222 }));
  second.position.x = 0.25;
  const hidden = new THREE.Mesh(new THREE.BoxGeometry(0.9, 0.1, 0.1), new THREE.MeshStandardMaterial({ visible: false }));
  group.add(first, second, hidden);
  return group;
}
