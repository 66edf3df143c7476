// A pumpkin with a 256 x 256 skin, ribs and a curled stem.
export default function generate(THREE) {
  const size = 256;
  const pixels = new Uint8Array(size * size * 4);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      const rib = 0.5 + 0.5 * Math.cos((x / size) * Math.PI * 2 * 10);
      const spot = 0.92 + 0.08 * Math.sin(x * 0.7) * Math.sin(y * 0.9);
      const at = (y * size + x) * 4;
      pixels[at] = 190 + 50 * rib * spot;
      pixels[at + 1] = 80 + 50 * rib * spot;
      pixels[at + 2] = 14;
      pixels[at + 3] = 255;
    }
  }
  const skin = new THREE.DataTexture(pixels, size, size);
  skin.colorSpace = THREE.SRGBColorSpace;
  skin.wrapS = THREE.RepeatWrapping;
  skin.magFilter = THREE.LinearFilter;
  skin.minFilter = THREE.LinearMipmapLinearFilter;
  skin.generateMipmaps = true;
  skin.needsUpdate = true;

  const root = new THREE.Group();
  const fruit = new THREE.SphereGeometry(0.4, 60, 40);
  const position = fruit.attributes.position;
  for (let i = 0; i < position.count; i++) {
    const angle = Math.atan2(position.getZ(i), position.getX(i));
    const bulge = 1 - 0.08 * Math.pow(Math.abs(Math.sin(angle * 5)), 4);
    position.setXYZ(i, position.getX(i) * bulge, position.getY(i) * 0.75, position.getZ(i) * bulge);
  }
  fruit.computeVertexNormals();
  root.add(new THREE.Mesh(fruit, new THREE.MeshStandardMaterial({ map: skin, roughness: 0.55 })));
  const path = new THREE.CatmullRomCurve3([
    new THREE.Vector3(0, 0.28, 0), new THREE.Vector3(0.01, 0.36, 0.01), new THREE.Vector3(0.06, 0.42, 0.02),
  ]);
  const green = new THREE.MeshStandardMaterial({ color: 0x4d6b2a, roughness: 0.9 });
  root.add(new THREE.Mesh(new THREE.TubeGeometry(path, 24, 0.03, 12), green));
  const face = new THREE.Group();
  const glow = new THREE.MeshBasicMaterial({ color: 0xffd35a });
  for (const x of [-0.14, 0.14]) {
    const eye = new THREE.Mesh(new THREE.CircleGeometry(0.05, 3), glow);
    eye.position.set(x, 0.06, 0.385);
    eye.rotation.y = x * 1.2;
    face.add(eye);
  }
  for (let i = 0; i < 9; i++) {
    const tooth = new THREE.Mesh(new THREE.PlaneGeometry(0.03, 0.03), glow);
    tooth.position.set(-0.16 + i * 0.04, -0.1 - 0.02 * Math.cos((i - 4) * 0.5), 0.4);
    face.add(tooth);
  }
  root.add(face);
  return root;
}
