// Interleaved and normalised attributes, draw ranges, small indices, vertex alpha.
export default function generate(THREE) {
  const group = new THREE.Group();
  const data = new Float32Array([-0.3, -0.3, 0, 1, 0, 0, 0.3, -0.3, 0, 0, 1, 0, 0, 0.3, 0, 0, 0, 1]);
  const buffer = new THREE.InterleavedBuffer(data, 6);
  const triangle = new THREE.BufferGeometry();
  triangle.setAttribute('position', new THREE.InterleavedBufferAttribute(buffer, 3, 0));
  triangle.setAttribute('color', new THREE.InterleavedBufferAttribute(buffer, 3, 3));
  group.add(new THREE.Mesh(triangle, new THREE.MeshBasicMaterial({ vertexColors: true, side: THREE.DoubleSide })));
  const quad = new THREE.BufferGeometry();
  quad.setAttribute('position', new THREE.BufferAttribute(new Int16Array([-32767, -32767, 0, 32767, -32767, 0, 32767, 32767, 0, -32767, 32767, 0]), 3, true));
  quad.setAttribute('color', new THREE.BufferAttribute(new Uint8Array([255, 0, 0, 255, 0, 255, 0, 128, 0, 0, 255, 64, 255, 255, 0, 255]), 4, true));
  quad.setIndex(new THREE.BufferAttribute(new Uint8Array([0, 1, 2, 0, 2, 3]), 1));
  const second = new THREE.Mesh(quad, new THREE.MeshBasicMaterial({ vertexColors: true, transparent: true, side: THREE.DoubleSide }));
  second.scale.setScalar(0.2);
  second.position.set(0.2, 0.2, 0.1);
  group.add(second);
  const ranged = new THREE.SphereGeometry(0.15, 24, 16);
  ranged.setDrawRange(300, 900);
  const third = new THREE.Mesh(ranged, new THREE.MeshStandardMaterial({ color: 0x9999ee, side: THREE.DoubleSide }));
  third.position.set(-0.25, 0.25, 0.1);
  group.add(third);
  return group;
}
