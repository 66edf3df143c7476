// @runtime get
export default function generate(THREE) {
  THREE.MathUtils.generateUUID();
}
