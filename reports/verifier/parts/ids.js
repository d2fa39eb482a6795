// UUIDv5 (RFC 9562) with its SHA-1, and the names of records.  [audit 3.2]
// A name keeps 122 bits of SHA-1 and is no integrity anchor: the 256-bit hashes stand beside it and are checked too.

const SHA1_W = new Int32Array(80);
const SHA1_STATE = new Int32Array(5);
const NAME_BYTES = new Uint8Array(256);
const NAME_VIEW = new DataView(NAME_BYTES.buffer);

/** Leave SHA-1 of the first `length` bytes in SHA1_STATE, for names only; `view` has room for the padding, which is written. */
function sha1(view, length) {
  const end = (length + 8 >> 6) + 1 << 6;
  view.setUint8(length, 0x80);
  for (let at = length + 1; at < end - 4; at++) view.setUint8(at, 0);
  view.setInt32(end - 4, length << 3);
  SHA1_STATE.set([0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0]);
  for (let at = 0; at < end; at += 64) sha1Block(view, at);
}

function sha1Block(view, at) {
  const w = SHA1_W;
  for (let t = 0; t < 16; t++) w[t] = view.getInt32(at + 4 * t);
  for (let t = 16; t < 80; t++) {
    const x = w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16];
    w[t] = x << 1 | x >>> 31;
  }
  let a = SHA1_STATE[0], b = SHA1_STATE[1], c = SHA1_STATE[2], d = SHA1_STATE[3], e = SHA1_STATE[4];
  for (let t = 0; t < 80; t++) {
    const f = t < 20 ? d ^ b & (c ^ d) : t < 40 || t >= 60 ? b ^ c ^ d : (b & c) | (d & (b | c));
    const k = t < 20 ? 0x5a827999 : t < 40 ? 0x6ed9eba1 : t < 60 ? -0x70e44324 : -0x359d3e2a;
    const next = ((a << 5 | a >>> 27) + f + e + k + w[t]) | 0;
    e = d;
    d = c;
    c = b << 30 | b >>> 2;
    b = a;
    a = next;
  }
  SHA1_STATE[0] += a;
  SHA1_STATE[1] += b;
  SHA1_STATE[2] += c;
  SHA1_STATE[3] += d;
  SHA1_STATE[4] += e;
}

/** Return the 16 bytes of a UUID's text. */
function uuidBytes(text) {
  return fromHex(text.replaceAll("-", ""));
}

/** Write the four words of a UUID's text into `out`. */
function uuidWords(out, text) {
  let k = 0;
  for (let i = 0; i < 36; i++) {
    const digit = hexDigit(text.charCodeAt(i));
    if (digit < 0) continue; // a hyphen
    out[k >> 3] = out[k >> 3] << 4 | digit;
    k += 1;
  }
}

/** Write the four words of the UUIDv5 of an ASCII name of at most 200 letters into `out`. */
function nameWords(out, namespace, name) {
  NAME_BYTES.set(namespace);
  for (let i = 0; i < name.length; i++) NAME_BYTES[16 + i] = name.charCodeAt(i);
  sha1(NAME_VIEW, 16 + name.length);
  versionFive(out);
}

/** Return the UUIDv5 of `name` in the namespace given by its 16 bytes. */
function uuid5(namespace, name) {
  const tail = utf8(name);
  const message = new Uint8Array(tail.length + 144);
  message.set(namespace);
  message.set(tail, 16);
  sha1(new DataView(message.buffer), 16 + tail.length);
  const words = new Int32Array(4);
  versionFive(words);
  const text = hex(wordBytes(words));
  return `${text.slice(0, 8)}-${text.slice(8, 12)}-${text.slice(12, 16)}-${text.slice(16, 20)}-${text.slice(20, 32)}`;
}

function versionFive(out) {
  out[0] = SHA1_STATE[0];
  out[1] = SHA1_STATE[1] & 0xffff0fff | 0x5000;
  out[2] = SHA1_STATE[2] & 0x3fffffff | 0x80000000;
  out[3] = SHA1_STATE[3];
}

function wordBytes(words) {
  const out = new Uint8Array(4 * words.length);
  words.forEach((word, i) => putInt(out, 4 * i, word));
  return out;
}

const NAMESPACE_URL = uuidBytes("6ba7b811-9dad-11d1-80b4-00c04fd430c8");
const NS_ROOT = uuidBytes(uuid5(NAMESPACE_URL, "urn:cme-audit:1"));
const NS_SIGNAL = uuidBytes(uuid5(NS_ROOT, "signal"));
const NS_RESOLUTION = uuidBytes(uuid5(NS_ROOT, "resolution"));
const NS_LEDGER = uuidBytes(uuid5(NS_ROOT, "ledger"));
const NS_LOOK = uuidBytes(uuid5(NS_ROOT, "look"));

/** Return the name of which a resolution's id is the UUIDv5; ASCII where its parts hold their grammars. */
function resolutionName(signalId, ruleId, revision) {
  return `${signalId}/${ruleId}/${revision}`;
}

function lookId(content) {
  const { analysis_id, freeze_hash, dataset_hash, seeds_hash, replication } = content;
  const inputs = JSON.stringify([analysis_id, freeze_hash, dataset_hash, seeds_hash, replication]);
  return uuid5(NS_LOOK, taggedHash("look_id", utf8(inputs)));
}
