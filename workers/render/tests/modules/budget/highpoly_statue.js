// @vertices 25221
// @drawCalls 2
// @maxDepth 1
// @instances 0
// @textureBytes 0
// A dense torus knot on a pedestal.
export default function generate(THREE) {
  const group = new THREE.Group();
  const bronze = new THREE.MeshStandardMaterial({ color: 0x8c6a3f, metalness: 0.8, roughness: 0.35 });
  const knot = new THREE.Mesh(new THREE.TorusKnotGeometry(0.2, 0.06, 226, 110), bronze);
  knot.position.y = 0.1;
  group.add(knot);
  const pedestal = new THREE.Mesh(
    new THREE.BoxGeometry(0.5, 0.16, 0.5),
    new THREE.MeshStandardMaterial({ color: 0x777777, roughness: 0.8 }),
  );
  pedestal.position.y = -0.4;
  group.add(pedestal);
  return group;
}
