// @runtime get
export default function generate(THREE) {
  const { MathUtils: { generateUUID } } = THREE;
  generateUUID();
}
