// Bytes, hex, base64 and UTF-8: each conversion once, each strict.

const encoder = new TextEncoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const looseDecoder = new TextDecoder("utf-8", { ignoreBOM: true });
const byteDecoder = new TextDecoder("latin1");
const HEX_DIGITS = encoder.encode("0123456789abcdef");
const HEX_PAIRS = Array.from({ length: 256 }, (_, i) => i.toString(16).padStart(2, "0"));

function utf8(text) {
  return encoder.encode(text);
}

/** Return the text of UTF-8 bytes; throw where they are none. */
function utf8Text(bytes) {
  return strictDecoder.decode(bytes);
}

/** Return a text of one character a byte, so that places in both are the same; ASCII bytes are themselves in it. */
function byteText(bytes) {
  return byteDecoder.decode(bytes);
}

function hex(bytes) {
  let text = "";
  for (let i = 0; i < bytes.length; i++) text += HEX_PAIRS[bytes[i]];
  return text;
}

function fromHex(text) {
  const out = new Uint8Array(text.length >> 1);
  for (let i = 0; i < out.length; i++) out[i] = hexDigit(text.charCodeAt(2 * i)) << 4 | hexDigit(text.charCodeAt(2 * i + 1));
  return out;
}

/** Return whether the 32 bytes of `hash` are what bytes[at:at+64] spells in lower-case hex. */
function spells(bytes, at, hash) {
  for (let i = 0; i < 32; i++) {
    if (bytes[at + 2 * i] !== HEX_DIGITS[hash[i] >> 4] || bytes[at + 2 * i + 1] !== HEX_DIGITS[hash[i] & 15]) return false;
  }
  return true;
}

/** Return the value of one lower-case hex digit given by its character code, -1 for any other. */
function hexDigit(code) {
  if (code >= 48 && code <= 57) return code - 48;
  return code >= 97 && code <= 102 ? code - 87 : -1;
}

/** Return the bytes of standard base64 with padding, null for any text the encoder would not have written. */
function fromBase64(text) {
  try {
    const out = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    return toBase64(out) === text ? out : null;
  } catch {
    return null;
  }
}

function toBase64(bytes) {
  return btoa(String.fromCharCode(...bytes));
}

function joined(a, b) {
  const out = new Uint8Array(a.length + b.length);
  out.set(a);
  out.set(b, a.length);
  return out;
}

function sameBytes(a, b) {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

/** Return whether bytes[at:] begins with `part`. */
function hasAt(bytes, at, part) {
  for (let i = 0; i < part.length; i++) if (bytes[at + i] !== part[i]) return false;
  return true;
}
