// @runtime get
export default function generate(THREE) {
  const lib = true ? THREE : null;
  new lib.ShaderMaterial();
}
