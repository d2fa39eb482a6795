// A whole bundle given as one file: its ledgers, checkpoints and anchors are read out of the zip.  [audit 12]
// A bundle is stored, never compressed, so that each entry is a slice of the file and nothing is copied into memory.

const ZIP_END = 22; // bytes of the last record of an archive without a comment
const ZIP_ENTRY = 46;
const ZIP_LOCAL = 30;
const MOST_ENTRIES = 20000;
const MOST_DIRECTORY = 512 * MOST_ENTRIES;
const IN_BUNDLE = /^(?:ledgers\/(?:emit|resolution|looks)\.jsonl|anchors\.jsonl|checkpoints\/[0-9a-f-]{36}\/[0-9]{1,16}\.ckpt)$/;

/** Return whether a file begins as a zip does. */
async function isZip(file) {
  return isSignature(await viewOf(file, 0, 4), 0, 3, 4);
}

/**
 * Return the files of a bundle that this page checks, each named <archive>/<entry>.
 * Throw Error for an archive that is no bundle as `cme bundle` packs it; its message says what to do.
 */
async function bundleFiles(file) {
  const end = await viewOf(file, Math.max(file.size - ZIP_END, 0), file.size);
  if (end.byteLength < ZIP_END || !isSignature(end, 0, 5, 6)) throw new Error("it is no zip as bundles are packed: unpack it first, and give its files");
  const [count, length, start] = [end.getUint16(10, true), end.getUint32(12, true), end.getUint32(16, true)];
  if (length > MOST_DIRECTORY || start + length + ZIP_END !== file.size) throw new Error("its list of files is damaged, or it has more than a bundle may hold: ask for it again");
  const directory = await viewOf(file, start, start + length);
  const files = [];
  for (let n = 0, at = 0; n < count; n++) {
    if (at + ZIP_ENTRY > length || !isSignature(directory, at, 1, 2)) throw new Error("its list of files is damaged: ask for it again");
    const [nameLength, extra, comment] = [28, 30, 32].map((place) => directory.getUint16(at + place, true));
    const name = new TextDecoder().decode(new Uint8Array(directory.buffer, at + ZIP_ENTRY, Math.min(nameLength, length - at - ZIP_ENTRY)));
    if (IN_BUNDLE.test(name)) files.push(await entryFile(file, name, directory, at));
    at += ZIP_ENTRY + nameLength + extra + comment;
  }
  if (files.length === 0) throw new Error("it holds no ledger and no checkpoint where a bundle has them: unpack it first, and give its files");
  return files;
}

async function entryFile(file, name, directory, at) {
  const [flags, method] = [directory.getUint16(at + 8, true), directory.getUint16(at + 10, true)];
  const [packed, size, start] = [20, 24, 42].map((place) => directory.getUint32(at + place, true));
  if (method !== 0 || packed !== size || flags & 1) throw new Error("its files are compressed or encrypted: unpack it first, and give its files");
  const local = await viewOf(file, start, start + ZIP_LOCAL);
  const from = local.byteLength === ZIP_LOCAL ? start + ZIP_LOCAL + local.getUint16(26, true) + local.getUint16(28, true) : file.size;
  if (from + size > file.size || !isSignature(local, 0, 3, 4)) throw new Error(`its entry ${name} is damaged: ask for it again`);
  return new File([file.slice(from, from + size)], `${file.name}/${name}`, { lastModified: file.lastModified });
}

async function viewOf(file, from, to) {
  return new DataView(await file.slice(from, to).arrayBuffer());
}

/** Return whether the record at `at` begins with "PK" and these two bytes. */
function isSignature(view, at, third, fourth) {
  return view.byteLength >= at + 4 && view.getUint32(at) === (0x504b0000 | third << 8 | fourth);
}
