// Rows whose text alone shows that they hold: check c of audit 8.1 in one pass, without parsing.
//
// The tables are closed and the keys of CJ1 stand in one order, so the canonical texts of a signal or an outcome are a
// regular language; its patterns are made from those tables. What matches is canonical and holds its grammars; what fields
// must hold among each other is then asked of the parts. Undefined says nothing: the row is then parsed, and `checkRow`
// accepts it or names the fault.

/**
 * Return the pattern of the canonical texts of `shape`; the fields of `taken` are groups, without quotes. `inner` gives the
 * patterns of fields that are objects or arrays.
 */
function objectForm(shape, taken = [], inner = {}) {
  const fields = shape.keys.map((key, i) => {
    const form = inner[key] ?? shape.grammars[i].form;
    if (!taken.includes(key)) return `"${key}":${form}`;
    return form.startsWith('"') ? `"${key}":"(${form.slice(1, -1)})"` : `"${key}":(${form})`;
  });
  return `\\{${fields.join(",")}\\}`;
}

/** Return the pattern of a row of one kind around this content, to be matched at a place. */
function rowForm(kind, content) {
  const taken = ["content_hash", "ledger_id", "prev_hash", "recorded_at_us", "seq"];
  return objectForm(ROW, taken, { content, kind: `"${kind}"` });
}

function sticky(pattern) {
  return new RegExp(pattern, "y");
}

const SIGNAL_PARTS = rowForm("signal", objectForm(SIGNAL, ["provenance_hash", "signal_id"], {
  provenance: objectForm(PROVENANCE, ["as_of_us"], { engine: objectForm(ENGINE), inputs: "\\[<>\\]", params: "\\{<>\\}" }),
  result: objectForm(RESULT),
})).split("<>").map(sticky);
const INPUT_FIELDS = ["role", "venue", "instrument", "ts_us", "from_us", "to_us"];
const [QUOTE_INPUT, SCALAR_INPUT, SERIES_INPUT] = ["quote", "scalar", "series"].map((kind) => sticky(`${objectForm(INPUT_KINDS.get(kind), INPUT_FIELDS)},?`));
const PARAM = sticky(`"(${KEY.source.slice(1, -1)})":${DEC.form.replace("\\.[0-9]{0,17}[1-9]", "\\.([0-9]{0,17}[1-9])")},?`);
const RESOLUTION_UNREAD = ["schema", "exit_reason", "notional_usd", "return_bps", "evidence_hash"];
const RESOLUTION_ROW = sticky(rowForm("resolution", objectForm(RESOLUTION, RESOLUTION.keys.filter((key) => !RESOLUTION_UNREAD.includes(key)))));

const KNOWN = { emit: knownSignal, resolution: knownResolution };
const QUOTE = 34;
const COMMA = 44;
const MINUS = 45;
const MILLIONTHS = [1e6, 1e5, 1e4, 1e3, 1e2, 10, 1]; // in one unit of the last place, for 0 to 6 places

/**
 * Return the row text[from:to] where it is seen to be one of this kind of ledger that `checkRow` accepts, else undefined.
 * Of its content only what later checks read.
 */
function knownRow(ledgerKind, text, from, to) {
  return KNOWN[ledgerKind]?.(text, from, to);
}

/** Return the match of a sticky pattern at a place, null for none. */
function matchAt(pattern, text, at) {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

function knownSignal(text, from, to) {
  const [opening, middle, closing] = SIGNAL_PARTS;
  const head = matchAt(opening, text, from);
  if (head === null) return undefined;
  const inputsTo = knownInputs(text, opening.lastIndex, Number(head[1]));
  if (inputsTo < 0 || matchAt(middle, text, inputsTo) === null) return undefined;
  const paramsTo = knownParams(text, middle.lastIndex);
  const rest = paramsTo < 0 ? null : matchAt(closing, text, paramsTo);
  if (rest === null || closing.lastIndex !== to) return undefined;
  const [, provenance_hash, signal_id, content_hash, ledger_id, prev_hash, recorded, seq] = rest;
  return outline("signal", { provenance_hash, signal_id }, content_hash, ledger_id, prev_hash, recorded, seq);
}

/** Return the end of the inputs from `from` on, -1 unless they hold, stand in order, and were there at the decision. */
function knownInputs(text, from, asOf) {
  let before = ["", "", "", 0];
  let at = from;
  for (let count = 0; count < MOST_INPUTS; count++) {
    const input = knownInput(text, at);
    if (input === null || input.last > asOf || input.place[3] > asOf || comesBefore(input.place, before)) return -1;
    before = input.place;
    at = input.end;
    if (text.charCodeAt(at - 1) !== COMMA) return at;
  }
  return -1;
}

/** Return the place in the order, the last time and the end of the input at `at`, null where none is seen. */
function knownInput(text, at) {
  const single = matchAt(QUOTE_INPUT, text, at) ?? matchAt(SCALAR_INPUT, text, at);
  if (single !== null) {
    const [all, instrument, role, time, venue] = single;
    return { place: [role, venue, instrument, Number(time)], last: Number(time), end: at + all.length };
  }
  const series = matchAt(SERIES_INPUT, text, at);
  if (series === null) return null;
  const [all, first, instrument, role, last, venue] = series;
  return { place: [role, venue, instrument, Number(first)], last: Number(last), end: at + all.length };
}

/** Return the end of the parameters from `from` on, -1 unless their keys are sorted and their values hold. */
function knownParams(text, from) {
  let before = "";
  let at = from;
  while (text.charCodeAt(at) === QUOTE) {
    const found = matchAt(PARAM, text, at);
    if (found === null || found[1] <= before) return -1;
    before = found[1];
    if (found[2] !== undefined && found[2].length > paramPlaces(before)) return -1;
    at = PARAM.lastIndex;
    if (text.charCodeAt(at - 1) !== COMMA) return at;
  }
  return before === "" ? at : -1;
}

function knownResolution(text, from, to) {
  const found = matchAt(RESOLUTION_ROW, text, from);
  if (found === null || RESOLUTION_ROW.lastIndex !== to) return undefined;
  const [
    , capital, entry, exit, fees, funding, gross, net, resolution_id, revisionText, rule_id, signal_id, signal_row_hash,
    slippage, supersedesText, content_hash, ledger_id, prev_hash, recorded, seq,
  ] = found;
  const revision = Number(revisionText);
  const supersedes = supersedesText === "null" ? null : supersedesText.slice(1, -1);
  const costs = smallMicro(fees) + smallMicro(slippage) + smallMicro(funding) + smallMicro(capital);
  if (Number(entry) > Number(exit) || (revision === 0) !== (supersedes === null)
    || smallMicro(net) !== smallMicro(gross) - costs) return undefined;
  const content = { resolution_id, signal_id, signal_row_hash, rule_id, revision, supersedes };
  return outline("resolution", content, content_hash, ledger_id, prev_hash, recorded, seq);
}

function outline(kind, content, content_hash, ledger_id, prev_hash, recorded, seq) {
  return { kind, content, content_hash, ledger_id, prev_hash, recorded_at_us: recorded === "null" ? null : Number(recorded), seq: Number(seq) };
}

/** Return a decimal string of at most six places in millionths, NaN for a long one: six of the others add up exactly. */
function smallMicro(text) {
  const point = text.indexOf(".");
  const places = point < 0 ? 0 : text.length - point - 1;
  if (text.length - places > 9) return NaN;
  let value = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit >= 0) value = 10 * value + digit; // the point and the sign come before the digits
  }
  value *= MILLIONTHS[places];
  return text.charCodeAt(0) === MINUS ? -value : value;
}
