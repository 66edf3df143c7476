// @expectedRule FORBIDDEN_THREE_API
// @expectedStage static_analysis
export default function generate(THREE) {
  const { MathUtils: { seededRandom } } = THREE;
  return new THREE.Mesh(new THREE.SphereGeometry(seededRandom(3) * 0.4), new THREE.MeshBasicMaterial());
}
