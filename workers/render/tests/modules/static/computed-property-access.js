// @verdict COMPUTED_PROPERTY_ACCESS
export default function generate(THREE) {
  const name = 'Shader' + 'Material';
  return new THREE[name]();
}
