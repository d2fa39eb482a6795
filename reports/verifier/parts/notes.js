// Checkpoints and signed notes: the text that fixes a ledger at a size, and who published it.  [audit 7.1, 7.2]

const NOTE_LIMIT = 65536;
const SIZE_TEXT = /^(?:0|[1-9][0-9]{0,15})$/;
const ORIGIN = "cme-audit/";
const ED25519 = 1;
const COSIGNATURE = 4;

/** Return {ledgerId, size, root} of a checkpoint's three lines; throw Fault (16) for whatever the writer would not write. */
function parseCheckpoint(text) {
  const parts = text.split("\n");
  if (parts.length !== 4 || parts[3] !== "") throw new Fault(16, "expected a checkpoint of three lines that end with LF");
  const [origin, size, rootText] = parts;
  const ledgerId = origin.slice(ORIGIN.length);
  if (!origin.startsWith(ORIGIN) || !UUID_TEXT.test(ledgerId)) throw new Fault(16, `expected the origin ${ORIGIN}<ledger id>, was ${shown(origin)}`);
  if (!SIZE_TEXT.test(size) || !Number.isSafeInteger(Number(size))) throw new Fault(16, `expected a number of rows in plain digits, was ${shown(size)}`);
  const root = fromBase64(rootText);
  if (root === null || root.length !== 32) throw new Fault(16, `expected the base64 of 32 bytes, was ${shown(rootText)}`);
  return { ledgerId, size: Number(size), root };
}

/** Return the whole text of a checkpoint file; throw Fault (16). */
function noteText(bytes) {
  if (bytes.length > NOTE_LIMIT) throw new Fault(16, `expected a checkpoint of at most ${NOTE_LIMIT} bytes, was ${bytes.length}`);
  try {
    return utf8Text(bytes);
  } catch {
    throw new Fault(16, "expected a checkpoint in UTF-8");
  }
}

/** Return what is signed of a note: all of a plain text, or what stands before the signatures. */
function noteBody(note) {
  const blank = note.lastIndexOf("\n\n");
  return blank < 0 ? note : note.slice(0, blank + 1);
}

/** Return the signatures of a note as {name, id, bytes}, [] for a plain text; throw Fault (17) for a malformed note. */
function parseSignatures(note) {
  const blank = note.lastIndexOf("\n\n");
  if (blank < 0) return [];
  if (!note.endsWith("\n") || blank === note.length - 2 || /[\u0000-\u0009\u000b-\u001f]/.test(note)) {
    throw new Fault(17, "expected a text, an empty line and signature lines, was another form");
  }
  return note.slice(blank + 2, -1).split("\n").map((line) => {
    const match = /^\u2014 ([^\s+]{1,512}) ([A-Za-z0-9+/=]+)$/u.exec(line);
    const bytes = match === null ? null : fromBase64(match[2]);
    if (bytes === null || bytes.length < 5) throw new Fault(17, `expected a signature line, was ${shown(line)}`);
    return { name: match[1], id: hex(bytes.slice(0, 4)), bytes: bytes.slice(4) };
  });
}

/** Return {name, id, algorithm, key} of a verification key `<name>+<id>+<base64>`; throw Fault (2) for any other text. */
function parseKey(text) {
  const match = /^([^\s+]{1,512})\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/u.exec(text);
  const bytes = match === null ? null : fromBase64(match[3]);
  if (bytes === null || bytes.length !== 33 || (bytes[0] !== ED25519 && bytes[0] !== COSIGNATURE)) {
    throw new Fault(2, `expected a key <name>+<8 hex>+<base64 of an Ed25519 key>, was ${shown(text)}`);
  }
  const name = utf8(`${match[1]}\n`);
  const id = hex(sha256(joined(name, bytes)).slice(0, 4));
  if (id !== match[2]) throw new Fault(2, `expected the id ${id} of this name and key, was ${match[2]}`);
  return { name: match[1], id, algorithm: bytes[0], key: bytes.slice(1) };
}

/** Return the keys of a text: one a line, empty lines left out. */
function parseKeys(text) {
  return text.split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== "").map(parseKey);
}

/** Return whether Ed25519 is to be had here: a secure page in a browser of 2025 or later. */
async function hasEd25519() {
  try {
    const { privateKey } = await crypto.subtle.generateKey({ name: "Ed25519" }, false, ["sign", "verify"]);
    return privateKey !== undefined;
  } catch {
    return false;
  }
}

/**
 * Return the state of each signature on a note against the keys its reader trusts: [{name, status, reason}], each `ok`,
 * `failed` (17) or `unchecked`. Signatures by unknown keys are unchecked; a bad one by a known key, or none by a known
 * key where keys were given, refuses the note.
 */
async function checkNote(note, keys) {
  let signatures;
  try {
    signatures = parseSignatures(note);
  } catch (fault) {
    return [{ name: null, status: "failed", reason: fault.message }];
  }
  const able = keys.length > 0 && await hasEd25519();
  const states = [];
  for (const item of signatures) {
    const key = keys.find((candidate) => candidate.name === item.name && candidate.id === item.id);
    if (key === undefined) {
      states.push({ name: item.name, status: "unchecked", reason: "no verification key given for it" });
    } else if (!able) {
      states.push({ name: item.name, status: "unchecked", reason: "this browser cannot check Ed25519 signatures on this page" });
    } else {
      const good = await signed(key, noteBody(note), item.bytes);
      states.push({ name: item.name, status: good ? "ok" : "failed", witness: key.algorithm === COSIGNATURE, reason: good ? null : `expected a good signature by ${item.name}, was a bad one` });
    }
  }
  if (keys.length > 0 && !signatures.some((item) => keys.some((key) => key.name === item.name && key.id === item.id))) {
    states.push({ name: null, status: "failed", reason: `expected a signature by ${keys.map((key) => key.name).join(", ")}, was none` });
  }
  return states;
}

/** Return whether `bytes` is a signature of `text` by `key`; a witness signs the time it states before the text. */
async function signed(key, text, bytes) {
  let message = utf8(text);
  let signature = bytes;
  if (key.algorithm === COSIGNATURE) {
    const time = bytes.slice(0, 8).reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
    message = joined(utf8(`cosignature/v1\ntime ${time}\n`), message);
    signature = bytes.slice(8);
  }
  try {
    const handle = await crypto.subtle.importKey("raw", key.key, { name: "Ed25519" }, false, ["verify"]);
    return await crypto.subtle.verify({ name: "Ed25519" }, handle, signature, message);
  } catch {
    return false;
  }
}
