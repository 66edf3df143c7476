// @runtime get
export default function generate(THREE) {
  const build = ({ ShaderMaterial }) => new ShaderMaterial();
  build(THREE);
}
