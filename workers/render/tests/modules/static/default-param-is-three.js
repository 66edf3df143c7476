// @verdict THREE_ALIAS_FORBIDDEN
export default function generate(THREE) {
  const build = (lib = THREE) => new lib.ShaderMaterial();
  return build();
}
