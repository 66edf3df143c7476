// @expectedRule EXECUTION_THREW
// @expectedStage execution
export default function generate(THREE) {
  throw new Error('nothing to build');
}
