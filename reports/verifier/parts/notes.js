// Checkpoints and signed notes: the text that fixes a ledger at a size, and who published it.  [audit 7.1, 7.2]

const NOTE_LIMIT = 65536;
const MOST_SIGNATURES = 100;
const SIZE_TEXT = /^(?:0|[1-9][0-9]{0,15})$/;
const ORIGIN = "cme-audit/";
const ED25519 = 1;

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

/** Return the text of a checkpoint file: all of it, or what stands before the signatures of a note. */
function noteText(bytes) {
  if (bytes.length > NOTE_LIMIT) throw new Fault(16, `expected a checkpoint of at most ${NOTE_LIMIT} bytes, was ${bytes.length}`);
  let text;
  try {
    text = utf8Text(bytes);
  } catch {
    throw new Fault(16, "expected a checkpoint in UTF-8");
  }
  const blank = text.lastIndexOf("\n\n");
  return blank < 0 ? text : text.slice(0, blank + 1);
}

/** Return the signatures of a note as {name, hash, signature}; throw Fault (17) for a malformed note. */
function parseSignatures(note) {
  const malformed = new Fault(17, "expected a signed note: text, an empty line, and signature lines");
  const blank = note.lastIndexOf("\n\n");
  if (blank < 0 || !note.endsWith("\n") || note.length > NOTE_LIMIT || /[\u0000-\u0009\u000b-\u001f]/.test(note)) throw malformed;
  const lines = note.slice(blank + 2, -1).split("\n");
  if (lines.length > MOST_SIGNATURES) throw malformed;
  return lines.map((line) => {
    const match = /^\u2014 ([^\s+]+) ([A-Za-z0-9+/=]+)$/u.exec(line);
    const bytes = match === null ? null : fromBase64(match[2]);
    if (bytes === null || bytes.length < 5) throw malformed;
    return { name: match[1], hash: hex(bytes.slice(0, 4)), signature: bytes.slice(4) };
  });
}

/** Return {name, hash, key} of a verification key `<name>+<hash>+<base64>`; throw Fault (2) for any other text. */
function parseKey(text) {
  const match = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/u.exec(text);
  const bytes = match === null ? null : fromBase64(match[3]);
  if (bytes === null || bytes.length !== 33 || bytes[0] !== ED25519) {
    throw new Fault(2, "expected a verification key <name>+<8 hex>+<base64 of an Ed25519 key>");
  }
  const name = utf8(`${match[1]}\n`);
  const message = new Uint8Array(name.length + bytes.length);
  message.set(name);
  message.set(bytes, name.length);
  const hash = hex(sha256(message).slice(0, 4));
  if (hash !== match[2]) throw new Fault(2, `expected the key id ${hash} of this key, was ${match[2]}`);
  return { name: match[1], hash, key: bytes.slice(1) };
}

/** Return the keys of a text: one a line, empty lines left out. */
function parseKeys(text) {
  return text.split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== "").map(parseKey);
}

/** Return whether Ed25519 is to be had here. */
async function hasEd25519() {
  try {
    return globalThis.crypto?.subtle !== undefined
      && Boolean(await crypto.subtle.importKey("raw", new Uint8Array(32).fill(1), { name: "Ed25519" }, false, ["verify"]));
  } catch (error) {
    return error.name === "DataError";
  }
}

/**
 * Return {status, reason} of a note's signatures against the keys its reader trusts: `ok`, `failed` (17), `unchecked`.
 * Signatures by unknown keys are ignored; a bad one by a known key, or none by a known key, refuses the note.
 */
async function checkNote(note, keys) {
  let signatures;
  try {
    signatures = parseSignatures(note);
  } catch (fault) {
    return { status: "failed", reason: fault.message };
  }
  const pairs = [];
  for (const item of signatures) {
    const key = keys.find((candidate) => candidate.name === item.name && candidate.hash === item.hash);
    if (key !== undefined) pairs.push([key, item.signature]);
  }
  if (pairs.length === 0) return { status: "failed", reason: "no signature by the key given" };
  if (!(await hasEd25519())) return { status: "unchecked", reason: "this browser has no Ed25519 here" };
  const message = utf8(note.slice(0, note.lastIndexOf("\n\n") + 1));
  for (const [key, signature] of pairs) {
    const handle = await crypto.subtle.importKey("raw", key.key, { name: "Ed25519" }, false, ["verify"]);
    if (!(await crypto.subtle.verify({ name: "Ed25519" }, handle, signature, message))) {
      return { status: "failed", reason: `the signature of ${key.name} does not fit this text` };
    }
  }
  const names = pairs.map(([key]) => key.name);
  return { status: "ok", reason: `signed by ${names.join(", ")}`, names };
}
