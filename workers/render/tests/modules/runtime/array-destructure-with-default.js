// @runtime get
export default function generate(THREE) {
  const [Material = THREE.ShaderMaterial] = [];
  new Material();
}
