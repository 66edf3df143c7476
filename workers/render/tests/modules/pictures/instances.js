// Instances with colours, some beyond the drawn count.
export default function generate(THREE) {
  const material = new THREE.MeshStandardMaterial({ roughness: 0.5 });
  const mesh = new THREE.InstancedMesh(new THREE.ConeGeometry(0.04, 0.1, 12), material, 200);
  const place = new THREE.Object3D();
  const color = new THREE.Color();
  for (let i = 0; i < 200; i++) {
    place.position.set(Math.sin(i) * 0.3, -0.4 + (i % 20) * 0.04, Math.cos(i * 1.7) * 0.3);
    place.rotation.set(i, i * 2, 0);
    place.scale.setScalar(0.5 + (i % 5) * 0.2);
    place.updateMatrix();
    mesh.setMatrixAt(i, place.matrix);
    mesh.setColorAt(i, color.setHSL(i / 200, 0.7, 0.5));
  }
  mesh.count = 150;
  mesh.rotation.y = 0.4;
  mesh.scale.setScalar(0.9);
  return mesh;
}
