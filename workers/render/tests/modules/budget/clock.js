// A wall clock with sixty ticks, numerals of small bars and hands in a group of their own.
function tick(THREE, material, angle, length, width) {
  const mesh = new THREE.Mesh(new THREE.BoxGeometry(width, length, 0.01), material);
  mesh.position.set(Math.sin(angle) * (0.4 - length / 2), Math.cos(angle) * (0.4 - length / 2), 0.035);
  mesh.rotation.z = -angle;
  return mesh;
}
export default function generate(THREE) {
  const group = new THREE.Group();
  const black = new THREE.MeshStandardMaterial({ color: 0x111111, roughness: 0.5 });
  const brass = new THREE.MeshStandardMaterial({ color: 0xb08d3c, metalness: 0.9, roughness: 0.3 });
  const white = new THREE.MeshStandardMaterial({ color: 0xf7f4ea, roughness: 0.9 });
  const face = new THREE.Mesh(new THREE.CylinderGeometry(0.42, 0.42, 0.05, 96), white);
  face.rotation.x = Math.PI / 2;
  const rim = new THREE.Mesh(new THREE.TorusGeometry(0.43, 0.035, 24, 120), brass);
  group.add(face, rim);
  for (let i = 0; i < 60; i++) {
    group.add(tick(THREE, black, (i / 60) * Math.PI * 2, i % 5 ? 0.02 : 0.05, i % 5 ? 0.004 : 0.012));
  }
  for (let i = 0; i < 12; i++) {
    for (let bar = 0; bar < 1 + (i % 4); bar++) {
      const angle = (i / 12) * Math.PI * 2 + (bar - 1.5) * 0.03;
      group.add(tick(THREE, black, angle, 0.12, 0.006));
    }
  }
  const hands = new THREE.Group();
  hands.position.z = 0.05;
  const hand = (length, width, angle, material) => {
    const mesh = new THREE.Mesh(new THREE.BoxGeometry(width, length, 0.008), material);
    mesh.geometry.translate(0, length / 2 - 0.03, 0);
    mesh.rotation.z = -angle;
    hands.add(mesh);
  };
  hand(0.22, 0.02, 5.3, black);
  hand(0.34, 0.014, 1.05, black);
  hand(0.36, 0.006, 3.9, new THREE.MeshStandardMaterial({ color: 0xbb2222 }));
  hands.add(new THREE.Mesh(new THREE.SphereGeometry(0.02, 24, 16), brass));
  group.add(hands);
  return group;
}
