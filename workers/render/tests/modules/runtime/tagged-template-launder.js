// @runtime get
export default function generate(THREE) {
  const lib = ((strings, value) => value)`${THREE}`;
  new lib.ShaderMaterial();
}
