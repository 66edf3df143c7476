// @expectedRule MISSING_DEFAULT_EXPORT
// @expectedStage static_analysis
function generate(THREE) {
  return new THREE.Mesh(new THREE.BoxGeometry(0.5, 0.5, 0.5), new THREE.MeshBasicMaterial());
}
