// @expectedRule MULTIPLE_TOP_LEVEL_EXPORTS
// @expectedStage static_analysis
export const name = 'cube';
export default function generate(THREE) {
  return new THREE.Mesh(new THREE.BoxGeometry(0.5, 0.5, 0.5), new THREE.MeshBasicMaterial());
}
