// @verdict THREE_ALIAS_FORBIDDEN
class Holder {
  constructor(THREE) {
    this.lib = THREE;
  }
}
export default function generate(THREE) {
  return new (new Holder(THREE).lib.ShaderMaterial)();
}
