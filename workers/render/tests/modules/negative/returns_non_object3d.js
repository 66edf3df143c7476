// @expectedRule INVALID_RETURN_TYPE
// @expectedStage post_validation
export default function generate(THREE) {
  return { shape: 'cube', edge: 0.5 };
}
