// Canonical JSON (profile CJ1): one text for one value.  [audit 2.1]

/** What does not hold: the exit code of audit 8.3, the reason, and the two values that should be equal. */
class Fault extends Error {
  constructor(code, reason, expected = null, found = null) {
    super(reason);
    this.code = code;
    this.expected = expected;
    this.found = found;
  }
}

const KEY = /^[a-z][a-z0-9_]{0,63}$/;
const FORBIDDEN = /[\u0000-\u001f\u007f-\u009f\ud800-\udfff]/u;
const PLAIN = /^[ -~]*$/;
const MAX_DEPTH = 16;
const RECORD_LIMIT = 65536;

/** Return whether `text` may stand in a record: NFC, no control characters, no lone surrogates. */
function isRecordText(text) {
  return PLAIN.test(text) || (!FORBIDDEN.test(text) && text.normalize("NFC") === text);
}

/** Return the RFC 8785 text of any JSON value: keys by UTF-16 code units, numbers as ECMAScript writes them. */
function jcs(value) {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(jcs).join(",")}]`;
  return `{${Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${jcs(value[key])}`).join(",")}}`;
}

/** Return the canonical text of a value of the domain; throw Fault (10) outside it. */
function canonical(value) {
  checkDomain(value, 0);
  return jcs(value);
}

function checkDomain(value, depth) {
  if (typeof value === "string") {
    if (!isRecordText(value)) throw new Fault(10, "expected NFC text without control characters");
  } else if (typeof value === "number") {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) throw new Fault(10, `expected an integer within 2^53 - 1, was ${value}`);
  } else if (typeof value === "object" && value !== null) {
    if (depth >= MAX_DEPTH) throw new Fault(10, `expected a depth of at most ${MAX_DEPTH}`);
    for (const [key, item] of Object.entries(value)) {
      if (!Array.isArray(value) && !KEY.test(key)) throw new Fault(10, `expected a key [a-z][a-z0-9_]{0,63}, was ${shown(key)}`);
      checkDomain(item, depth + 1);
    }
  }
}

/**
 * Return the value of `text`, which must be exactly what a serialiser writes for it: no whitespace, no repeated key, no
 * other escapes, no other spelling of a number. Keys keep the order of the text, so whoever asks for fixed or sorted
 * keys afterwards has asked for CJ1. Throws Fault (10).
 */
function parseSame(text) {
  let value;
  let again;
  try {
    value = JSON.parse(text);
    again = JSON.stringify(value);
  } catch (error) {
    throw new Fault(10, `expected strict JSON, was: ${String(error.message).slice(0, 200)}`);
  }
  if (again !== text) throw new Fault(10, "expected canonical JSON, was another spelling of the same value");
  return value;
}

/** Return the value of the canonical `text`; throw Fault (10) for any other text. */
function parseCanonical(text) {
  const value = parseSame(text);
  if (canonical(value) !== text) throw new Fault(10, "expected canonical JSON, was another order of keys");
  return value;
}
