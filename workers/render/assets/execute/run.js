// The one run.

function message(error) {
  let text;
  try {
    const own = error !== null && typeof error === 'object' ? error.message : undefined;
    text = typeof own === 'string' && own !== '' ? own : toString(error);
  } catch {
    text = 'something that cannot be described was thrown';
  }
  return stringSlice(text, 0, 2000);
}

function failed(stage, rule, detail, times) {
  const violated = rule === 'EXECUTION_THREW' && stage !== 'post_validation' && stringIncludes(detail, 'Runtime violation');
  post({
    stage: violated ? 'execution' : stage, rule: violated ? 'RUNTIME_VIOLATION' : rule, detail,
    moduleLoadMs: times.load, executionMs: times.execute,
  });
}

function run(url) {
  const times = { load: null, execute: 0 };
  const started = now();
  const loading = import(url);
  promiseThen(loading, (module) => {
    times.load = now() - started;
    execute(module, times);
  }, (error) => {
    times.load = now() - started;
    failed('module_load', 'EXECUTION_THREW', message(error), times);
  });
}

function execute(module, times) {
  const generate = module.default;
  if (typeof generate !== 'function') {
    failed('module_load', 'INVALID_RETURN_TYPE', 'the default export is not a function', times);
    return;
  }
  const started = now();
  let root;
  let thenable;
  try {
    root = apply(generate, undefined, [namespace]);
    thenable = root !== null && (typeof root === 'object' || typeof root === 'function') && typeof root.then === 'function';
  } catch (error) {
    times.execute = now() - started;
    failed('execution', 'EXECUTION_THREW', message(error), times);
    return;
  }
  times.execute = now() - started;
  if (thenable) {
    failed('execution', 'ASYNC_NOT_ALLOWED', 'generate returned a promise or another object with a then method', times);
    return;
  }
  try {
    if (root === null || root === undefined) throw new Refusal('INVALID_RETURN_TYPE', `generate returned ${root}`);
    const accepted = isA(root, 'Group') || isA(root, 'Mesh') || isA(root, 'LineSegments') || isA(root, 'Points');
    if (!accepted) {
      throw new Refusal('INVALID_RETURN_TYPE', 'generate must return a Group, Mesh, LineSegments or Points');
    }
    u32(TABLES.magic);
    writeNode(root, isA(root, 'Group') ? 0 : 1);
  } catch (error) {
    const refused = isPrototypeOf(Refusal.prototype, error);
    failed('post_validation', refused ? error.rule : 'EXECUTION_THREW', refused ? error.detail : message(error), times);
    return;
  }
  const length = used;
  post({
    stage: '', rule: '', detail: '', moduleLoadMs: times.load, executionMs: times.execute, length,
    document: typedArrayBuffer(bytes),
  }, [typedArrayBuffer(bytes)]);
}

const namespace = capabilityNamespace();
realm.addEventListener('message', (event) => run(event.data), { once: true });
lockDown();
post('ready');
//# sourceURL=execute.js
