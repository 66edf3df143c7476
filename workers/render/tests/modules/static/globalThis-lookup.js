// @verdict FORBIDDEN_IDENTIFIER
export default function generate(THREE) {
  const lib = globalThis.THREE;
  return new lib.Group();
}
