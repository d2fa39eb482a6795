// One text, two places: the page starts the worker from a Blob of the very text that the content policy allows.

if (typeof document === "undefined") startWorker();
else startPage(document.currentScript.textContent);
