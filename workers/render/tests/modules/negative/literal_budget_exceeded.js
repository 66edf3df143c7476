// @expectedRule LITERAL_BUDGET_EXCEEDED
// @expectedStage static_analysis
// @fiveDigitNumbers 11000
export default function generate(THREE) {
  const heights = [__NUMBERS__];
  return new THREE.Mesh(new THREE.BoxGeometry(0.5, 0.5, 1 / heights.length), new THREE.MeshBasicMaterial());
}
