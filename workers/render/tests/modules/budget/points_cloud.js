// @vertices 2000
// @drawCalls 1
// @maxDepth 1
// @instances 0
// @textureBytes 0
// A coloured sphere of points.
export default function generate(THREE) {
  const count = 2000;
  const positions = new Float32Array(count * 3);
  const colors = new Float32Array(count * 3);
  const color = new THREE.Color();
  for (let i = 0; i < count; i++) {
    const turn = i * 2.399963;
    const y = 1 - (2 * (i + 0.5)) / count;
    const radius = Math.sqrt(1 - y * y);
    positions.set([Math.cos(turn) * radius * 0.45, y * 0.45, Math.sin(turn) * radius * 0.45], i * 3);
    color.setHSL(i / count, 0.8, 0.5).toArray(colors, i * 3);
  }
  const geometry = new THREE.BufferGeometry();
  geometry.setAttribute('position', new THREE.BufferAttribute(positions, 3));
  geometry.setAttribute('color', new THREE.BufferAttribute(colors, 3));
  return new THREE.Points(geometry, new THREE.PointsMaterial({ size: 0.02, vertexColors: true }));
}
