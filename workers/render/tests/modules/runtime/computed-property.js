// @runtime get
export default function generate(THREE) {
  const name = 'ShaderMaterial';
  new THREE[name]();
}
