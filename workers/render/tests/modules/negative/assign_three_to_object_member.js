// @expectedRule THREE_ALIAS_FORBIDDEN
// @expectedStage static_analysis
// The namespace is kept in a property and used from there.
export default function generate(THREE) {
  const toolbox = {};
  toolbox.lib = THREE;
  return new toolbox.lib.Group();
}
