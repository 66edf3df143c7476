// @expectedRule HEAP_EXCEEDED
// @expectedStage execution
// Arrays without end, all kept: the limit is met long before the time is up, on a slow machine too.
export default function generate(THREE) {
  const kept = [];
  for (let i = 0; i < 100000; i++) {
    kept.push(new Array(100000).fill(i));
  }
  return new THREE.Mesh(new THREE.BoxGeometry(kept.length * 1e-6, 0.1, 0.1), new THREE.MeshBasicMaterial());
}
