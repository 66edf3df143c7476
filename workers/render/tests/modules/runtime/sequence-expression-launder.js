// @runtime get
export default function generate(THREE) {
  const lib = (0, THREE);
  new lib.ShaderMaterial();
}
