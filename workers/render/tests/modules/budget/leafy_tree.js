// @vertices 488
// @drawCalls 8
// @maxDepth 1
// @instances 2000
// @textureBytes 0
// Trunk, branches and 2,000 instanced leaves.
export default function generate(THREE) {
  const group = new THREE.Group();
  const bark = new THREE.MeshStandardMaterial({ color: 0x5b4028, roughness: 1 });
  const trunk = new THREE.Mesh(new THREE.CylinderGeometry(0.03, 0.05, 0.5, 28), bark);
  trunk.position.y = -0.24;
  group.add(trunk);
  const branch = new THREE.CylinderGeometry(0.008, 0.016, 0.24, 8);
  for (let i = 0; i < 6; i++) {
    const angle = (i / 6) * Math.PI * 2;
    const mesh = new THREE.Mesh(branch, bark);
    mesh.position.set(Math.cos(angle) * 0.08, 0.04, Math.sin(angle) * 0.08);
    mesh.rotation.set(Math.sin(angle) * 0.8, 0, -Math.cos(angle) * 0.8);
    group.add(mesh);
  }
  const green = new THREE.MeshStandardMaterial({ color: 0x3f7d2c, side: THREE.DoubleSide, roughness: 0.8 });
  const leaves = new THREE.InstancedMesh(new THREE.PlaneGeometry(0.03, 0.05), green, 2000);
  const place = new THREE.Object3D();
  const color = new THREE.Color();
  for (let i = 0; i < 2000; i++) {
    const turn = i * 2.399963;
    const height = 1 - (2 * (i + 0.5)) / 2000;
    const radius = Math.sqrt(1 - height * height) * (0.2 + 0.1 * ((i * 7) % 10) / 10);
    place.position.set(Math.cos(turn) * radius, 0.16 + height * 0.26, Math.sin(turn) * radius);
    place.rotation.set(turn, i, turn * 0.5);
    place.updateMatrix();
    leaves.setMatrixAt(i, place.matrix);
    leaves.setColorAt(i, color.setHSL(0.25 + ((i * 13) % 10) / 100, 0.6, 0.35));
  }
  group.add(leaves);
  return group;
}
