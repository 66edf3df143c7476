// @runtime get
export default function generate(THREE) {
  const { ShaderMaterial } = THREE;
  new ShaderMaterial();
}
