// @runtime get
export default function generate(THREE) {
  new THREE.ShaderMaterial();
}
