// @verdict THREE_ALIAS_FORBIDDEN
function build(THREE) {
  return new THREE.Group();
}
export default function generate(THREE) {
  return build.call(null, THREE);
}
