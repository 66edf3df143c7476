// @verdict THREE_ALIAS_FORBIDDEN
export default function generate(THREE) {
  const lib = null || THREE;
  return new lib.ShaderMaterial();
}
