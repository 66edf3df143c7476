// @runtime get
export default function generate(THREE) {
  class Builder {
    constructor(lib) {
      new lib.ShaderMaterial();
    }
  }
  new Builder(THREE);
}
