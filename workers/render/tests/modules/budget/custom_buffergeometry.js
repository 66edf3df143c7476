// @vertices 5
// @drawCalls 1
// @maxDepth 1
// @instances 0
// @textureBytes 0
// A pyramid written vertex by vertex, with an index.
export default function generate(THREE) {
  const geometry = new THREE.BufferGeometry();
  const corners = new Float32Array([-0.4, -0.4, -0.4, 0.4, -0.4, -0.4, 0.4, -0.4, 0.4, -0.4, -0.4, 0.4, 0, 0.4, 0]);
  geometry.setAttribute('position', new THREE.BufferAttribute(corners, 3));
  geometry.setIndex([0, 1, 2, 0, 2, 3, 0, 4, 1, 1, 4, 2, 2, 4, 3, 3, 4, 0]);
  geometry.computeVertexNormals();
  return new THREE.Mesh(geometry, new THREE.MeshStandardMaterial({ color: 0xd9b36c, flatShading: true }));
}
