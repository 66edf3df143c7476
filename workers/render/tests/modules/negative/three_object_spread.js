// @expectedRule THREE_ALIAS_FORBIDDEN
// @expectedStage static_analysis
export default function generate(THREE) {
  const copy = { ...THREE };
  return new copy.Group();
}
