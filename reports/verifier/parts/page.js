// The page: files into their places, the worker started, stopped and listened to.

const SLOTS = [
  ["emit", "Signals ledger", "emit.jsonl: what the engine said, before outcomes were known"],
  ["resolution", "Outcomes ledger", "resolution.jsonl: what became of each signal"],
  ["looks", "Looks ledger", "if there is one: each time outcomes were looked at"],
  ["checkpoints", "Checkpoints", "kept by someone else; without one, a cut or rewritten ledger looks whole"],
  ["anchors", "Anchors", "anchors.jsonl: where checkpoints were put beyond recall"],
  ["key", "Verification key", "from someone you trust, not from the bundle itself"],
  ["copy", "Second copy", "another copy of one of the ledgers, to compare"],
];
const MANY = new Set(["checkpoints"]);
const HEAD_BYTES = 70000;

const given = {};
const busy = { on: false, ready: false, placing: 0 };
let worker = null;
let placed = Promise.resolve();

function startPage(scriptText) {
  byId("script-hash").textContent = hex(sha256(utf8(scriptText)));
  const address = URL.createObjectURL(new Blob([scriptText], { type: "text/javascript" }));
  clearFiles();
  byId("pick-all").addEventListener("change", (event) => takeAll(event.target));
  byId("clear").addEventListener("click", () => {
    clearFiles();
    byId("pick-all").focus();
  });
  byId("check").addEventListener("click", check);
  byId("stop").addEventListener("click", () => {
    worker.terminate();
    rest(address);
    byId("notice").textContent = "Stopped. Nothing was decided.";
    byId("notice").focus();
  });
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    byId("drop").classList.add("over");
  });
  document.addEventListener("dragleave", () => byId("drop").classList.remove("over"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    byId("drop").classList.remove("over");
    const files = [...event.dataTransfer.files];
    inTurn(() => placeEach(files));
  });
  launch(address);
}

function byId(name) {
  return document.getElementById(name);
}

/** Start a worker; it tests itself first and is of no use before. What a worker of before still says is not heard. */
function launch(address) {
  const mine = new Worker(address);
  worker = mine;
  busy.ready = false;
  byId("selftest").textContent = "running";
  mine.onmessage = (event) => {
    if (mine === worker) hear(event.data);
  };
  mine.onerror = (event) => {
    if (mine === worker) broken(event.message ?? "the worker could not be started");
  };
}

function rest(address) {
  busy.on = false;
  launch(address);
  showFiles();
}

function hear(message) {
  if (message.type === "ready") {
    byId("selftest").textContent = message.failed.length === 0 ? "passed" : "failed";
    if (message.failed.length > 0) broken(`its self-test gave other answers than the known ones: ${message.failed.join("; ")}`);
    busy.ready = message.failed.length === 0;
  } else if (message.type === "progress") {
    showProgress(message);
    return;
  } else if (message.type === "result") {
    busy.on = false;
    showResult(message.result);
  } else {
    busy.on = false;
    broken(message.reason);
  }
  showFiles();
}

function broken(reason) {
  busy.ready = false;
  byId("broken").textContent = `This page does not work in this browser and refuses to judge anything: ${visible(String(reason))}.`;
  byId("broken").hidden = false;
  byId("selftest").textContent = "failed";
  showFiles();
}

function clearFiles() {
  for (const [slot] of SLOTS) given[slot] = MANY.has(slot) ? [] : null;
  byId("notice").textContent = "";
  byId("results").hidden = true;
  showFiles();
}

function takeAll(input) {
  const files = [...input.files];
  input.value = "";
  inTurn(() => placeEach(files));
}

/** Do the placings one after the other, in the order asked for; nothing is checked before the last is done. */
function inTurn(placing) {
  if (busy.on) return;
  busy.placing += 1;
  showFiles();
  placed = placed.then(placing).then((notice) => {
    busy.placing -= 1;
    byId("notice").textContent = notice;
    showFiles();
  });
}

/** Put each file where its content says it belongs; return the words about those that found no place or took one. */
async function placeEach(files) {
  const lost = [];
  const unread = [];
  const replaced = [];
  const opened = [];
  for (const file of files) {
    try {
      const zip = await isZip(file);
      const parts = zip ? await bundleFiles(file) : [file];
      if (zip) opened.push(`${file.name} (${counted(parts.length, "file")})`);
      for (const part of parts) {
        const slot = slotOf(await part.slice(0, HEAD_BYTES).text(), part.name);
        if (slot === null) lost.push(part.name);
        else if (await place(isSecondCopy(slot, part) ? "copy" : slot, part)) replaced.push(part.name);
      }
    } catch (error) {
      unread.push(`${file.name} (${error.message})`);
    }
  }
  const notices = [];
  if (opened.length > 0) notices.push(`Read out of the bundle: ${opened.join(", ")}. Its checkpoints were written by whoever packed it; add one that you kept yourself.`);
  if (lost.length > 0) notices.push(`Not recognised, and left out: ${lost.join(", ")}. If one belongs here, choose it in its own line.`);
  if (unread.length > 0) notices.push(`Not readable, and left out: ${unread.join(", ")}.`);
  if (replaced.length > 0) notices.push(`In the place of a file given before: ${replaced.join(", ")}. To compare two copies, choose one of them as “Second copy”.`);
  return visible(notices.join(" "));
}

function isSecondCopy(slot, file) {
  return ["emit", "resolution", "looks"].includes(slot) && given[slot] !== null && given[slot].name !== file.name;
}

