// @expectedRule ASYNC_NOT_ALLOWED
// @expectedStage execution
// A valid group that claims to be a promise.
export default function generate(THREE) {
  const group = new THREE.Group();
  group.add(new THREE.Mesh(new THREE.BoxGeometry(0.5, 0.5, 0.5), new THREE.MeshBasicMaterial()));
  group.then = (resolve) => resolve(group);
  return group;
}
