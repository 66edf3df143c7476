// @expectedRule FILE_SIZE_EXCEEDED
// @expectedStage parse
// @padTo 1050000
export default function generate(THREE) {
  return new THREE.Mesh(new THREE.BoxGeometry(0.5, 0.5, 0.5), new THREE.MeshBasicMaterial());
}
