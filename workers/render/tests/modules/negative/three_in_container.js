// @expectedRule THREE_ALIAS_FORBIDDEN
// @expectedStage static_analysis
export default function generate(THREE) {
  const context = { lib: THREE, edge: 0.5 };
  return new context.lib.Group();
}
