// @runtime get
export default function generate(THREE) {
  let lib;
  try {
    throw THREE;
  } catch (caught) {
    lib = caught;
  }
  new lib.ShaderMaterial();
}
