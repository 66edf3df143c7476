// @runtime get
export default function generate(THREE) {
  for (const name of Object.keys(THREE)) {
    if (name === 'ShaderMaterial') throw new Error('listing leaks the shader material');
  }
  new THREE.ShaderMaterial();
}
