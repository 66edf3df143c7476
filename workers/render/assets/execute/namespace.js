// The namespace a module is called with: the members it may use, behind a proxy that refuses all others and any change.

function refuse() {
  return false;
}

function guarded(backing, read, has) {
  return new Proxy(backing, {
    get: read,
    has,
    set: refuse,
    deleteProperty: refuse,
    defineProperty: refuse,
    setPrototypeOf: refuse,
    preventExtensions: refuse,
    getPrototypeOf: () => Object.prototype,
  });
}

function capabilityNamespace() {
  const allowed = new Set(TABLES.allowed);
  const forbidden = new Set(TABLES.forbidden);
  const blocked = new Set(TABLES.blockedMathUtils);
  const has = (set, key) => setHas(set, key);

  const maths = {};
  for (const key of Object.keys(core.MathUtils)) {
    if (!blocked.has(key)) maths[key] = core.MathUtils[key];
  }
  const mathUtils = guarded(maths, (target, key) => {
    if (typeof key === 'string' && has(blocked, key)) {
      throw new PlainTypeError(`THREE.MathUtils.${key} is forbidden`);
    }
    return target[key];
  }, (target, key) => key in target);

  const backing = {};
  for (const key of TABLES.allowed) {
    if (key in core) backing[key] = key === 'MathUtils' ? mathUtils : core[key];
  }
  return guarded(backing, (target, key) => {
    if (typeof key === 'symbol' || key in target) return target[key];
    if (has(forbidden, key)) throw new PlainTypeError(`THREE.${key} is forbidden`);
    throw new PlainTypeError(`THREE.${key} is not a recognized Three.js API`);
  }, (target, key) => (typeof key === 'symbol' ? key in target : has(allowed, key)));
}
