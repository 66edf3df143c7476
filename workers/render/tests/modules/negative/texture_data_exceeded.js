// @expectedRule TEXTURE_DATA_EXCEEDED
// @expectedStage post_validation
// 1100 x 1000 RGBA bytes are 4,400,000.
export default function generate(THREE) {
  const map = new THREE.DataTexture(new Uint8Array(1100 * 1000 * 4), 1100, 1000);
  map.needsUpdate = true;
  return new THREE.Mesh(new THREE.BoxGeometry(0.5, 0.5, 0.5), new THREE.MeshBasicMaterial({ map }));
}
