// @runtime none
export default function generate(THREE) {
  const build = (THREE) => new THREE.Mesh(new THREE.SphereGeometry(0.3), new THREE.MeshBasicMaterial());
  return build(THREE);
}
