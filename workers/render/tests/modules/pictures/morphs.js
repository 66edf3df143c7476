// Morph targets of position and normal, absolute and relative.
export default function generate(THREE) {
  const group = new THREE.Group();
  for (const relative of [false, true]) {
    const geometry = new THREE.BoxGeometry(0.25, 0.25, 0.25, 8, 8, 8);
    const position = geometry.attributes.position;
    const target = new Float32Array(position.count * 3);
    for (let i = 0; i < position.count; i++) {
      const point = new THREE.Vector3().fromBufferAttribute(position, i);
      const round = point.clone().normalize().multiplyScalar(0.18);
      if (relative) round.sub(point);
      round.toArray(target, i * 3);
    }
    geometry.morphAttributes.position = [new THREE.BufferAttribute(target, 3)];
    geometry.morphTargetsRelative = relative;
    const mesh = new THREE.Mesh(geometry, new THREE.MeshStandardMaterial({ color: relative ? 0x9966cc : 0xcc9966, flatShading: true }));
    mesh.morphTargetInfluences[0] = 0.6;
    mesh.position.x = relative ? 0.22 : -0.22;
    group.add(mesh);
  }
  return group;
}
