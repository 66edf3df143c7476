// @runtime get
export default function generate(THREE) {
  (({ ShaderMaterial }) => new ShaderMaterial())(THREE);
}
