// UUIDv5 (RFC 9562) with its SHA-1, and the names of records.  [audit 3.2]
// A name keeps 122 bits of SHA-1 and is no integrity anchor: the 256-bit hashes stand beside it and are checked too.

const SHA1_W = new Int32Array(80);

/** Return the 20 bytes of SHA-1(bytes), for names only. */
function sha1(bytes) {
  const padded = new Uint8Array(((bytes.length + 8 >> 6) + 1) << 6);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  putInt(padded, padded.length - 4, bytes.length << 3);
  let h0 = 0x67452301, h1 = 0xefcdab89 | 0, h2 = 0x98badcfe | 0, h3 = 0x10325476, h4 = 0xc3d2e1f0 | 0;
  for (let at = 0; at < padded.length; at += 64) {
    for (let t = 0; t < 16; t++) {
      const i = at + 4 * t;
      SHA1_W[t] = padded[i] << 24 | padded[i + 1] << 16 | padded[i + 2] << 8 | padded[i + 3];
    }
    for (let t = 16; t < 80; t++) {
      const x = SHA1_W[t - 3] ^ SHA1_W[t - 8] ^ SHA1_W[t - 14] ^ SHA1_W[t - 16];
      SHA1_W[t] = x << 1 | x >>> 31;
    }
    let a = h0, b = h1, c = h2, d = h3, e = h4;
    for (let t = 0; t < 80; t++) {
      const f = t < 20 ? (b & c) | (~b & d) : t < 40 || t >= 60 ? b ^ c ^ d : (b & c) | (b & d) | (c & d);
      const k = t < 20 ? 0x5a827999 : t < 40 ? 0x6ed9eba1 : t < 60 ? 0x8f1bbcdc : 0xca62c1d6;
      const next = ((a << 5 | a >>> 27) + f + e + k + SHA1_W[t]) | 0;
      e = d;
      d = c;
      c = b << 30 | b >>> 2;
      b = a;
      a = next;
    }
    h0 = (h0 + a) | 0;
    h1 = (h1 + b) | 0;
    h2 = (h2 + c) | 0;
    h3 = (h3 + d) | 0;
    h4 = (h4 + e) | 0;
  }
  const out = new Uint8Array(20);
  [h0, h1, h2, h3, h4].forEach((word, i) => putInt(out, 4 * i, word));
  return out;
}

/** Return the 16 bytes of a UUID's text. */
function uuidBytes(text) {
  return fromHex(text.replaceAll("-", ""));
}

/** Return the UUIDv5 of `name` in the namespace given by its 16 bytes. */
function uuid5(namespace, name) {
  const tail = utf8(name);
  const message = new Uint8Array(16 + tail.length);
  message.set(namespace);
  message.set(tail, 16);
  const digest = sha1(message);
  digest[6] = digest[6] & 0x0f | 0x50;
  digest[8] = digest[8] & 0x3f | 0x80;
  const text = hex(digest);
  return `${text.slice(0, 8)}-${text.slice(8, 12)}-${text.slice(12, 16)}-${text.slice(16, 20)}-${text.slice(20, 32)}`;
}

const NAMESPACE_URL = uuidBytes("6ba7b811-9dad-11d1-80b4-00c04fd430c8");
const NS_ROOT = uuidBytes(uuid5(NAMESPACE_URL, "urn:cme-audit:1"));
const NS_SIGNAL = uuidBytes(uuid5(NS_ROOT, "signal"));
const NS_RESOLUTION = uuidBytes(uuid5(NS_ROOT, "resolution"));
const NS_LEDGER = uuidBytes(uuid5(NS_ROOT, "ledger"));
const NS_LOOK = uuidBytes(uuid5(NS_ROOT, "look"));

function resolutionId(signalId, ruleId, revision) {
  return uuid5(NS_RESOLUTION, `${signalId}/${ruleId}/${revision}`);
}

function lookId(content) {
  const { analysis_id, freeze_hash, dataset_hash, seeds_hash, replication } = content;
  const inputs = JSON.stringify([analysis_id, freeze_hash, dataset_hash, seeds_hash, replication]);
  return uuid5(NS_LOOK, taggedHash("look_id", utf8(inputs)));
}
