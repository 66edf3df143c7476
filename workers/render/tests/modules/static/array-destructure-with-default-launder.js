// @verdict FORBIDDEN_THREE_API
export default function generate(THREE) {
  const [Material = THREE.ShaderMaterial] = [];
  return new Material();
}
