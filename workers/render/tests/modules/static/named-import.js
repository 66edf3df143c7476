// @verdict FORBIDDEN_IDENTIFIER
import { Group } from 'three';
export default function generate(THREE) {
  return new Group();
}
