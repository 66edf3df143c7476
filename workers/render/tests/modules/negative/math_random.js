// @expectedRule FORBIDDEN_IDENTIFIER
// @expectedStage static_analysis
export default function generate(THREE) {
  const edge = 0.2 + Math.random() * 0.3;
  return new THREE.Mesh(new THREE.BoxGeometry(edge, edge, edge), new THREE.MeshBasicMaterial());
}
