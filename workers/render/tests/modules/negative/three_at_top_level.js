// @expectedRule THREE_AT_TOP_LEVEL
// @expectedStage static_analysis
const origin = new THREE.Vector3();
export default function generate(THREE) {
  const mesh = new THREE.Mesh(new THREE.BoxGeometry(0.5, 0.5, 0.5), new THREE.MeshBasicMaterial());
  mesh.position.copy(origin);
  return mesh;
}
