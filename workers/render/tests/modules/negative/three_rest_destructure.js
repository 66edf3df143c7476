// @expectedRule THREE_ALIAS_FORBIDDEN
// @expectedStage static_analysis
export default function generate(THREE) {
  const { Vector3, ...others } = THREE;
  return new others.Group();
}
