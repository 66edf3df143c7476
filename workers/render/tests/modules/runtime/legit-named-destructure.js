// @runtime none
export default function generate(THREE) {
  const { Mesh, BoxGeometry, MeshBasicMaterial } = THREE;
  return new Mesh(new BoxGeometry(0.5, 0.5, 0.5), new MeshBasicMaterial());
}
