// @expectedRule FORBIDDEN_THREE_API
// @expectedStage static_analysis
function makeMaterial({ ShaderMaterial }) {
  return new ShaderMaterial();
}
export default function generate(THREE) {
  return new THREE.Mesh(new THREE.BoxGeometry(0.5, 0.5, 0.5), makeMaterial(THREE));
}
