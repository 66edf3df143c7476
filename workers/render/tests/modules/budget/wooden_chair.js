// @vertices 832
// @drawCalls 17
// @maxDepth 1
// @instances 0
// @textureBytes 0
// A seat, legs, stretchers and a spindle back.
export default function generate(THREE) {
  const group = new THREE.Group();
  const oak = new THREE.MeshStandardMaterial({ color: 0xa9793f, roughness: 0.7 });
  const add = (geometry, x, y, z, turn) => {
    const mesh = new THREE.Mesh(geometry, oak);
    mesh.position.set(x, y, z);
    if (turn) mesh.rotation.set(turn[0], turn[1], turn[2]);
    group.add(mesh);
  };
  add(new THREE.BoxGeometry(0.5, 0.05, 0.5), 0, -0.05, 0);
  const leg = new THREE.CylinderGeometry(0.025, 0.02, 0.4, 8);
  const stretcher = new THREE.CylinderGeometry(0.012, 0.012, 0.4, 8);
  for (const x of [-0.2, 0.2]) {
    for (const z of [-0.2, 0.2]) add(leg, x, -0.27, z);
    add(stretcher, x, -0.3, 0, [Math.PI / 2, 0, 0]);
    add(stretcher, 0, -0.34, x, [0, 0, Math.PI / 2]);
  }
  const spindle = new THREE.CylinderGeometry(0.01, 0.01, 0.4, 8);
  for (let i = 0; i < 6; i++) add(spindle, -0.15 + i * 0.06, 0.17, -0.22);
  const post = new THREE.CylinderGeometry(0.02, 0.025, 0.48, 6);
  for (const x of [-0.22, 0.22]) add(post, x, 0.21, -0.22);
  return group;
}
