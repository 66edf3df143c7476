// @expectedRule FORBIDDEN_THREE_API
// @expectedStage static_analysis
export default function generate(THREE) {
  const group = new THREE.Group();
  group.userData.mixer = new THREE.AnimationMixer(group);
  return group;
}
