// @runtime get
export default function generate(THREE) {
  const holder = {};
  ({ ShaderMaterial: holder.material } = THREE);
  new holder.material();
}
