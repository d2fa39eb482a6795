// From reports to elements. Whatever comes out of a file becomes text here, never markup.

const TITLES = {
  emit: "Signals ledger", resolution: "Outcomes ledger", looks: "Looks ledger", copy: "Second copy",
};
const CODE_WORDS = {
  2: "verification key", 3: "unreadable file", 10: "malformed row", 11: "row hash", 12: "chain, sequence or order",
  13: "content hash or derived id", 14: "duplicate id", 15: "cross-ledger reference",
  16: "checkpoint: truncation, rewrite or fork", 17: "signature", 18: "anchor", 70: "internal error",
};
const CODE_MEANINGS = {
  3: "The file could not be read to its end.",
  10: "This line is not a record as the format writes it: damaged, written by something else, or against a rule of its kind.",
  11: "The row is not what was hashed when it was written: it was changed or damaged since.",
  12: "The row does not follow the one before it: something was removed, inserted, moved or exchanged here.",
  13: "The row is as it was hashed, but the hash or the name of its content is not the one that follows from that content.",
  14: "The same record was entered twice.",
  15: "The row refers to a record that is not there, or to another version of it.",
};
const OTHER_PAIR = "The two ledgers do not belong together: these outcomes were written for another signals ledger than the one given. Each may hold by itself; give the pair that belongs together.";
const ROW_CHECKS = [
  [10, "Form", "each line is one canonical record with exactly the fields of its kind; inputs are not from after the decision; net = gross − costs, exactly"],
  [11, "Row hashes", "the hash of each row, recomputed from its bytes"],
  [12, "Chain", "each row names the hash of the row before it; the rows count on; times never fall; nothing follows a seal"],
  [13, "Contents and names", "the hash of each content, and the ids that follow from it"],
  [14, "No repeats", "no id stands twice"],
  [15, "References", "a corrected outcome names the row it supersedes"],
];
const INVISIBLE = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;

/** Return a new element with these attributes and children; strings become text in which nothing is invisible. */
function element(name, attributes = {}, ...children) {
  // the lines of a <pre> are its own
  const shown = (text) => name === "pre" ? text.split("\n").map(visible).join("\n") : visible(text);
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  node.append(...children.filter((child) => child !== null).map((child) => typeof child === "string" ? shown(child) : child));
  return node;
}

function mono(text) {
  return element("span", { class: "mono" }, text);
}

function word(text) {
  return element("span", { class: "word" }, text);
}