/** Return the place of a file by its beginning, null where nothing is recognised. */
function slotOf(head, name) {
  if (head.startsWith("cme-audit/")) return "checkpoints";
  if (head.startsWith('{"at_us":') && head.includes('"schema":"anchor/1"')) return "anchors";
  if (/^[^\s+]+\+[0-9a-f]{8}\+[A-Za-z0-9+/=]+\s*$/.test(head)) return "key";
  const kind = /"ledger_kind":"(emit|resolution|looks)"/.exec(head.split("\n", 1)[0]);
  if (kind !== null) return kind[1];
  if (head.startsWith('{"row":') || name.endsWith(".jsonl")) return name.includes("resolution") ? "resolution" : "emit";
  return name.endsWith(".ckpt") ? "checkpoints" : null;
}

/**
 * Put a file into its place; return whether another one had to leave it. Files are distinguished by their bytes: the entries
 * of an archive may share name, size and time.
 */
async function place(slot, file) {
  if (MANY.has(slot)) {
    for (const other of given[slot]) if (await sameContent(other, file)) return false;
    given[slot].push(file);
    return false;
  }
  const before = given[slot];
  given[slot] = file;
  return before !== null && !(await sameContent(before, file));
}

async function sameContent(a, b) {
  if (a.size !== b.size) return false;
  for (let at = 0; at < a.size; at += SLICE) {
    const [left, right] = await Promise.all([a, b].map((file) => file.slice(at, at + SLICE).arrayBuffer()));
    const other = new Uint8Array(right);
    if (!new Uint8Array(left).every((byte, i) => byte === other[i])) return false;
  }
  return true;
}

/** Show the files and what may be done with them now; the focus stays where it was. */
function showFiles() {
  const focused = document.activeElement?.closest("[data-slot]")?.dataset.slot;
  const still = busy.on || busy.placing > 0;
  byId("give").setAttribute("aria-busy", String(still));
  byId("slots").replaceChildren(...SLOTS.map(([slot, title, hint]) => slotView(slot, title, hint)));
  const some = SLOTS.some(([slot]) => (MANY.has(slot) ? given[slot].length > 0 : given[slot] !== null));
  const ledger = given.emit !== null || given.resolution !== null || given.looks !== null;
  byId("check").disabled = still || !busy.ready || !ledger;
  byId("need").hidden = still || !some || ledger;
  byId("clear").disabled = still || !some;
  byId("stop").hidden = !busy.on;
  byId("progress").hidden = !busy.on;
  byId("pick-all").disabled = busy.on;
  if (focused !== undefined) document.querySelector(`[data-slot="${focused}"] input`).focus();
}

function slotView(slot, title, hint) {
  const files = MANY.has(slot) ? given[slot] : [given[slot]].filter((file) => file !== null);
  const text = files.map((file) => `${file.name} (${size(file.size)})`).join(", ");
  const input = element("input", { type: "file", class: "quiet", "aria-label": `Choose a file: ${title}` });
  input.multiple = MANY.has(slot);
  input.disabled = busy.on;
  input.addEventListener("change", () => {
    const files = [...input.files];
    inTurn(async () => {
      for (const file of files) {
        if (await isZip(file)) return placeEach(files);
        await place(slot, file);
      }
      return "";
    });
  });
  const tools = element("span", { class: "tools" }, element("label", { class: "button small" }, "Choose", input));
  if (files.length > 0 && !busy.on && busy.placing === 0) {
    const remove = element("button", { type: "button", class: "button small", "aria-label": `Remove: ${title}` }, "Remove");
    remove.addEventListener("click", () => {
      given[slot] = MANY.has(slot) ? [] : null;
      showFiles();
    });
    tools.append(remove);
  }
  return element("li", { class: "slot", "data-slot": slot }, element("span", { class: "name" }, title),
    element("span", { class: files.length > 0 ? "files" : "files none" }, files.length > 0 ? visible(text) : hint), tools);
}

function check() {
  busy.on = true;
  byId("notice").textContent = "";
  byId("results").hidden = true;
  byId("bar").value = 0;
  byId("pace").textContent = "Reading…";
  showFiles();
  byId("stop").focus();
  worker.postMessage({ ...given });
}

function showProgress(message) {
  byId("bar").value = message.total === 0 ? 1 : message.bytes / message.total;
  const pace = message.seconds > 0 ? `, ${Math.round(message.rows / message.seconds).toLocaleString("en")} rows a second` : "";
  byId("pace").textContent = `${visible(message.name)}: ${counted(message.rows, "row")}, ${size(message.bytes)} of ${size(message.total)}${pace}`;
}

function showResult(result) {
  const views = result.reports.map(reportView);
  if (result.comparison !== null) views.push(comparisonView(result.comparison));
  for (const fault of result.files) views.push(plainView("bad", "Unusable file", fault.name, "fails", `${fault.reason} (code ${fault.exit}).`));
  byId("reports").replaceChildren(...views);
  byId("summary").className = result.exit === 0 ? "good" : "bad";
  byId("summary").textContent = summaryOf(result);
  byId("results").hidden = false;
  byId("results-title").focus();
  byId("results").scrollIntoView({ block: "start" });
}

function summaryOf(result) {
  if (result.exit !== 0) return `Something given does not hold: code ${result.exit}, ${CODE_WORDS[result.exit]}.`;
  const open = result.reports.some((report) => report.unchecked.length > 0);
  const differing = result.reports.reduce((sum, report) => sum + report.net.differing, 0);
  const net = differing === 0 ? "" : ` The net of ${counted(differing, "signal")} does not follow from its row: see “differs”.`;
  return (open ? "Everything that was checked holds. Not everything could be checked: see “not known”." : "Everything given was checked and holds.") + net;
}
