// @verdict FORBIDDEN_THREE_API
export default function generate(THREE) {
  const holder = {};
  ({ ShaderMaterial: holder.material } = THREE);
  return new holder.material();
}
