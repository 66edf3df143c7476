// @verdict FORBIDDEN_THREE_API
export default function generate(THREE) {
  return (({ ShaderMaterial }) => new ShaderMaterial())(THREE);
}
