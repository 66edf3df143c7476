// @verdict THREE_ALIAS_FORBIDDEN
export default function generate(THREE) {
  for (const lib of [THREE]) {
    return new lib.ShaderMaterial();
  }
}
