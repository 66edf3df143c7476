// @runtime get
export default function generate(THREE) {
  const build = (lib = THREE) => new lib.ShaderMaterial();
  build();
}
