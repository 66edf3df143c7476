// @expectedRule DEPTH_LIMIT_EXCEEDED
// @expectedStage post_validation
// 33 groups below the root, a mesh in the last one.
export default function generate(THREE) {
  const root = new THREE.Group();
  let deepest = root;
  for (let level = 0; level < 33; level++) {
    const next = new THREE.Group();
    deepest.add(next);
    deepest = next;
  }
  deepest.add(new THREE.Mesh(new THREE.BoxGeometry(0.1, 0.1, 0.1), new THREE.MeshBasicMaterial()));
  return root;
}
