// Custom blend factors, given as numbers, and a blend colour.
export default function generate(THREE) {
  const group = new THREE.Group();
  group.add(new THREE.Mesh(new THREE.BoxGeometry(0.6, 0.6, 0.02), new THREE.MeshBasicMaterial({ color: 0x4060a0 })));
  const material = new THREE.MeshBasicMaterial({ color: 0xc08040, transparent: true, opacity: 0.7 });
  material.blending = 5;
  material.blendSrc = 206;
  material.blendDst = 203;
  material.blendEquation = 100;
  const mesh = new THREE.Mesh(new THREE.PlaneGeometry(0.4, 0.4), material);
  mesh.position.z = 0.05;
  group.add(mesh);
  const second = new THREE.MeshBasicMaterial({ color: 0x808080, transparent: true });
  second.blending = 5;
  second.blendSrc = 211;
  second.blendDst = 212;
  second.blendColor = new THREE.Color(0.5, 0.2, 0.8);
  second.blendAlpha = 0.5;
  const patch = new THREE.Mesh(new THREE.PlaneGeometry(0.2, 0.2), second);
  patch.position.set(0.15, 0.15, 0.08);
  group.add(patch);
  return group;
}
