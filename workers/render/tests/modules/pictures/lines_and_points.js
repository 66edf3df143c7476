// Lines, strips, dashes and points with and without attenuation.
export default function generate(THREE) {
  const group = new THREE.Group();
  const spiral = [];
  for (let i = 0; i < 120; i++) spiral.push(new THREE.Vector3(Math.cos(i * 0.3) * i * 0.002, i * 0.006 - 0.36, Math.sin(i * 0.3) * i * 0.002));
  const path = new THREE.BufferGeometry().setFromPoints(spiral);
  group.add(new THREE.Line(path, new THREE.LineBasicMaterial({ color: 0x2255aa })));
  const dashed = new THREE.LineSegments(new THREE.EdgesGeometry(new THREE.BoxGeometry(0.8, 0.8, 0.8)), new THREE.LineDashedMaterial({ color: 0xaa2255, dashSize: 0.05, gapSize: 0.03, scale: 1.5 }));
  dashed.computeLineDistances();
  group.add(dashed);
  const dots = new THREE.Points(path, new THREE.PointsMaterial({ color: 0x118833, size: 0.03 }));
  dots.position.x = 0.15;
  const fixed = new THREE.Points(path, new THREE.PointsMaterial({ color: 0x883311, size: 4, sizeAttenuation: false, transparent: true, opacity: 0.6 }));
  fixed.position.x = -0.15;
  group.add(dots, fixed);
  return group;
}
