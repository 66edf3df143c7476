// @runtime get
export default function generate(THREE) {
  const build = (lib) => new lib.ShaderMaterial();
  build(THREE);
}
