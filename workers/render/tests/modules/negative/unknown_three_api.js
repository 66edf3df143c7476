// @expectedRule UNKNOWN_THREE_API
// @expectedStage static_analysis
export default function generate(THREE) {
  return new THREE.Mesh(new THREE.StarGeometry(0.5), new THREE.MeshBasicMaterial());
}
