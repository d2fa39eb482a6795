// The grammars of single values: decimal strings, times, hashes, ids, names, free text.  [audit 2.1-2.3]

const DECIMAL = /^(?:0|-?[1-9][0-9]*|-?(?:0|[1-9][0-9]*)\.[0-9]*[1-9])$/;
const DECIMAL_LENGTH = 40;
const TEXT_LENGTH = 1024;
const MOST_INPUTS = 64;
const HEX64 = /^[0-9a-f]{64}$/;
const UUID_TEXT = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const NAME = /^[A-Za-z0-9][A-Za-z0-9_.:/+-]{0,63}$/;

function isDecimal(value, places) {
  if (typeof value !== "string" || value.length > DECIMAL_LENGTH || !DECIMAL.test(value)) return false;
  const point = value.indexOf(".");
  return point < 0 || value.length - point - 1 <= places;
}

function isText(value) {
  return typeof value === "string" && isRecordText(value)
    && (value.length <= TEXT_LENGTH || (value.length <= 2 * TEXT_LENGTH && Array.from(value).length <= TEXT_LENGTH));
}

function isObject(value) {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isParams(value) {
  if (!isObject(value)) return false;
  const keys = Object.keys(value);
  return keys.every((key, i) => KEY.test(key) && (i === 0 || keys[i - 1] < key)
    && isDecimal(value[key], paramPlaces(key)));
}

function paramPlaces(key) {
  return key.endsWith("_bps") || key.endsWith("_usd") ? 6 : 18;
}

/** Return the form of decimal texts of at most 20 digits before the point and `places` behind it. */
function quantity(places) {
  const whole = "[1-9][0-9]{0,19}";
  return `"(?:${whole}|0|-${whole}|-0(?=\\.))(?:\\.[0-9]{0,${places - 1}}[1-9]|)"`;
}

// A form is a pattern of the canonical text of a value that matches nothing the test refuses. It may miss values that
// hold (text beyond ASCII, the largest integers): whoever uses it asks the test then.
const COUNT = { words: "an integer from 0 to 2^53 - 1", holds: (value) => Number.isSafeInteger(value) && value >= 0, form: "(?:[1-8][0-9]{0,15}|9[0-9]{0,14}|0)" };
const TEXT = { words: `NFC text without control characters, at most ${TEXT_LENGTH} code points`, holds: isText, form: `"[ !#-\\[\\]-~]{0,${TEXT_LENGTH}}"` };
const DEC = { words: "a decimal string of at most 18 places", holds: (value) => isDecimal(value, 18), form: quantity(18) };
const MONEY = { words: "a decimal string of at most 6 places", holds: (value) => isDecimal(value, 6), form: quantity(6) };
const HASH = { words: "64 lower-case hex characters", holds: (value) => typeof value === "string" && HEX64.test(value), form: '"[0-9a-f]{64}"' };
const UUID = {
  words: "a lower-case hyphenated UUID",
  holds: (value) => typeof value === "string" && UUID_TEXT.test(value),
  form: '"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"',
};
const NAMED = {
  words: "a name [A-Za-z0-9][A-Za-z0-9_.:/+-]{0,63}",
  holds: (value) => typeof value === "string" && NAME.test(value),
  form: '"[A-Za-z0-9][A-Za-z0-9_.:/+-]{0,63}"',
};
const OBJECT = { words: "an object", holds: isObject };
const PARAMS = { words: "an object of decimal strings, *_bps and *_usd of at most 6 places, keys sorted", holds: isParams };
const INPUTS = { words: "an array of 1 to 64", holds: (value) => Array.isArray(value) && value.length > 0 && value.length <= MOST_INPUTS };

function orNull(grammar) {
  return { words: `${grammar.words} or null`, holds: (value) => value === null || grammar.holds(value), form: `(?:null|${grammar.form})` };
}

function oneOf(...words) {
  const allowed = new Set(words);
  return { words: words.join(" | "), holds: (value) => allowed.has(value), form: `"(?:${[...words].sort().join("|")})"` };
}

/** Return a closed table of fields, in the order CJ1 gives them. */
function table(fields) {
  const keys = Object.keys(fields).sort();
  return { keys, grammars: keys.map((key) => fields[key]) };
}

/** Throw Fault (10) for whatever is not an object of exactly the fields of `shape` in that order, each of its grammar. */
function closed(value, shape, where) {
  const keys = isObject(value) ? Object.keys(value) : null;
  if (keys === null || keys.length !== shape.keys.length || keys.some((key, i) => key !== shape.keys[i])) {
    throw new Fault(10, `${where}: expected exactly the fields ${shape.keys.join(", ")}, was ${keys === null ? shown(value) : keys.join(", ").slice(0, 400)}`);
  }
  for (let i = 0; i < keys.length; i++) {
    if (!shape.grammars[i].holds(value[keys[i]])) {
      throw new Fault(10, `${where}.${keys[i]}: expected ${shape.grammars[i].words}, was ${shown(value[keys[i]])}`);
    }
  }
}

function shown(value) {
  return String(JSON.stringify(value)).slice(0, 120);
}
