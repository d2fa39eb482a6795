// The worker: the same text as the page, started from a Blob of it; everything that touches a file happens here.

const PROGRESS_MS = 100;

function startWorker() {
  let last = 0;
  const progress = async (role, file, rows, bytes, started) => {
    const now = performance.now();
    if (now - last < PROGRESS_MS) return;
    last = now;
    postMessage({ type: "progress", role, name: file.name, rows, bytes, total: file.size, seconds: (now - started) / 1000 });
  };
  onmessage = async (event) => {
    try {
      postMessage({ type: "result", result: await verifyAll(event.data, progress) });
    } catch (error) {
      postMessage({ type: "broken", reason: error.message });
    }
  };
  selfTest().then(
    (failed) => postMessage({ type: "ready", failed }),
    (error) => postMessage({ type: "ready", failed: [error.message] }),
  );
}
