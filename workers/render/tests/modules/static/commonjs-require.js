// @verdict FORBIDDEN_IDENTIFIER
export default function generate(THREE) {
  const lib = require('three');
  return new lib.Group();
}
