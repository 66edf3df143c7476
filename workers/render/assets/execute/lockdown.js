// What is taken from the realm before the module loads, and never given back.

/** mulberry32 with the seed every round has used: the same module draws the same scene everywhere. */
function seededRandom() {
  let state = TABLES.randomSeed;
  const imul = Math.imul;
  return function random() {
    state = (state + 0x6d2b79f5) | 0;
    let t = imul(state ^ (state >>> 15), 1 | state);
    t = (t + imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function lockDown() {
  const violation = (name) => ({
    get() {
      throw new PlainError(`Runtime violation: ${name} is forbidden`);
    },
    set() {
      throw new PlainError(`Runtime violation: ${name} is forbidden`);
    },
    configurable: false,
    enumerable: false,
  });

  // Whatever the language itself does not define is taken away, not only what has a name on a list.
  const keep = new Set(TABLES.globals);
  const silent = () => {};
  const quiet = Object.freeze({ log: silent, info: silent, warn: silent, error: silent, debug: silent });
  core.setConsoleFunction(silent);
  for (let object = realm; object !== null && object !== Object.prototype; object = getPrototypeOf(object)) {
    for (const key of ownKeys(object)) {
      if (typeof key === 'symbol' || (object === realm && keep.has(key))) continue;
      if (!deleteProperty(object, key)) {
        try {
          defineProperty(object, key, { value: undefined, writable: false });
        } catch {
          // Not configurable and not writable: the language's own constants.
        }
      }
    }
  }
  defineProperty(realm, 'console', { value: quiet, writable: false, configurable: false });
  for (const name of TABLES.trappedGlobals) {
    defineProperty(realm, name, violation(name));
  }
  // A date formatter reads the clock.
  defineProperty(Intl, 'DateTimeFormat', violation('Intl.DateTimeFormat'));

  const functions = [function () {}, function* () {}, async function () {}, async function* () {}];
  for (const one of functions) {
    defineProperty(getPrototypeOf(one), 'constructor', violation('Function constructor'));
  }
  Math.random = seededRandom();
}