function counted(number, noun) {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

function size(bytes) {
  if (bytes < 1000) return counted(bytes, "byte");
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

/** Return a line of a file as a reader may see it: what has no shape, or turns the text around, is written out. */
function visible(text) {
  return text.replace(INVISIBLE, (character) => `\\u{${character.codePointAt(0).toString(16)}}`);
}

function definitions(pairs) {
  const list = element("dl");
  for (const [term, value] of pairs) if (value !== null) list.append(element("dt", {}, term), element("dd", {}, value));
  return list;
}

/** Return the article of one ledger. */
function reportView(report) {
  const good = report.exit === 0;
  const verdict = element("p", { class: "verdict" }, element("span", { class: "word" }, element("span", {}, good ? "holds" : "fails")), " ", verdictText(report));
  return element("article", { class: good ? "good" : "bad" },
    element("h3", {}, TITLES[report.role], element("span", { class: "soft" }, `${report.file}, ${size(report.bytes)}`)),
    verdict,
    report.bad === null ? null : badRowView(report),
    openView(report),
    differingView(report.net),
    checksView(report),
    claimsView(report),
    factsView(report),
    element("details", { class: "no-print" }, element("summary", {}, "The same as data"), element("pre", {}, JSON.stringify(documentOf(report), null, 1))),
  );
}

function verdictText(report) {
  if (report.exit === 0) return `${report.rows === 1 ? "The one row holds" : `All ${counted(report.rows, "row")} hold`}, from the first on.`;
  if (report.bytes === 0) return "The file is empty: there is no ledger in it.";
  if (report.bad !== null) {
    if (report.rows === 0) return `Row 0, the very first, does not hold (${CODE_WORDS[report.exit]}). Nothing of this file was accepted.`;
    const before = report.rows === 1 ? "The row before it holds." : `The ${counted(report.rows, "row")} before it hold.`;
    return `Row ${report.first_bad_row} is the first that does not hold (${CODE_WORDS[report.exit]}). ${before}`;
  }
  const cut = report.first_bad_row === null ? "" : ` The first row missing is row ${report.first_bad_row}.`;
  return `The rows hold together, but not with what was kept elsewhere (${CODE_WORDS[report.exit]}).${cut}`;
}

function badRowView(report) {
  const bad = report.bad;
  return element("div", { class: "bad-box" },
    element("h4", {}, "The first bad row"),
    definitions([
      ["Row", `${report.first_bad_row}, counted from 0`],
      ["Begins at byte", bad.offset.toLocaleString("en")],
      ["What is wrong", `${bad.reason} (code ${bad.code}, ${CODE_WORDS[bad.code]})`],
      ["What that means", meaning(report)],
      ["Expected", bad.expected === null ? null : mono(visible(String(bad.expected)))],
      ["Found", bad.found === null ? null : mono(visible(String(bad.found)))],
    ]),
    bad.line === "" ? null : element("pre", { tabindex: "0", "aria-label": "the bad row as it stands in the file" }, visible(bad.line)),
  );
}

/** Return in plain words what the first fault means, null where the reason says all. */
function meaning(report) {
  if (report.bytes === 0) return "A ledger begins with a row that says which one it is; an empty file says nothing. Ask for the file again.";
  if (report.bad.code === 15 && report.rows === 0) return OTHER_PAIR;
  return CODE_MEANINGS[report.bad.code] ?? null;
}

/** Return the box of what was not, or cannot be, known; null where there is nothing. */
function openView(report) {
  if (report.unchecked.length === 0) return null;
  return element("div", { class: "open-box" },
    word("not known"),
    element("ul", {}, ...report.unchecked.map((note) => element("li", {}, visible(note)))),
    report.unchecked.includes(NO_CHECKPOINT) ? element("p", { class: "soft" }, "Ask whoever kept a checkpoint of this ledger (a witness, a clone of the repository, the text of a paper) and give it to this page too.") : null,
  );
}

/** Return the box of the signals whose net is another than their terms give; null where there is none. */
function differingView(net) {
  if (net.differing === 0) return null;
  const rows = net.rows.map((item) => element("li", {}, `row ${item.row}, signal `, mono(item.signal_id), `: ${item.net_bps} bps in the row; from its terms ${item.recomputed_bps === null ? `not computed: ${item.reason}` : `${item.recomputed_bps} bps`}`));
  return element("div", { class: "open-box net" },
    word("differs"),
    element("p", {}, `The net of ${counted(net.differing, "signal")} is not what follows from the fees, lots, rates and prices that stand in the row itself. The row is as it was written; whoever wrote it computed it otherwise.`),
    element("ul", {}, ...rows, net.differing > rows.length ? element("li", {}, `and ${counted(net.differing - rows.length, "more row")}`) : null),
  );
}

/** Return the count in words, null for a ledger without signals. */
function netText(net) {
  if (net.signals === 0) return null;
  return `recomputed ${net.recomputed} of ${net.signals} rows, differing ${net.differing}${net.no_terms === 0 ? "" : `; ${net.no_terms} state no terms`}`;
}

function checksView(report) {
  const body = element("tbody");
  for (const [code, name, words] of ROW_CHECKS) {
    const references = code === 15 && (report.genesis?.ledger_kind ?? report.role) === "resolution";
    const missing = references && report.unresolved === null;
    const text = references && !missing ? `each outcome names the row of its signal in the emit ledger; ${words}` : words;
    body.append(checkRowView(name, text, rowState(report, code)));
    if (missing) body.append(checkRowView("Signals", "that each outcome names the row of its signal", ["open", "not checked"]));
  }
  return checksTable("What was checked, row by row", body);
}

function rowState(report, code) {
  if (report.bad === null) return ["good", "holds"];
  if (report.bad.code === code) return ["bad", `fails at row ${report.first_bad_row}`];
  return report.rows === 0 ? ["open", "not reached"] : ["open", `holds before row ${report.rows}`];
}

function checkRowView(name, words, [tone, state]) {
  return element("tr", {}, element("th", { scope: "row" }, name), element("td", { class: `state ${tone}` }, state), element("td", {}, words));
}

const STATES = { ok: ["good", "holds"], failed: ["bad", "fails"], unchecked: ["open", "not checked"] };

/** Return the table of checkpoints, signatures and anchors; null where none was given. */
function claimsView(report) {
  const body = element("tbody");
  for (const claim of report.checkpoints) {
    const words = claim.reason ?? `the first ${counted(claim.size, "row")} are those the checkpoint fixes`;
    body.append(checkRowView("Checkpoint", visible(`${claim.source}: ${words}`), STATES[claim.status]));
  }
  for (const claim of report.signatures) {
    body.append(checkRowView("Signature", visible(`${claim.source}: ${claim.reason ?? `signed by ${claim.name}`}`), STATES[claim.status]));
  }
  for (const claim of report.anchors) {
    body.append(checkRowView("Anchor", visible(`${claim.method} ${claim.reference} at ${counted(claim.size, "row")}: ${claim.reason ?? "signed by this witness"}`), STATES[claim.status]));
  }
  if (body.childElementCount === 0) return null;
  return checksTable("What was kept elsewhere", body);
}

function checksTable(caption, body) {
  return element("table", { class: "checks" }, element("caption", {}, caption), body);
}

function factsView(report) {
  if (report.rows === 0) return null;
  const whole = report.bad === null;
  const keep = report.exit === 0; // nobody is told to keep a checkpoint of a ledger that does not hold against one
  const kinds = Object.entries(report.counts).map(([kind, count]) => counted(count, kind)).join(", ").replace("1 genesis", "the genesis");
  const unresolved = Object.entries(report.unresolved ?? {}).map(([rule, count]) => `${rule}: ${counted(count, "signal")}`).join("; ");
  const checkpoint = `${ORIGIN}${report.ledger_id}\n${report.rows}\n${toBase64(fromHex(report.root))}\n`;
  return element("div", {},
    definitions([
      [whole ? "Rows" : "Rows that hold", `${report.rows.toLocaleString("en")}: ${kinds}`],
      ["Study", visible(`${report.genesis.study}, ${report.genesis.mode}${report.genesis.prereg === null ? "" : `, ${report.genesis.prereg}`}`)],
      ["Without an outcome", unresolved === "" ? null : `${unresolved} (not an error by itself; the analysis has to say so)`],
      ["Net from the row alone", netText(report.net)],
      ["Ledger", mono(report.ledger_id)],
      [whole ? "Head: hash of the last row" : "Hash of the last good row", mono(report.head)],
      [whole ? "Root: one hash of all rows" : "Root: one hash of the good rows", mono(report.root)],
    ]),
    keep ? element("p", { class: "soft" }, "The checkpoint of this ledger as it stands. Keep these three lines as a text file of your own: given to this page again, they show a later cut or rewrite.") : null,
    keep ? element("pre", { tabindex: "0", "aria-label": "checkpoint of this ledger" }, checkpoint) : null,
  );
}

/** Return the object of audit 8.2. */
function documentOf(report) {
  const { exit, ledger_id, rows, head, root, first_bad_row, reason, counts, unresolved, net, checkpoints, signatures, anchors, unchecked } = report;
  return { exit, ledger_id, rows, head, root, first_bad_row, reason, counts, unresolved, net, checkpoints, signatures, anchors, unchecked };
}

/** Return the article of a faulty small file, or of a comparison. */
function plainView(tone, title, file, state, text) {
  return element("article", { class: tone },
    element("h3", {}, title, element("span", { class: "soft" }, file)),
    element("p", { class: "verdict" }, element("span", { class: "word" }, element("span", {}, state)), " ", visible(text)),
  );
}

function comparisonView(found) {
  if (found.relation === null) return plainView("bad", "Two copies", found.name, "fails", `${found.reason} (code ${found.exit}).`);
  const texts = {
    same: ["good", "same", `Both files are the same: ${counted(found.common_rows, "row")}.`],
    prefix: ["good", "one continues the other", `The first ${counted(found.common_rows, "row")} are the same; one of the two files goes on from there.`],
    fork: ["bad", "two histories", `The first ${counted(found.common_rows, "row")} are the same, then the files differ. Two files of one ledger that differ prove two histories (code 16).`],
  };
  const [tone, state, text] = texts[found.relation];
  return plainView(tone, "Two copies", `${found.with} and ${found.name}`, state, text);
}
