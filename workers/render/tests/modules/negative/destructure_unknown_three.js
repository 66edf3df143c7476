// @expectedRule UNKNOWN_THREE_API
// @expectedStage static_analysis
export default function generate(THREE) {
  const { SpiralCurve } = THREE;
  return new THREE.Mesh(new THREE.TubeGeometry(new SpiralCurve()), new THREE.MeshBasicMaterial());
}
