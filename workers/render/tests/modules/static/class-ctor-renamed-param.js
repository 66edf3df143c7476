// @verdict THREE_ALIAS_FORBIDDEN
class Builder {
  constructor(lib) {
    this.material = new lib.ShaderMaterial();
  }
}
export default function generate(THREE) {
  return new Builder(THREE).material;
}
