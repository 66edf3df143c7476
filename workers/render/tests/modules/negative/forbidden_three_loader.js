// @expectedRule FORBIDDEN_THREE_API
// @expectedStage static_analysis
export default function generate(THREE) {
  const map = new THREE.TextureLoader().load('wood.png');
  return new THREE.Mesh(new THREE.BoxGeometry(0.5, 0.5, 0.5), new THREE.MeshBasicMaterial({ map }));
}
