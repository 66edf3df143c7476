// Clearcoat, sheen, iridescence, anisotropy and specular tints.
export default function generate(THREE) {
  const group = new THREE.Group();
  const kinds = [
    { clearcoat: 1, clearcoatRoughness: 0.1 },
    { sheen: 1, sheenColor: new THREE.Color(0.9, 0.4, 0.9), sheenRoughness: 0.4 },
    { iridescence: 1, iridescenceIOR: 1.8, iridescenceThicknessRange: [200, 500] },
    { anisotropy: 0.8, anisotropyRotation: 0.6, metalness: 0.9 },
    { specularIntensity: 0.5, specularColor: new THREE.Color(1, 0.5, 0.2), ior: 2 },
    { emissive: 0x402010, emissiveIntensity: 1.5 },
  ];
  kinds.forEach((kind, i) => {
    const mesh = new THREE.Mesh(
      new THREE.SphereGeometry(0.13, 40, 24),
      new THREE.MeshPhysicalMaterial({ color: 0x996644, roughness: 0.35, metalness: 0.2, ...kind }),
    );
    mesh.geometry.computeTangents?.();
    mesh.position.set(-0.3 + (i % 3) * 0.3, i < 3 ? 0.16 : -0.16, 0);
    group.add(mesh);
  });
  return group;
}
