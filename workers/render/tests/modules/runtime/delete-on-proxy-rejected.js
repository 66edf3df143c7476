// @runtime mutation
export default function generate(THREE) {
  delete THREE.Mesh;
}
