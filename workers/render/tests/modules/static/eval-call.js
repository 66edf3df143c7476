// @verdict FORBIDDEN_IDENTIFIER
export default function generate(THREE) {
  const Material = eval('THREE.ShaderMaterial');
  return new Material();
}
