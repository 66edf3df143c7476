// @runtime get
export default function generate(THREE) {
  if ('ShaderMaterial' in THREE) throw new Error('membership leaks the shader material');
  new THREE.ShaderMaterial();
}
