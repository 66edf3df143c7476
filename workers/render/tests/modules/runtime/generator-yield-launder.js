// @runtime get
export default function generate(THREE) {
  function* give() {
    yield THREE;
  }
  new (give().next().value.ShaderMaterial)();
}
