// @runtime get
export default function generate(THREE) {
  const lib = null || THREE;
  new lib.ShaderMaterial();
}
