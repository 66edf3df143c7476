// @verdict THREE_ALIAS_FORBIDDEN
export default function generate(THREE) {
  class Holder {
    lib = THREE;
  }
  return new (new Holder().lib.ShaderMaterial)();
}
