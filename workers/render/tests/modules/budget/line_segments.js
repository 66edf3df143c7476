// @vertices 60
// @drawCalls 1
// @maxDepth 1
// @instances 0
// @textureBytes 0
// The edges of an icosahedron.
export default function generate(THREE) {
  const edges = new THREE.EdgesGeometry(new THREE.IcosahedronGeometry(0.45, 0));
  return new THREE.LineSegments(edges, new THREE.LineBasicMaterial({ color: 0x222288 }));
}
