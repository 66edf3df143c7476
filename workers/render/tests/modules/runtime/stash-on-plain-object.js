// @runtime get
export default function generate(THREE) {
  const holder = { lib: THREE };
  new holder.lib.ShaderMaterial();
}
