// @runtime none
export default function generate(THREE) {
  const edge = new THREE.Vector3(0.1, 0.2, 0.2).length();
  return new THREE.Mesh(new THREE.BoxGeometry(edge, edge, edge), new THREE.MeshBasicMaterial());
}
