// An array of materials, one for each side, one of them missing.
export default function generate(THREE) {
  const materials = [0xff0000, 0x00ff00, 0x0000ff, 0xffff00, 0x00ffff].map((color) => new THREE.MeshStandardMaterial({ color }));
  const box = new THREE.Mesh(new THREE.BoxGeometry(0.5, 0.5, 0.5), materials);
  box.rotation.set(0.3, 0.5, 0.1);
  return box;
}
