// Render order of objects and groups, layers, hidden subtrees, depth off.
export default function generate(THREE) {
  const group = new THREE.Group();
  const flat = (color, z, extra) => new THREE.Mesh(new THREE.PlaneGeometry(0.4, 0.4), new THREE.MeshBasicMaterial({ color, side: THREE.DoubleSide, ...extra }));
  const back = flat(0xdd4444, -0.1, { depthTest: false });
  back.renderOrder = 5;
  const middle = flat(0x44dd44, 0, { depthTest: false, transparent: true, opacity: 0.8 });
  middle.position.set(0.1, 0.1, 0);
  middle.renderOrder = 2;
  const late = new THREE.Group();
  late.renderOrder = -1;
  const early = flat(0x4444dd, 0.1, { depthTest: false });
  early.position.set(-0.1, -0.1, 0.1);
  late.add(early);
  const hidden = new THREE.Group();
  hidden.visible = false;
  hidden.add(flat(0x000000, 0.2));
  const elsewhere = flat(0x000000, 0.3);
  elsewhere.layers.set(3);
  group.add(back, middle, late, hidden, elsewhere);
  return group;
}
