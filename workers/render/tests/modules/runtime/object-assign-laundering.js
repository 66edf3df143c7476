// @runtime undef
export default function generate(THREE) {
  const copy = Object.assign({}, THREE);
  new copy.ShaderMaterial();
}
