// @runtime get
export default function generate(THREE) {
  const lib = THREE;
  new lib.ShaderMaterial();
}
