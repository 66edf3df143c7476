// @verdict THREE_ALIAS_FORBIDDEN
export default function generate(THREE) {
  const all = [...Object.values(THREE)];
  return new all[0]();
}
