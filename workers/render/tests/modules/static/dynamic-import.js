// @verdict FORBIDDEN_IDENTIFIER
export default function generate(THREE) {
  import('three');
  return new THREE.Group();
}
