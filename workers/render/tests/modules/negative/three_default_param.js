// @expectedRule THREE_ALIAS_FORBIDDEN
// @expectedStage static_analysis
export default function generate(THREE) {
  const makeGroup = (lib = THREE) => new lib.Group();
  return makeGroup();
}
