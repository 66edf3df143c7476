// @verdict THREE_ALIAS_FORBIDDEN
export default function generate(THREE) {
  const take = (strings, lib) => lib;
  const lib = take`${THREE}`;
  return new lib.ShaderMaterial();
}
