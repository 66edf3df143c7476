// @runtime get
export default function generate(THREE) {
  THREE.MathUtils.seededRandom(1);
}
