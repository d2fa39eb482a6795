// Which ids a ledger has used, and the row hash of each, in 40 bytes a row at most.
//
// An entry is 32 bytes: the 16 bytes of the id, and the first 16 bytes of SHA-256(row hash), enough to tell whether a row
// hash named elsewhere is that row's (the full one is read again from the file when it has to be shown). With the link
// to the next entry of its bucket that makes 36 bytes; the heads of the buckets are 4 bytes for every 1 to 2 entries.

const CHUNK = 8192;
const ENTRY = 8;

class IdTable {
  size = 0;
  entries = [];
  links = [];
  heads = new Int32Array(4096).fill(-1);

  /** Return the number of the entry with this id (4 words), -1 for none. Entries count from 0 in the order they came. */
  find(id) {
    for (let at = this.heads[this.bucket(id[0], id[1])]; at >= 0; at = this.links[Math.floor(at / CHUNK)][at % CHUNK]) {
      const words = this.entries[Math.floor(at / CHUNK)];
      const i = (at % CHUNK) * ENTRY;
      if (words[i] === id[0] && words[i + 1] === id[1] && words[i + 2] === id[2] && words[i + 3] === id[3]) return at;
    }
    return -1;
  }

  /** Add an id that is not in the table, with the mark of its row hash. */
  add(id, mark) {
    if (this.size >= 2 * this.heads.length) this.grow();
    if (this.size % CHUNK === 0) {
      this.entries.push(new Int32Array(CHUNK * ENTRY));
      this.links.push(new Int32Array(CHUNK));
    }
    const words = this.entries[this.entries.length - 1];
    const i = (this.size % CHUNK) * ENTRY;
    for (let k = 0; k < 4; k++) {
      words[i + k] = id[k];
      words[i + 4 + k] = mark[k];
    }
    this.link(this.size);
    this.size += 1;
  }

  /** Return whether entry `at` has this mark. */
  marked(at, mark) {
    const words = this.entries[Math.floor(at / CHUNK)];
    const i = (at % CHUNK) * ENTRY + 4;
    return words[i] === mark[0] && words[i + 1] === mark[1] && words[i + 2] === mark[2] && words[i + 3] === mark[3];
  }

  // UUIDs are hashes already, but whoever writes a ledger can choose many with equal words, so the words are mixed.
  bucket(a, b) {
    let x = Math.imul(a ^ this.heads.length, 0x9e3779b1) ^ Math.imul(b, 0x85ebca6b);
    x ^= x >>> 15;
    return Math.imul(x, 0x2c1b3c6d) >>> 0 & this.heads.length - 1;
  }

  link(at) {
    const words = this.entries[Math.floor(at / CHUNK)];
    const bucket = this.bucket(words[(at % CHUNK) * ENTRY], words[(at % CHUNK) * ENTRY + 1]);
    this.links[Math.floor(at / CHUNK)][at % CHUNK] = this.heads[bucket];
    this.heads[bucket] = at;
  }

  grow() {
    const length = 2 * this.heads.length;
    this.heads = null;
    this.heads = new Int32Array(length).fill(-1);
    for (let at = 0; at < this.size; at++) this.link(at);
  }
}
