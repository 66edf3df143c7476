// @verdict FORBIDDEN_IDENTIFIER
export default function generate(THREE) {
  const build = new Function('lib', 'return new lib.ShaderMaterial()');
  return build(THREE);
}
