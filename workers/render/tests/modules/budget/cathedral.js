// @vertices 1497
// @drawCalls 39
// @maxDepth 1
// @instances 0
// @textureBytes 0
// Many separate parts: nave, pillars, spires.
export default function generate(THREE) {
  const group = new THREE.Group();
  const stone = new THREE.MeshStandardMaterial({ color: 0xb8b0a0, roughness: 0.9 });
  const slate = new THREE.MeshStandardMaterial({ color: 0x44505c, roughness: 0.6 });
  const add = (geometry, material, x, y, z) => {
    const mesh = new THREE.Mesh(geometry, material);
    mesh.position.set(x, y, z);
    group.add(mesh);
  };
  add(new THREE.BoxGeometry(0.24, 0.3, 0.8), stone, 0, -0.3, 0);
  add(new THREE.BoxGeometry(0.5, 0.2, 0.16), stone, 0, -0.34, -0.14);
  add(new THREE.BoxGeometry(0.1, 0.5, 0.1), stone, -0.12, -0.2, 0.38);
  add(new THREE.BoxGeometry(0.1, 0.5, 0.1), stone, 0.12, -0.2, 0.38);
  add(new THREE.BoxGeometry(0.2, 0.04, 0.78), slate, 0, -0.13, 0);
  const pillar = new THREE.CylinderGeometry(0.015, 0.02, 0.3, 8);
  for (let i = 0; i < 11; i++) add(pillar, stone, i % 2 ? 0.16 : -0.16, -0.3, -0.35 + i * 0.07);
  const spire = new THREE.ConeGeometry(0.03, 0.16, 8);
  for (let i = 0; i < 23; i++) {
    const row = i % 2 ? 0.1 : -0.1;
    add(spire, slate, row, -0.06, -0.36 + Math.floor(i / 2) * 0.065);
  }
  return group;
}
