// @expectedRule CYCLE_DETECTED
// @expectedStage post_validation
// The parent becomes a child of its own child.
export default function generate(THREE) {
  const parent = new THREE.Group();
  const child = new THREE.Group();
  parent.add(child);
  child.children.push(parent);
  return parent;
}
