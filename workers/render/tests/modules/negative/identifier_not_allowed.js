// @expectedRule IDENTIFIER_NOT_ALLOWED
// @expectedStage static_analysis
export default function generate(THREE) {
  console.log('building');
  return new THREE.Mesh(new THREE.BoxGeometry(0.5, 0.5, 0.5), new THREE.MeshBasicMaterial());
}
