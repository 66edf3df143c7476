// @verdict THREE_ALIAS_FORBIDDEN
export default function generate(THREE) {
  const lib = true ? THREE : null;
  return new lib.ShaderMaterial();
}
