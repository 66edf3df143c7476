// @expectedRule THREE_ALIAS_FORBIDDEN
// @expectedStage static_analysis
// The constructor receives the namespace correctly and then keeps it.
class Builder {
  constructor(THREE) {
    this.lib = THREE;
  }
  build() {
    return new this.lib.Group();
  }
}
export default function generate(THREE) {
  return new Builder(THREE).build();
}
