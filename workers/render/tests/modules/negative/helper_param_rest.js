// @expectedRule THREE_ALIAS_FORBIDDEN
// @expectedStage static_analysis
function makeBox(...tools) {
  return new tools[0].Group();
}
export default function generate(THREE) {
  return makeBox(THREE);
}
