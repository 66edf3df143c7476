// @vertices 1010
// @drawCalls 3
// @maxDepth 1
// @instances 0
// @textureBytes 0
// Basic, standard and physical material side by side.
export default function generate(THREE) {
  const group = new THREE.Group();
  const box = new THREE.Mesh(new THREE.BoxGeometry(0.2, 0.2, 0.2), new THREE.MeshBasicMaterial({ color: 0xcc4444 }));
  box.position.x = -0.32;
  const sphere = new THREE.Mesh(
    new THREE.SphereGeometry(0.15, 32, 16),
    new THREE.MeshStandardMaterial({ color: 0x44cc44, metalness: 0.6, roughness: 0.3 }),
  );
  const glass = new THREE.Mesh(
    new THREE.SphereGeometry(0.13, 24, 16),
    new THREE.MeshPhysicalMaterial({ color: 0x4444cc, clearcoat: 1, sheen: 0.5, sheenColor: new THREE.Color(0xffffff) }),
  );
  glass.position.x = 0.32;
  group.add(box, sphere, glass);
  return group;
}
