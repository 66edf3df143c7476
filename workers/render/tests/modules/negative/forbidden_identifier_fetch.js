// @expectedRule FORBIDDEN_IDENTIFIER
// @expectedStage static_analysis
export default function generate(THREE) {
  fetch('https://example.org/model.json');
  return new THREE.Mesh(new THREE.BoxGeometry(0.5, 0.5, 0.5), new THREE.MeshBasicMaterial());
}
