// A file in slices, line by line: memory is a slice and a piece of it, whatever the file.

const SLICE = 8 * 1024 * 1024; // read at once
const PIECE = 256 * 1024; // decoded and walked at once, small enough to stay in a processor's cache
const LF = 10;

/**
 * Call `take(bytes, text, from, to, offset)` for each line of `file`, LF excluded: bytes that hold it, the same with one
 * character a byte, its ends in both, and its place in the file. `turn` is awaited after each slice with the bytes read so
 * far. Returns the bytes after the last LF as {bytes, offset}, null where there are none; gives up on a line longer than
 * any row may be. Stops where `take` returns false.
 */
async function eachLine(file, take, turn) {
  const buffer = new Uint8Array(LINE_LIMIT + 1 + PIECE);
  let held = 0;
  for (let read = 0; read < file.size;) {
    const slice = new Uint8Array(await file.slice(read, read + SLICE).arrayBuffer());
    if (slice.length === 0) throw new Fault(3, "the file became shorter while it was read");
    for (let at = 0; at < slice.length; at += PIECE) {
      const piece = slice.subarray(at, at + PIECE);
      buffer.set(piece, held);
      const filled = held + piece.length;
      const base = read + at - held;
      const text = byteText(buffer.subarray(0, filled));
      let from = 0;
      for (let to = text.indexOf("\n", held); to >= 0; to = text.indexOf("\n", from)) {
        if (take(buffer, text, from, to, base + from) === false) return null;
        from = to + 1;
      }
      held = filled - from;
      if (held > LINE_LIMIT) return { bytes: buffer.slice(from, from + LINE_LIMIT + 1), offset: base + from };
      buffer.copyWithin(0, from, filled);
    }
    read += slice.length;
    await turn(read);
  }
  return held > 0 ? { bytes: buffer.slice(0, held), offset: file.size - held } : null;
}

/** Return the row_hash that row `seq` of `file` states. */
async function statedHash(file, seq) {
  let at = 0;
  let found = null;
  await eachLine(file, (bytes, text, from, to) => {
    if (at++ < seq) return true;
    found = text.slice(to - 2 - 64, to - 2);
    return false;
  }, async () => {});
  return found;
}
