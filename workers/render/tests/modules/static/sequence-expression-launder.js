// @verdict THREE_ALIAS_FORBIDDEN
export default function generate(THREE) {
  const lib = (0, THREE);
  return new lib.ShaderMaterial();
}
