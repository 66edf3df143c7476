// The page beside the throwaway realm: keeps one fresh worker ready, hands it one module, passes its answer on.
// It never evaluates anything the module made: an answer is numbers, short texts and one array of bytes.
(() => {
  /** Half of a surrogate pair cannot be told over the control pipe: the whole answer would be lost with it. */
  const plain = (text) => `${text}`.slice(0, 4000).toWellFormed();
  const script = (text) => URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));
  let workerUrl;
  let largestDocument = 0;
  let next;
  let answered = false;

  function prepare() {
    const worker = new Worker(workerUrl, { type: 'module' });
    const ready = new Promise((resolve, reject) => {
      worker.onmessage = resolve;
      worker.onerror = (event) => reject(new Error(`the sandbox could not start: ${event.message}`));
    });
    ready.catch(() => {});
    next = { worker, ready };
  }

  globalThis.assizeStart = async (core, body, limit) => {
    largestDocument = limit;
    workerUrl = script(body.replace('__CORE_URL__', script(`${core}\n//# sourceURL=three.core.js`)));
    prepare();
    await next.ready;
    return true;
  };

  globalThis.assizeReady = async () => {
    await next.ready;
    return true;
  };

  globalThis.assizeAnswered = () => answered;

  globalThis.assizeRun = async (source) => {
    const { worker, ready } = next;
    answered = false;
    await ready;
    const url = script(`${source}\n//# sourceURL=module.js`);
    try {
      const answer = await new Promise((resolve) => {
        worker.onmessage = (event) => {
          answered = true;
          resolve(event.data);
        };
        worker.onerror = (event) => resolve({ stage: 'module_load', rule: 'EXECUTION_THREW', detail: `${event.message}` });
        worker.postMessage(url);
      });
      const { stage, rule, detail, moduleLoadMs, executionMs, length } = answer;
      const fits = answer.document instanceof ArrayBuffer && length <= largestDocument;
      const document = fits ? new Uint8Array(answer.document, 0, length).toBase64() : null;
      return {
        stage: plain(stage), rule: plain(rule), detail: plain(detail), moduleLoadMs: +moduleLoadMs,
        executionMs: +executionMs, document,
      };
    } finally {
      worker.terminate();
      URL.revokeObjectURL(url);
      prepare();
    }
  };
})();
