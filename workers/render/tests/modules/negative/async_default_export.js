// @expectedRule ASYNC_NOT_ALLOWED
// @expectedStage static_analysis
export default async function generate(THREE) {
  return new THREE.Group();
}
