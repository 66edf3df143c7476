// Glass in front of coloured boxes: drawn through a second pass.
export default function generate(THREE) {
  const group = new THREE.Group();
  for (let i = 0; i < 5; i++) {
    const box = new THREE.Mesh(new THREE.BoxGeometry(0.1, 0.5, 0.1), new THREE.MeshStandardMaterial({ color: new THREE.Color().setHSL(i / 5, 0.8, 0.5) }));
    box.position.set(-0.3 + i * 0.15, 0, -0.2);
    group.add(box);
  }
  const glass = new THREE.MeshPhysicalMaterial({
    color: 0xffffff, transmission: 1, thickness: 0.2, roughness: 0.15, ior: 1.4, attenuationColor: new THREE.Color(0.8, 1, 0.9),
    attenuationDistance: 0.5, dispersion: 2,
  });
  const ball = new THREE.Mesh(new THREE.SphereGeometry(0.25, 48, 32), glass);
  ball.position.z = 0.15;
  group.add(ball);
  return group;
}
