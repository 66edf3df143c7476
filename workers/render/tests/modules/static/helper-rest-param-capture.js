// @verdict THREE_ALIAS_FORBIDDEN
function build(...all) {
  return new all[0].ShaderMaterial();
}
export default function generate(THREE) {
  return build(THREE);
}
