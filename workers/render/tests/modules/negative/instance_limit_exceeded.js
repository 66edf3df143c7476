// @expectedRule INSTANCE_LIMIT_EXCEEDED
// @expectedStage post_validation
// 50,001 instances, returned bare.
export default function generate(THREE) {
  const geometry = new THREE.TetrahedronGeometry(0.01);
  return new THREE.InstancedMesh(geometry, new THREE.MeshBasicMaterial(), 50001);
}
