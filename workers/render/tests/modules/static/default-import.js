// @verdict FORBIDDEN_IDENTIFIER
import lib from 'three';
export default function generate(THREE) {
  return new lib.Group();
}
