// An extruded, bevelled body with windows, lights, bumpers and wheels.
export default function generate(THREE) {
  const group = new THREE.Group();
  const paint = new THREE.MeshPhysicalMaterial({ color: 0x2244aa, clearcoat: 1, roughness: 0.4, metalness: 0.2 });
  const glass = new THREE.MeshPhysicalMaterial({ color: 0x99bbcc, roughness: 0.05, transparent: true, opacity: 0.6 });
  const rubber = new THREE.MeshStandardMaterial({ color: 0x151515, roughness: 0.95 });
  const chrome = new THREE.MeshStandardMaterial({ color: 0xdddddd, metalness: 1, roughness: 0.2 });
  const lamp = new THREE.MeshStandardMaterial({ color: 0xffffee, emissive: 0x666644 });

  const side = new THREE.Shape();
  side.moveTo(-0.42, -0.1);
  side.lineTo(0.42, -0.1);
  side.lineTo(0.42, 0);
  side.quadraticCurveTo(0.3, 0.04, 0.2, 0.05);
  side.lineTo(0.08, 0.17);
  side.lineTo(-0.22, 0.17);
  side.lineTo(-0.34, 0.05);
  side.lineTo(-0.42, 0.03);
  const body = new THREE.ExtrudeGeometry(side, {
    depth: 0.3, bevelEnabled: true, bevelThickness: 0.02, bevelSize: 0.015, bevelSegments: 3, curveSegments: 12,
  });
  body.translate(0, 0, -0.15);
  group.add(new THREE.Mesh(body, paint));

  const part = (geometry, material, x, y, z) => {
    const mesh = new THREE.Mesh(geometry, material);
    mesh.position.set(x, y, z);
    group.add(mesh);
    return mesh;
  };
  for (const z of [-0.171, 0.171]) part(new THREE.PlaneGeometry(0.24, 0.08), glass, -0.06, 0.11, z).rotation.y = z < 0 ? Math.PI : 0;
  part(new THREE.BoxGeometry(0.02, 0.04, 0.34), chrome, 0.43, -0.08, 0);
  part(new THREE.BoxGeometry(0.02, 0.04, 0.34), chrome, -0.43, -0.08, 0);
  for (const z of [-0.1, 0.1]) part(new THREE.SphereGeometry(0.025, 16, 10), lamp, 0.425, -0.02, z);
  for (const x of [-0.26, 0.26]) {
    for (const z of [-0.17, 0.17]) {
      part(new THREE.TorusGeometry(0.07, 0.025, 12, 24), rubber, x, -0.11, z);
      part(new THREE.CylinderGeometry(0.045, 0.045, 0.03, 20), chrome, x, -0.11, z).rotation.x = Math.PI / 2;
    }
  }
  part(new THREE.BoxGeometry(0.1, 0.01, 0.02), chrome, -0.06, 0.19, 0);
  part(new THREE.BoxGeometry(0.02, 0.02, 0.03), paint, 0.12, 0.08, 0.18);
  return group;
}
