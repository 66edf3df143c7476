// @expectedRule THREE_ALIAS_FORBIDDEN
// @expectedStage static_analysis
function makeBox(lib) {
  return new lib.Mesh(new lib.BoxGeometry(0.5, 0.5, 0.5), new lib.MeshBasicMaterial());
}
export default function generate(THREE) {
  return makeBox(THREE);
}
