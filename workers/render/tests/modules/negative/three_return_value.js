// @expectedRule THREE_ALIAS_FORBIDDEN
// @expectedStage static_analysis
export default function generate(THREE) {
  const lib = () => THREE;
  return new (lib().Group)();
}
