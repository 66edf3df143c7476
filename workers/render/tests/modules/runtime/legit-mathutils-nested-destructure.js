// @runtime none
export default function generate(THREE) {
  const { MathUtils: { lerp } } = THREE;
  const edge = lerp(0.2, 0.4, 0.5);
  return new THREE.Mesh(new THREE.BoxGeometry(edge, edge, edge), new THREE.MeshBasicMaterial());
}
