// Every blending mode over an opaque plate, with and without premultiplied alpha.
export default function generate(THREE) {
  const group = new THREE.Group();
  group.add(new THREE.Mesh(new THREE.BoxGeometry(0.9, 0.3, 0.02), new THREE.MeshStandardMaterial({ color: 0x8888aa })));
  const modes = [THREE.NormalBlending, THREE.AdditiveBlending, THREE.SubtractiveBlending, THREE.MultiplyBlending, THREE.NoBlending];
  for (let i = 0; i < modes.length; i++) {
    for (let j = 0; j < 2; j++) {
      const material = new THREE.MeshBasicMaterial({
        color: 0x66aa44, transparent: true, opacity: 0.6, blending: modes[i], premultipliedAlpha: j === 1 || modes[i] === THREE.MultiplyBlending,
        side: THREE.DoubleSide,
      });
      const mesh = new THREE.Mesh(new THREE.PlaneGeometry(0.12, 0.12), material);
      mesh.position.set(-0.36 + i * 0.18, j ? 0.12 : -0.12, 0.05);
      group.add(mesh);
    }
  }
  return group;
}
