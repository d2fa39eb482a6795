// The Merkle tree hash of a ledger's rows (RFC 6962, section 2.1): what a checkpoint holds.  [audit 7.1]
//   leaf = SHA-256(0x00 || row), node = SHA-256(0x01 || left || right), empty tree = SHA-256 of nothing

const LEAF = new Uint8Array([0]);
const NODE = new Uint8Array([1]);

function nodeHash(left, right) {
  const out = new Uint8Array(32);
  sha256Begin();
  sha256Update(NODE, 0, 1);
  sha256Update(left, 0, 32);
  sha256Update(right, 0, 32);
  sha256Finish(out, 0);
  return out;
}

/** The tree hash so far: one hash for each set bit of the number of leaves, largest subtree first. */
class Tree {
  size = 0;
  stack = [];

  /** Append the leaf bytes[from:to]. */
  add(bytes, from, to) {
    let node = new Uint8Array(32);
    sha256Begin();
    sha256Update(LEAF, 0, 1);
    sha256Update(bytes, from, to);
    sha256Finish(node, 0);
    for (let size = this.size; size % 2 === 1; size = Math.floor(size / 2)) node = nodeHash(this.stack.pop(), node);
    this.stack.push(node);
    this.size += 1;
  }

  /** Return the tree hash of the leaves so far, 32 bytes. */
  root() {
    if (this.size === 0) return sha256(new Uint8Array(0));
    return this.stack.reduceRight((node, left) => (node === null ? left : nodeHash(left, node)), null);
  }
}
