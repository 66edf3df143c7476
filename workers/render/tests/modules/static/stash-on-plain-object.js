// @verdict THREE_ALIAS_FORBIDDEN
export default function generate(THREE) {
  const holder = {};
  holder.lib = THREE;
  return new holder.lib.ShaderMaterial();
}
