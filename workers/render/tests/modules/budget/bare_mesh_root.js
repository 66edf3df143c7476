// @vertices 24
// @drawCalls 1
// @maxDepth 1
// @instances 0
// @textureBytes 0
// One mesh, returned without a group: it counts as depth 1.
export default function generate(THREE) {
  return new THREE.Mesh(new THREE.BoxGeometry(0.6, 0.6, 0.6), new THREE.MeshStandardMaterial({ color: 0x88aa66 }));
}
