// @expectedRule BOUNDING_BOX_OUT_OF_RANGE
// @expectedStage post_validation
// A cube of five units.
export default function generate(THREE) {
  return new THREE.Mesh(new THREE.BoxGeometry(5, 5, 5), new THREE.MeshStandardMaterial());
}
