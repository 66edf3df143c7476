// Coplanar faces of the same depth: the order of creation decides.
export default function generate(THREE) {
  const group = new THREE.Group();
  const shared = new THREE.MeshStandardMaterial({ color: 0x336699 });
  const later = new THREE.MeshStandardMaterial({ color: 0xcc6633 });
  const plane = new THREE.PlaneGeometry(0.5, 0.5);
  const first = new THREE.Mesh(plane, later);
  const second = new THREE.Mesh(plane, shared);
  second.position.x = 0.2;
  const third = new THREE.Mesh(plane, new THREE.MeshStandardMaterial({ color: 0x66cc33, polygonOffset: true, polygonOffsetFactor: -1, polygonOffsetUnits: -1 }));
  third.position.set(0.1, 0.2, 0);
  group.add(third, second, first);
  return group;
}
