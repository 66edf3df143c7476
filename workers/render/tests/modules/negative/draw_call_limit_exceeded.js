// @expectedRule DRAW_CALL_LIMIT_EXCEEDED
// @expectedStage post_validation
// 201 small meshes.
export default function generate(THREE) {
  const group = new THREE.Group();
  const geometry = new THREE.BoxGeometry(0.01, 0.01, 0.01);
  const material = new THREE.MeshBasicMaterial();
  for (let i = 0; i < 201; i++) {
    group.add(new THREE.Mesh(geometry, material));
  }
  return group;
}
