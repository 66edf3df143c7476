// @expectedRule FORBIDDEN_THREE_API
// @expectedStage static_analysis
export default function generate(THREE) {
  const { Group, ShaderMaterial } = THREE;
  const group = new Group();
  group.userData.material = new ShaderMaterial();
  return group;
}
