// @runtime get
export default function generate(THREE) {
  class Holder {
    lib = THREE;
  }
  new (new Holder().lib.ShaderMaterial)();
}
