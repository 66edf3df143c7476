// @runtime get
export default function generate(THREE) {
  const build = (...all) => new all[0].ShaderMaterial();
  build(THREE);
}
