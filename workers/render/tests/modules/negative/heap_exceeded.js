// @expectedRule HEAP_EXCEEDED
// @expectedStage execution
// Ten million small objects, all kept.
export default function generate(THREE) {
  const kept = [];
  for (let i = 0; i < 10000000; i++) {
    kept.push({ index: i, next: null });
  }
  return new THREE.Mesh(new THREE.BoxGeometry(kept.length * 1e-8, 0.1, 0.1), new THREE.MeshBasicMaterial());
}
