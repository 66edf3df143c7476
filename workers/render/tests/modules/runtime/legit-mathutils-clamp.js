// @runtime none
export default function generate(THREE) {
  const edge = THREE.MathUtils.clamp(3, 0, 0.5);
  return new THREE.Mesh(new THREE.BoxGeometry(edge, edge, edge), new THREE.MeshBasicMaterial());
}
