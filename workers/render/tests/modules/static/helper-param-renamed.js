// @verdict THREE_ALIAS_FORBIDDEN
function build(lib) {
  return new lib.ShaderMaterial();
}
export default function generate(THREE) {
  return build(THREE);
}
