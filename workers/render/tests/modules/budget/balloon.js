// A hot-air balloon, as a model might answer the prompt.
export default function generate(THREE) {
  const group = new THREE.Group();
  const points = [];
  for (let i = 0; i <= 24; i++) {
    const t = i / 24;
    points.push(new THREE.Vector2(0.05 + 0.27 * Math.sin(Math.PI * Math.pow(t, 0.8)), -0.2 + t * 0.62));
  }
  const envelope = new THREE.LatheGeometry(points, 36);
  const colors = new Float32Array(envelope.attributes.position.count * 3);
  const stripe = new THREE.Color();
  for (let i = 0; i < envelope.attributes.position.count; i++) {
    const x = envelope.attributes.position.getX(i);
    const z = envelope.attributes.position.getZ(i);
    const sector = Math.floor(((Math.atan2(z, x) + Math.PI) / (2 * Math.PI)) * 12) % 3;
    stripe.setHex([0xd83a2e, 0xf2c230, 0xf4f0e6][sector]).toArray(colors, i * 3);
  }
  envelope.setAttribute('color', new THREE.BufferAttribute(colors, 3));
  group.add(new THREE.Mesh(envelope, new THREE.MeshStandardMaterial({ vertexColors: true, side: THREE.DoubleSide, roughness: 0.6 })));
  const wicker = new THREE.MeshStandardMaterial({ color: 0x8a5a2b, roughness: 1 });
  const basket = new THREE.Mesh(new THREE.CylinderGeometry(0.07, 0.06, 0.1, 16), wicker);
  basket.position.y = -0.4;
  const rim = new THREE.Mesh(new THREE.TorusGeometry(0.07, 0.008, 8, 24), wicker);
  rim.rotation.x = Math.PI / 2;
  rim.position.y = -0.35;
  group.add(basket, rim);
  const ropes = [];
  for (let i = 0; i < 8; i++) {
    const angle = (i / 8) * Math.PI * 2;
    ropes.push(Math.cos(angle) * 0.07, -0.35, Math.sin(angle) * 0.07, Math.cos(angle) * 0.06, -0.2, Math.sin(angle) * 0.06);
  }
  const lines = new THREE.BufferGeometry();
  lines.setAttribute('position', new THREE.Float32BufferAttribute(ropes, 3));
  group.add(new THREE.LineSegments(lines, new THREE.LineBasicMaterial({ color: 0x333333 })));
  return group;
}
