// Alpha hashing, alpha to coverage, dithering, tone mapping off, back sides.
export default function generate(THREE) {
  const group = new THREE.Group();
  const kinds = [
    { alphaHash: true, opacity: 0.5 },
    { alphaToCoverage: true, opacity: 0.6, transparent: true },
    { dithering: true },
    { toneMapped: false },
    { side: THREE.BackSide },
    { colorWrite: false },
    { depthFunc: 5 },
    { forceSinglePass: true, transparent: true, opacity: 0.5, side: THREE.DoubleSide },
  ];
  kinds.forEach((kind, i) => {
    const mesh = new THREE.Mesh(new THREE.TorusKnotGeometry(0.06, 0.025, 64, 12), new THREE.MeshStandardMaterial({ color: 0xbb7755, ...kind }));
    mesh.position.set(-0.33 + (i % 4) * 0.22, i < 4 ? 0.15 : -0.15, 0);
    group.add(mesh);
  });
  return group;
}
