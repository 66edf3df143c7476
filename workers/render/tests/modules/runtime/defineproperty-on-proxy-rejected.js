// @runtime mutation
export default function generate(THREE) {
  Object.defineProperty(THREE, 'Mesh', { value: null });
}
