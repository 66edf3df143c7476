// Overlapping transparent objects: drawing order decides the picture.
export default function generate(THREE) {
  const group = new THREE.Group();
  const colors = [0xff3333, 0x33ff33, 0x3333ff, 0xffff33];
  for (let i = 0; i < 4; i++) {
    const material = new THREE.MeshStandardMaterial({
      color: colors[i], transparent: true, opacity: 0.5, side: i % 2 ? THREE.DoubleSide : THREE.FrontSide, depthWrite: i !== 2,
    });
    const mesh = new THREE.Mesh(new THREE.SphereGeometry(0.18, 32, 20), material);
    mesh.position.set(-0.2 + i * 0.13, (i % 2) * 0.1, 0.1 * (i - 1.5));
    group.add(mesh);
  }
  const core = new THREE.Mesh(new THREE.TorusGeometry(0.25, 0.05, 16, 48), new THREE.MeshStandardMaterial({ color: 0x999999 }));
  group.add(core);
  return group;
}
