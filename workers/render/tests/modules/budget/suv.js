// A sport utility vehicle of many boxes, cylinders and spheres.
export default function generate(THREE) {
  const group = new THREE.Group();
  const paint = new THREE.MeshStandardMaterial({ color: 0x37503c, metalness: 0.4, roughness: 0.45 });
  const dark = new THREE.MeshStandardMaterial({ color: 0x1b1d1f, roughness: 0.8 });
  const glass = new THREE.MeshPhysicalMaterial({ color: 0x6f8793, roughness: 0.08, transmission: 0.4, thickness: 0.02 });
  const chrome = new THREE.MeshStandardMaterial({ color: 0xcfd3d6, metalness: 1, roughness: 0.25 });
  const box = (material, x, y, z, width, height, depth) => {
    const mesh = new THREE.Mesh(new THREE.BoxGeometry(width, height, depth), material);
    mesh.position.set(x, y, z);
    group.add(mesh);
    return mesh;
  };
  box(paint, 0, -0.08, 0, 0.86, 0.14, 0.36);
  box(paint, -0.08, 0.07, 0, 0.6, 0.16, 0.34);
  box(dark, 0, -0.16, 0, 0.88, 0.03, 0.37);
  for (const z of [-0.172, 0.172]) {
    for (let i = 0; i < 3; i++) box(glass, -0.28 + i * 0.2, 0.08, z, 0.17, 0.1, 0.006);
    for (let i = 0; i < 2; i++) box(chrome, -0.2 + i * 0.2, -0.04, z * 1.06, 0.05, 0.012, 0.01);
    box(dark, 0.05, 0.165, z * 0.8, 0.5, 0.014, 0.014);
    box(paint, 0.2, 0.02, z * 1.16, 0.03, 0.03, 0.03);
  }
  box(glass, 0.225, 0.075, 0, 0.006, 0.11, 0.3);
  box(glass, -0.383, 0.075, 0, 0.006, 0.1, 0.3);
  for (let i = 0; i < 7; i++) box(chrome, 0.434, -0.06, -0.09 + i * 0.03, 0.008, 0.06, 0.01);
  for (const z of [-0.14, 0.14]) {
    const lamp = new THREE.Mesh(new THREE.SphereGeometry(0.028, 20, 14), chrome);
    lamp.position.set(0.43, -0.05, z);
    group.add(lamp);
    box(dark, -0.433, -0.04, z, 0.008, 0.06, 0.04);
  }
  const tyre = new THREE.TorusGeometry(0.075, 0.03, 12, 28);
  const hub = new THREE.CylinderGeometry(0.05, 0.05, 0.04, 20);
  const spoke = new THREE.BoxGeometry(0.012, 0.09, 0.045);
  for (const x of [-0.28, 0.28]) {
    for (const z of [-0.175, 0.175]) {
      const at = (geometry, material, turn) => {
        const mesh = new THREE.Mesh(geometry, material);
        mesh.position.set(x, -0.17, z);
        mesh.rotation.set(turn[0], turn[1], turn[2]);
        group.add(mesh);
      };
      at(tyre, dark, [0, 0, 0]);
      at(hub, chrome, [Math.PI / 2, 0, 0]);
      for (let i = 0; i < 5; i++) at(spoke, dark, [0, 0, (i / 5) * Math.PI]);
    }
  }
  const spare = new THREE.Mesh(tyre, dark);
  spare.position.set(-0.44, 0, 0);
  spare.rotation.y = Math.PI / 2;
  group.add(spare);
  return group;
}
