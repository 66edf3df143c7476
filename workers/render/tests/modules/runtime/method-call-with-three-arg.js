// @runtime get
export default function generate(THREE) {
  const build = function (lib) {
    new lib.ShaderMaterial();
  };
  build.call(null, THREE);
}
