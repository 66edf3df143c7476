// @verdict THREE_ALIAS_FORBIDDEN
export default function generate(THREE) {
  function* give() {
    yield THREE;
  }
  const lib = give().next().value;
  return new lib.ShaderMaterial();
}
