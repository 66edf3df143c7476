// @verdict THREE_ALIAS_FORBIDDEN
export default function generate(THREE) {
  const copy = Object.assign({}, THREE);
  return new copy.ShaderMaterial();
}
