// Maps of every kind, repeated, rotated, mipmapped, in several formats.
export default function generate(THREE) {
  const size = 64;
  const make = (paint, channels = 4, format = THREE.RGBAFormat) => {
    const data = new Uint8Array(size * size * channels);
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        const value = paint(x / size, y / size);
        for (let c = 0; c < channels; c++) data[(y * size + x) * channels + c] = value[c];
      }
    }
    const texture = new THREE.DataTexture(data, size, size, format);
    texture.needsUpdate = true;
    return texture;
  };
  const checks = make((x, y) => ((Math.floor(x * 8) + Math.floor(y * 8)) % 2 ? [230, 120, 40, 255] : [40, 60, 120, 255]));
  checks.colorSpace = THREE.SRGBColorSpace;
  checks.wrapS = THREE.RepeatWrapping;
  checks.wrapT = THREE.MirroredRepeatWrapping;
  checks.repeat.set(2, 3);
  checks.rotation = 0.4;
  checks.center.set(0.5, 0.5);
  checks.offset.set(0.1, 0.2);
  checks.magFilter = THREE.LinearFilter;
  checks.minFilter = THREE.LinearMipmapLinearFilter;
  checks.generateMipmaps = true;
  const bumps = make((x, y) => [128 + 100 * Math.sin(x * 40), 128 + 100 * Math.cos(y * 40), 255, 255]);
  const grey = make((x, y) => [255 * x, 255 * x, 255 * x, 255]);
  const red = make((x) => [255 * x], 1, THREE.RedFormat);
  const alpha = make((x, y) => { const on = Math.hypot(x - 0.5, y - 0.5) < 0.4 ? 255 : 0; return [on, on, on, 255]; });
  const notUploaded = new THREE.DataTexture(new Uint8Array(16), 2, 2);
  const floats = new THREE.DataTexture(new Float32Array(16).map((_, i) => (i % 4 === 3 ? 1 : (i % 7) / 7)), 2, 2, THREE.RGBAFormat, THREE.FloatType);
  floats.needsUpdate = true;
  const group = new THREE.Group();
  const materials = [
    new THREE.MeshStandardMaterial({ map: checks }),
    new THREE.MeshStandardMaterial({ normalMap: bumps, normalScale: new THREE.Vector2(0.7, 0.3), color: 0x88aa99 }),
    new THREE.MeshStandardMaterial({ roughnessMap: grey, metalnessMap: grey, metalness: 1, color: 0xccaa66 }),
    new THREE.MeshStandardMaterial({ bumpMap: grey, bumpScale: 3, map: red }),
    new THREE.MeshStandardMaterial({ alphaMap: alpha, alphaTest: 0.5, side: THREE.DoubleSide, color: 0x44cc88 }),
    new THREE.MeshStandardMaterial({ emissiveMap: checks, emissive: 0xffffff, aoMap: grey, lightMap: grey, lightMapIntensity: 0.5 }),
    new THREE.MeshBasicMaterial({ map: floats, specularMap: grey }),
    new THREE.MeshStandardMaterial({ map: notUploaded }),
    new THREE.MeshStandardMaterial({ displacementMap: grey, displacementScale: 0.05, color: 0xaa5588 }),
  ];
  materials.forEach((material, i) => {
    const mesh = new THREE.Mesh(new THREE.SphereGeometry(0.12, 40, 28), material);
    mesh.position.set(-0.3 + (i % 3) * 0.3, 0.3 - Math.floor(i / 3) * 0.3, 0);
    group.add(mesh);
  });
  return group;
}
