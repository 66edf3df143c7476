// @verdict THREE_ALIAS_FORBIDDEN
export default function generate(THREE) {
  try {
    throw THREE;
  } catch (lib) {
    return new lib.ShaderMaterial();
  }
}
