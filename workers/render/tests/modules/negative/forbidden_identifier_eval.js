// @expectedRule FORBIDDEN_IDENTIFIER
// @expectedStage static_analysis
export default function generate(THREE) {
  const edge = eval('0.25 + 0.25');
  return new THREE.Mesh(new THREE.BoxGeometry(edge, edge, edge), new THREE.MeshBasicMaterial());
}
