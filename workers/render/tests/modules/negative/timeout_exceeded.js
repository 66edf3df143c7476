// @expectedRule TIMEOUT_EXCEEDED
// @expectedStage execution
export default function generate(THREE) {
  let turns = 0;
  for (;;) turns++;
}
