// @vertices 448
// @drawCalls 6
// @maxDepth 1
// @instances 0
// @textureBytes 1024
// A small car: primitives, one 16 x 16 data texture on the body.
export default function generate(THREE) {
  const size = 16;
  const pixels = new Uint8Array(size * size * 4);
  for (let i = 0; i < size * size; i++) {
    const stripe = Math.floor(i / size) % 4 < 2 ? 220 : 160;
    pixels[i * 4] = stripe;
    pixels[i * 4 + 1] = 30;
    pixels[i * 4 + 2] = 30;
    pixels[i * 4 + 3] = 255;
  }
  const paint = new THREE.DataTexture(pixels, size, size, THREE.RGBAFormat);
  paint.colorSpace = THREE.SRGBColorSpace;
  paint.needsUpdate = true;

  const group = new THREE.Group();
  const body = new THREE.Mesh(
    new THREE.BoxGeometry(0.8, 0.16, 0.36),
    new THREE.MeshStandardMaterial({ map: paint, roughness: 0.4, metalness: 0.3 }),
  );
  body.position.y = -0.05;
  group.add(body);
  const cabin = new THREE.Mesh(
    new THREE.BoxGeometry(0.4, 0.14, 0.3),
    new THREE.MeshStandardMaterial({ color: 0x335577, roughness: 0.1 }),
  );
  cabin.position.y = 0.1;
  group.add(cabin);
  const wheelGeometry = new THREE.CylinderGeometry(0.09, 0.09, 0.06, 16);
  const rubber = new THREE.MeshStandardMaterial({ color: 0x111111, roughness: 0.9 });
  for (const x of [-0.25, 0.25]) {
    for (const z of [-0.17, 0.17]) {
      const wheel = new THREE.Mesh(wheelGeometry, rubber);
      wheel.rotation.x = Math.PI / 2;
      wheel.position.set(x, -0.14, z);
      group.add(wheel);
    }
  }
  return group;
}
