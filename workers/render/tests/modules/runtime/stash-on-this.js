// @runtime get
export default function generate(THREE) {
  class Holder {
    constructor(lib) {
      this.lib = lib;
    }
  }
  new (new Holder(THREE).lib.ShaderMaterial)();
}
