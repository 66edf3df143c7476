// @runtime get
export default function generate(THREE) {
  const { seededRandom } = THREE.MathUtils;
  seededRandom(1);
}
