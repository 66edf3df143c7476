// @runtime get
export default function generate(THREE) {
  for (const lib of [THREE]) new lib.ShaderMaterial();
}
