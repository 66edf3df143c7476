// A lighthouse on a rock: a lathe, a group, instances, and a data texture with its own colour space.
// Y is up, +Z is the front, everything lies within -0.5 .. 0.5 on each axis.
export default function generate(THREE) {
  const root = new THREE.Group();

  const paint = (color, roughness = 0.7, metalness = 0) =>
    new THREE.MeshStandardMaterial({ color, roughness, metalness });

  const place = (geometry, material, x, y, z) => {
    const mesh = new THREE.Mesh(geometry, material);
    mesh.position.set(x, y, z);
    root.add(mesh);
    return mesh;
  };

  // Red and white bands, one texel each, wrapped around the tower.
  const bands = new Uint8Array([200, 40, 40, 255, 240, 236, 228, 255, 200, 40, 40, 255, 240, 236, 228, 255, 200, 40, 40, 255]);
  const stripes = new THREE.DataTexture(bands, 1, 5, THREE.RGBAFormat, THREE.UnsignedByteType);
  stripes.colorSpace = THREE.SRGBColorSpace;
  stripes.magFilter = THREE.NearestFilter;
  stripes.minFilter = THREE.NearestFilter;
  stripes.needsUpdate = true;

  const profile = [[0.13, 0], [0.115, 0.1], [0.1, 0.25], [0.09, 0.4], [0.085, 0.5]];
  const tower = new THREE.LatheGeometry(profile.map(([x, y]) => new THREE.Vector2(x, y)), 32);
  place(tower, new THREE.MeshStandardMaterial({ map: stripes, roughness: 0.8 }), 0, -0.32, 0);

  place(new THREE.CylinderGeometry(0.12, 0.12, 0.02, 24), paint(0x2f3640), 0, 0.19, 0);
  place(new THREE.CylinderGeometry(0.06, 0.06, 0.1, 16), paint(0xffd76a, 0.2), 0, 0.25, 0);
  place(new THREE.ConeGeometry(0.09, 0.09, 24), paint(0xb02a2a), 0, 0.345, 0);
  place(new THREE.SphereGeometry(0.014, 12, 8), paint(0xd8d8d8, 0.3, 0.9), 0, 0.4, 0);
  place(new THREE.BoxGeometry(0.07, 0.11, 0.03), paint(0x4a3524), 0, -0.265, 0.125);

  // The railing: one instanced post, so forty posts are one draw call.
  const posts = 40;
  const railing = new THREE.InstancedMesh(new THREE.CylinderGeometry(0.003, 0.003, 0.05, 6), paint(0x2f3640), posts);
  const matrix = new THREE.Matrix4();
  for (let i = 0; i < posts; i += 1) {
    const angle = (i / posts) * Math.PI * 2;
    railing.setMatrixAt(i, matrix.makeTranslation(Math.cos(angle) * 0.113, 0.225, Math.sin(angle) * 0.113));
  }
  root.add(railing);
  const rail = place(new THREE.TorusGeometry(0.113, 0.004, 8, 48), paint(0x2f3640), 0, 0.25, 0);
  rail.rotation.x = Math.PI / 2;

  // Rocks: the same few numbers every time, because randomness is not available.
  const rocks = [[0, -0.4, 0, 0.2], [0.15, -0.42, 0.06, 0.11], [-0.16, -0.42, 0.04, 0.12], [0.04, -0.42, -0.15, 0.13]];
  for (const [x, y, z, size] of rocks) {
    const rock = place(new THREE.DodecahedronGeometry(size, 0), paint(0x6b6f76, 0.95), x, y, z);
    rock.scale.y = 0.5;
    rock.rotation.y = x * 7;
  }
  return root;
}
