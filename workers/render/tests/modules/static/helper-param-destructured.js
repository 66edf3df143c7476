// @verdict FORBIDDEN_THREE_API
function build({ ShaderMaterial }) {
  return new ShaderMaterial();
}
export default function generate(THREE) {
  return build(THREE);
}
