// SHA-256 (FIPS 180-4) over typed arrays. One hash at a time: begin, update as often as needed, finish.

const K = new Int32Array([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
  0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
  0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
  0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
  0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
  0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
  0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
  0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
]);
const START = new Int32Array([
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
]);
const STATE = new Int32Array(8);
const BLOCK = new Uint8Array(64);
const BLOCK_VIEW = new DataView(BLOCK.buffer);
let blockUsed = 0;
let bytesHashed = 0;
let viewed = BLOCK; // the bytes hashed last, and the view through which words are read from them
let view = BLOCK_VIEW;

function sha256Begin() {
  STATE.set(START);
  blockUsed = 0;
  bytesHashed = 0;
}

function sha256Update(bytes, from, to) {
  bytesHashed += to - from;
  let at = from;
  if (blockUsed > 0) {
    const take = Math.min(64 - blockUsed, to - at);
    for (let i = 0; i < take; i++) BLOCK[blockUsed + i] = bytes[at + i];
    blockUsed += take;
    at += take;
    if (blockUsed < 64) return;
    compress(BLOCK_VIEW, 0);
    blockUsed = 0;
  }
  if (at + 64 <= to && viewed !== bytes) {
    viewed = bytes;
    view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }
  for (; at + 64 <= to; at += 64) compress(view, at);
  blockUsed = to - at;
  for (let i = 0; i < blockUsed; i++) BLOCK[i] = bytes[at + i];
}

/** Write the 32 bytes of the hash into `out` at `at`. */
function sha256Finish(out, at) {
  sha256End();
  for (let i = 0; i < 8; i++) putInt(out, at + 4 * i, STATE[i]);
}

/** Write the first four words of SHA-256(bytes) into `out`. */
function sha256Words(out, bytes) {
  sha256Begin();
  sha256Update(bytes, 0, bytes.length);
  sha256End();
  for (let i = 0; i < 4; i++) out[i] = STATE[i];
}

function sha256End() {
  BLOCK[blockUsed++] = 0x80;
  if (blockUsed > 56) {
    BLOCK.fill(0, blockUsed, 64);
    compress(BLOCK_VIEW, 0);
    blockUsed = 0;
  }
  BLOCK.fill(0, blockUsed, 56);
  BLOCK_VIEW.setInt32(56, Math.floor(bytesHashed / 0x20000000));
  BLOCK_VIEW.setInt32(60, bytesHashed << 3);
  compress(BLOCK_VIEW, 0);
}

function putInt(out, at, value) {
  out[at] = value >>> 24;
  out[at + 1] = value >>> 16;
  out[at + 2] = value >>> 8;
  out[at + 3] = value;
}

