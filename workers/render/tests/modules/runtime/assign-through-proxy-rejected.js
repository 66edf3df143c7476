// @runtime mutation
export default function generate(THREE) {
  THREE.Mesh = null;
}
