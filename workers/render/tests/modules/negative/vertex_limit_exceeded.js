// @expectedRule VERTEX_LIMIT_EXCEEDED
// @expectedStage post_validation
// A torus knot of 2049 x 129 vertices.
export default function generate(THREE) {
  return new THREE.Mesh(new THREE.TorusKnotGeometry(0.25, 0.08, 2048, 128), new THREE.MeshBasicMaterial());
}