// The rounds are written out by sixteen, so that nothing is moved: the eight words keep their names, and the schedule is
// a ring of sixteen words. The three rotations of a round are nested, x ^ (x ^ (x ^ x>>>14)>>>5)>>>6, and what two rounds
// share of the majority, b ^ (a ^ b & b ^ c), is carried from one to the next in `p`. Sums end in what is known last, the
// rotated word, so that the rest is added up while a processor still waits for it.
function compress(words, at) {
  let a = STATE[0], b = STATE[1], c = STATE[2], d = STATE[3], e = STATE[4], f = STATE[5], g = STATE[6], h = STATE[7];
  let w0 = words.getInt32(at), w1 = words.getInt32(at + 4), w2 = words.getInt32(at + 8), w3 = words.getInt32(at + 12);
  let w4 = words.getInt32(at + 16), w5 = words.getInt32(at + 20), w6 = words.getInt32(at + 24), w7 = words.getInt32(at + 28);
  let w8 = words.getInt32(at + 32), w9 = words.getInt32(at + 36), w10 = words.getInt32(at + 40), w11 = words.getInt32(at + 44);
  let w12 = words.getInt32(at + 48), w13 = words.getInt32(at + 52), w14 = words.getInt32(at + 56), w15 = words.getInt32(at + 60);
  let p = b ^ c;
  let q = 0;
  let x = 0;
  let y = 0;
  for (let t = 0; ; t += 16) {
    x = e ^ (e >>> 14 | e << 18);
    x = e ^ (x >>> 5 | x << 27);
    h = (h + K[t] + w0 + (g ^ e & (f ^ g)) + (x >>> 6 | x << 26)) | 0;
    d = (d + h) | 0;
    x = a ^ (a >>> 9 | a << 23);
    x = a ^ (x >>> 11 | x << 21);
    q = a ^ b;
    h = (h + (b ^ p & q) + (x >>> 2 | x << 30)) | 0;
    p = q;
    x = d ^ (d >>> 14 | d << 18);
    x = d ^ (x >>> 5 | x << 27);
    g = (g + K[t + 1] + w1 + (f ^ d & (e ^ f)) + (x >>> 6 | x << 26)) | 0;
    c = (c + g) | 0;
    x = h ^ (h >>> 9 | h << 23);
    x = h ^ (x >>> 11 | x << 21);
    q = h ^ a;
    g = (g + (a ^ p & q) + (x >>> 2 | x << 30)) | 0;
    p = q;
    x = c ^ (c >>> 14 | c << 18);
    x = c ^ (x >>> 5 | x << 27);
    f = (f + K[t + 2] + w2 + (e ^ c & (d ^ e)) + (x >>> 6 | x << 26)) | 0;
    b = (b + f) | 0;
    x = g ^ (g >>> 9 | g << 23);
    x = g ^ (x >>> 11 | x << 21);
    q = g ^ h;
    f = (f + (h ^ p & q) + (x >>> 2 | x << 30)) | 0;
    p = q;
    x = b ^ (b >>> 14 | b << 18);
    x = b ^ (x >>> 5 | x << 27);
    e = (e + K[t + 3] + w3 + (d ^ b & (c ^ d)) + (x >>> 6 | x << 26)) | 0;
    a = (a + e) | 0;
    x = f ^ (f >>> 9 | f << 23);
    x = f ^ (x >>> 11 | x << 21);
    q = f ^ g;
    e = (e + (g ^ p & q) + (x >>> 2 | x << 30)) | 0;
    p = q;
    x = a ^ (a >>> 14 | a << 18);
    x = a ^ (x >>> 5 | x << 27);
    d = (d + K[t + 4] + w4 + (c ^ a & (b ^ c)) + (x >>> 6 | x << 26)) | 0;
    h = (h + d) | 0;
    x = e ^ (e >>> 9 | e << 23);
    x = e ^ (x >>> 11 | x << 21);
    q = e ^ f;
    d = (d + (f ^ p & q) + (x >>> 2 | x << 30)) | 0;
    p = q;
    x = h ^ (h >>> 14 | h << 18);
    x = h ^ (x >>> 5 | x << 27);
    c = (c + K[t + 5] + w5 + (b ^ h & (a ^ b)) + (x >>> 6 | x << 26)) | 0;
    g = (g + c) | 0;
    x = d ^ (d >>> 9 | d << 23);
    x = d ^ (x >>> 11 | x << 21);
    q = d ^ e;
    c = (c + (e ^ p & q) + (x >>> 2 | x << 30)) | 0;
    p = q;
    x = g ^ (g >>> 14 | g << 18);
    x = g ^ (x >>> 5 | x << 27);
    b = (b + K[t + 6] + w6 + (a ^ g & (h ^ a)) + (x >>> 6 | x << 26)) | 0;
    f = (f + b) | 0;
    x = c ^ (c >>> 9 | c << 23);
    x = c ^ (x >>> 11 | x << 21);
    q = c ^ d;
    b = (b + (d ^ p & q) + (x >>> 2 | x << 30)) | 0;
    p = q;
    x = f ^ (f >>> 14 | f << 18);
    x = f ^ (x >>> 5 | x << 27);
    a = (a + K[t + 7] + w7 + (h ^ f & (g ^ h)) + (x >>> 6 | x << 26)) | 0;
    e = (e + a) | 0;
    x = b ^ (b >>> 9 | b << 23);
    x = b ^ (x >>> 11 | x << 21);
    q = b ^ c;
    a = (a + (c ^ p & q) + (x >>> 2 | x << 30)) | 0;
    p = q;
    x = e ^ (e >>> 14 | e << 18);
    x = e ^ (x >>> 5 | x << 27);
    h = (h + K[t + 8] + w8 + (g ^ e & (f ^ g)) + (x >>> 6 | x << 26)) | 0;
    d = (d + h) | 0;
    x = a ^ (a >>> 9 | a << 23);
    x = a ^ (x >>> 11 | x << 21);
    q = a ^ b;
    h = (h + (b ^ p & q) + (x >>> 2 | x << 30)) | 0;
    p = q;
    x = d ^ (d >>> 14 | d << 18);
    x = d ^ (x >>> 5 | x << 27);
    g = (g + K[t + 9] + w9 + (f ^ d & (e ^ f)) + (x >>> 6 | x << 26)) | 0;
    c = (c + g) | 0;
    x = h ^ (h >>> 9 | h << 23);
    x = h ^ (x >>> 11 | x << 21);
    q = h ^ a;
    g = (g + (a ^ p & q) + (x >>> 2 | x << 30)) | 0;
    p = q;
    x = c ^ (c >>> 14 | c << 18);
    x = c ^ (x >>> 5 | x << 27);
    f = (f + K[t + 10] + w10 + (e ^ c & (d ^ e)) + (x >>> 6 | x << 26)) | 0;
    b = (b + f) | 0;
    x = g ^ (g >>> 9 | g << 23);
    x = g ^ (x >>> 11 | x << 21);
    q = g ^ h;
    f = (f + (h ^ p & q) + (x >>> 2 | x << 30)) | 0;
    p = q;
    x = b ^ (b >>> 14 | b << 18);
    x = b ^ (x >>> 5 | x << 27);
    e = (e + K[t + 11] + w11 + (d ^ b & (c ^ d)) + (x >>> 6 | x << 26)) | 0;
    a = (a + e) | 0;
    x = f ^ (f >>> 9 | f << 23);
    x = f ^ (x >>> 11 | x << 21);
    q = f ^ g;
    e = (e + (g ^ p & q) + (x >>> 2 | x << 30)) | 0;
    p = q;
    x = a ^ (a >>> 14 | a << 18);
    x = a ^ (x >>> 5 | x << 27);
    d = (d + K[t + 12] + w12 + (c ^ a & (b ^ c)) + (x >>> 6 | x << 26)) | 0;
    h = (h + d) | 0;
    x = e ^ (e >>> 9 | e << 23);
    x = e ^ (x >>> 11 | x << 21);
    q = e ^ f;
    d = (d + (f ^ p & q) + (x >>> 2 | x << 30)) | 0;
    p = q;
    x = h ^ (h >>> 14 | h << 18);
    x = h ^ (x >>> 5 | x << 27);
    c = (c + K[t + 13] + w13 + (b ^ h & (a ^ b)) + (x >>> 6 | x << 26)) | 0;
    g = (g + c) | 0;
    x = d ^ (d >>> 9 | d << 23);
    x = d ^ (x >>> 11 | x << 21);
    q = d ^ e;
    c = (c + (e ^ p & q) + (x >>> 2 | x << 30)) | 0;
    p = q;
    x = g ^ (g >>> 14 | g << 18);
    x = g ^ (x >>> 5 | x << 27);
    b = (b + K[t + 14] + w14 + (a ^ g & (h ^ a)) + (x >>> 6 | x << 26)) | 0;
    f = (f + b) | 0;
    x = c ^ (c >>> 9 | c << 23);
    x = c ^ (x >>> 11 | x << 21);
    q = c ^ d;
    b = (b + (d ^ p & q) + (x >>> 2 | x << 30)) | 0;
    p = q;
    x = f ^ (f >>> 14 | f << 18);
    x = f ^ (x >>> 5 | x << 27);
    a = (a + K[t + 15] + w15 + (h ^ f & (g ^ h)) + (x >>> 6 | x << 26)) | 0;
    e = (e + a) | 0;
    x = b ^ (b >>> 9 | b << 23);
    x = b ^ (x >>> 11 | x << 21);
    q = b ^ c;
    a = (a + (c ^ p & q) + (x >>> 2 | x << 30)) | 0;
    p = q;
    if (t === 48) break;
    x = w1 ^ (w1 >>> 11 | w1 << 21);
    y = w14 ^ (w14 >>> 2 | w14 << 30);
    w0 = (w0 + w9 + ((x >>> 7 | x << 25) ^ w1 >>> 3) + ((y >>> 17 | y << 15) ^ w14 >>> 10)) | 0;
    x = w2 ^ (w2 >>> 11 | w2 << 21);
    y = w15 ^ (w15 >>> 2 | w15 << 30);
    w1 = (w1 + w10 + ((x >>> 7 | x << 25) ^ w2 >>> 3) + ((y >>> 17 | y << 15) ^ w15 >>> 10)) | 0;
    x = w3 ^ (w3 >>> 11 | w3 << 21);
    y = w0 ^ (w0 >>> 2 | w0 << 30);
    w2 = (w2 + w11 + ((x >>> 7 | x << 25) ^ w3 >>> 3) + ((y >>> 17 | y << 15) ^ w0 >>> 10)) | 0;
    x = w4 ^ (w4 >>> 11 | w4 << 21);
    y = w1 ^ (w1 >>> 2 | w1 << 30);
    w3 = (w3 + w12 + ((x >>> 7 | x << 25) ^ w4 >>> 3) + ((y >>> 17 | y << 15) ^ w1 >>> 10)) | 0;
    x = w5 ^ (w5 >>> 11 | w5 << 21);
    y = w2 ^ (w2 >>> 2 | w2 << 30);
    w4 = (w4 + w13 + ((x >>> 7 | x << 25) ^ w5 >>> 3) + ((y >>> 17 | y << 15) ^ w2 >>> 10)) | 0;
    x = w6 ^ (w6 >>> 11 | w6 << 21);
    y = w3 ^ (w3 >>> 2 | w3 << 30);
    w5 = (w5 + w14 + ((x >>> 7 | x << 25) ^ w6 >>> 3) + ((y >>> 17 | y << 15) ^ w3 >>> 10)) | 0;
    x = w7 ^ (w7 >>> 11 | w7 << 21);
    y = w4 ^ (w4 >>> 2 | w4 << 30);
    w6 = (w6 + w15 + ((x >>> 7 | x << 25) ^ w7 >>> 3) + ((y >>> 17 | y << 15) ^ w4 >>> 10)) | 0;
    x = w8 ^ (w8 >>> 11 | w8 << 21);
    y = w5 ^ (w5 >>> 2 | w5 << 30);
    w7 = (w7 + w0 + ((x >>> 7 | x << 25) ^ w8 >>> 3) + ((y >>> 17 | y << 15) ^ w5 >>> 10)) | 0;
    x = w9 ^ (w9 >>> 11 | w9 << 21);
    y = w6 ^ (w6 >>> 2 | w6 << 30);
    w8 = (w8 + w1 + ((x >>> 7 | x << 25) ^ w9 >>> 3) + ((y >>> 17 | y << 15) ^ w6 >>> 10)) | 0;
    x = w10 ^ (w10 >>> 11 | w10 << 21);
    y = w7 ^ (w7 >>> 2 | w7 << 30);
    w9 = (w9 + w2 + ((x >>> 7 | x << 25) ^ w10 >>> 3) + ((y >>> 17 | y << 15) ^ w7 >>> 10)) | 0;
    x = w11 ^ (w11 >>> 11 | w11 << 21);
    y = w8 ^ (w8 >>> 2 | w8 << 30);
    w10 = (w10 + w3 + ((x >>> 7 | x << 25) ^ w11 >>> 3) + ((y >>> 17 | y << 15) ^ w8 >>> 10)) | 0;
    x = w12 ^ (w12 >>> 11 | w12 << 21);
    y = w9 ^ (w9 >>> 2 | w9 << 30);
    w11 = (w11 + w4 + ((x >>> 7 | x << 25) ^ w12 >>> 3) + ((y >>> 17 | y << 15) ^ w9 >>> 10)) | 0;
    x = w13 ^ (w13 >>> 11 | w13 << 21);
    y = w10 ^ (w10 >>> 2 | w10 << 30);
    w12 = (w12 + w5 + ((x >>> 7 | x << 25) ^ w13 >>> 3) + ((y >>> 17 | y << 15) ^ w10 >>> 10)) | 0;
    x = w14 ^ (w14 >>> 11 | w14 << 21);
    y = w11 ^ (w11 >>> 2 | w11 << 30);
    w13 = (w13 + w6 + ((x >>> 7 | x << 25) ^ w14 >>> 3) + ((y >>> 17 | y << 15) ^ w11 >>> 10)) | 0;
    x = w15 ^ (w15 >>> 11 | w15 << 21);
    y = w12 ^ (w12 >>> 2 | w12 << 30);
    w14 = (w14 + w7 + ((x >>> 7 | x << 25) ^ w15 >>> 3) + ((y >>> 17 | y << 15) ^ w12 >>> 10)) | 0;
    x = w0 ^ (w0 >>> 11 | w0 << 21);
    y = w13 ^ (w13 >>> 2 | w13 << 30);
    w15 = (w15 + w8 + ((x >>> 7 | x << 25) ^ w0 >>> 3) + ((y >>> 17 | y << 15) ^ w13 >>> 10)) | 0;
  }
  STATE[0] += a;
  STATE[1] += b;
  STATE[2] += c;
  STATE[3] += d;
  STATE[4] += e;
  STATE[5] += f;
  STATE[6] += g;
  STATE[7] += h;
}

/** Return the 32 bytes of SHA-256(bytes). */
function sha256(bytes) {
  const out = new Uint8Array(32);
  sha256Begin();
  sha256Update(bytes, 0, bytes.length);
  sha256Finish(out, 0);
  return out;
}

const PREFIXES = new Map();

/** Write H(tag, bytes[from:to]) into `out`: SHA-256("cme-audit/1/" || tag || 0x00 || message).  [audit 3.1] */
function taggedHashInto(out, tag, bytes, from, to) {
  let prefix = PREFIXES.get(tag);
  if (prefix === undefined) {
    prefix = utf8(`cme-audit/1/${tag}\0`);
    PREFIXES.set(tag, prefix);
  }
  sha256Begin();
  sha256Update(prefix, 0, prefix.length);
  sha256Update(bytes, from, to);
  sha256Finish(out, 0);
}

function taggedHash(tag, bytes) {
  const out = new Uint8Array(32);
  taggedHashInto(out, tag, bytes, 0, bytes.length);
  return hex(out);
}
