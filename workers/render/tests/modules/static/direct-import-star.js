// @verdict FORBIDDEN_IDENTIFIER
import * as lib from 'three';
export default function generate(THREE) {
  return new lib.Group();
}
