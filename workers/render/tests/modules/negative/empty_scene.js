// @expectedRule EMPTY_SCENE
// @expectedStage post_validation
export default function generate(THREE) {
  return new THREE.Group();
}
