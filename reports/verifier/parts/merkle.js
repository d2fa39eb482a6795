// The Merkle tree hash of a ledger's rows (RFC 6962, section 2.1): what a checkpoint holds.  [audit 7.1]
//   leaf = SHA-256(0x00 || row), node = SHA-256(0x01 || left || right), empty tree = SHA-256 of nothing

const LEAF = new Uint8Array([0]);
const NODE = new Uint8Array([1]);

/** The tree hash so far: one hash for each set bit of the number of leaves, largest subtree first, side by side. */
class Tree {
  size = 0;
  depth = 0;
  stack = new Uint8Array(54 * 32);

  /** Append the leaf bytes[from:to]. */
  add(bytes, from, to) {
    sha256Begin();
    sha256Update(LEAF, 0, 1);
    sha256Update(bytes, from, to);
    sha256Finish(this.stack, 32 * this.depth);
    this.depth += 1;
    for (let size = this.size; size % 2 === 1; size = Math.floor(size / 2)) {
      this.depth -= 1;
      joinLast(this.stack, 32 * (this.depth + 1));
    }
    this.size += 1;
  }

  /** Return the tree hash of the leaves so far, 32 bytes. */
  root() {
    if (this.size === 0) return sha256(new Uint8Array(0));
    const stack = this.stack.slice(0, 32 * this.depth);
    for (let end = stack.length; end > 32; end -= 32) joinLast(stack, end);
    return stack.slice(0, 32);
  }
}

/** Put the node of the last two hashes of stack[:end] in the place of the first of them. */
function joinLast(stack, end) {
  sha256Begin();
  sha256Update(NODE, 0, 1);
  sha256Update(stack, end - 64, end);
  sha256Finish(stack, end - 64);
}
