// @vertices 24
// @drawCalls 1
// @maxDepth 1
// @instances 240
// @textureBytes 0
// A double helix of 240 cubes.
export default function generate(THREE) {
  const mesh = new THREE.InstancedMesh(
    new THREE.BoxGeometry(0.04, 0.04, 0.04),
    new THREE.MeshStandardMaterial({ color: 0x3388cc }),
    240,
  );
  const matrix = new THREE.Matrix4();
  for (let i = 0; i < 240; i++) {
    const strand = i % 2;
    const angle = (i / 240) * Math.PI * 6 + strand * Math.PI;
    matrix.makeRotationY(-angle);
    matrix.setPosition(Math.cos(angle) * 0.3, -0.45 + (i / 239) * 0.9, Math.sin(angle) * 0.3);
    mesh.setMatrixAt(i, matrix);
  }
  return mesh;
}
