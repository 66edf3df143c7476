// @expectedRule COMPUTED_PROPERTY_ACCESS
// @expectedStage static_analysis
export default function generate(THREE) {
  const shape = 'BoxGeometry';
  return new THREE.Mesh(new THREE[shape](0.5, 0.5, 0.5), new THREE.MeshBasicMaterial());
}
