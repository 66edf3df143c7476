// @expectedRule PARSE_ERROR
// @expectedStage parse
export default function generate(THREE) {
  return new THREE.Mesh(new THREE.BoxGeometry(0.5, 0.5; 0.5), new THREE.MeshBasicMaterial());
}
