// @expectedRule FORBIDDEN_THREE_API
// @expectedStage static_analysis
export default function generate(THREE) {
  const material = (({ ShaderMaterial }) => new ShaderMaterial())(THREE);
  return new THREE.Mesh(new THREE.BoxGeometry(0.5, 0.5, 0.5), material);
}
