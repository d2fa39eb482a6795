// Does a ledger hold, and against what was that seen?  The report of audit 8.2, for each ledger given.

const NO_CHECKPOINT = "no checkpoint given: truncation or a complete rewrite would not be visible";
const NO_EMIT = "no emit ledger given: that each resolution names a row of its signal was not checked";
const BAD_EMIT = "the emit ledger given does not hold: that each resolution names a row of its signal was not checked";
const SMALL_FILE = 8 * 1024 * 1024;

/**
 * Return {exit, reports, files, comparison}: one report a ledger. `given` holds Files: emit, resolution, looks, anchors,
 * key and copy (a second copy of one of the ledgers), each or null, and checkpoints, a list. Faults of the small files
 * themselves, and of the copy, stand in `files`.
 */
async function verifyAll(given, progress) {
  const out = { exit: 0, reports: [], files: [], comparison: null };
  const keys = await readKeys(given.key, out.files);
  const checkpoints = await readCheckpoints(given.checkpoints, keys, out.files);
  const anchors = await readAnchors(given.anchors, out.files);
  let emitted = null;
  let emitFailed = false;
  let emitKind = "emit";
  for (const role of ["emit", "resolution", "looks"]) {
    const file = given[role];
    if (file === null || file === undefined) continue;
    const context = { emitted: role === "resolution" ? emitted : null, emitFile: given.emit, checkpoints, anchors };
    const { report, walk } = await verifyLedger(role, file, context, progress);
    if (role === "resolution" && emitFailed) report.unchecked = report.unchecked.map((note) => (note === NO_EMIT ? BAD_EMIT : note));
    if (role === "resolution" && emitKind !== "emit") fail(report, 15, null, `emit ledger: expected a ledger of kind emit, was one of kind ${emitKind}`);
    if (role === "emit") {
      emitKind = walk.genesis?.ledger_kind ?? "emit";
      emitFailed = report.bad !== null || emitKind !== "emit";
      emitted = emitFailed ? null : walk;
    }
    out.reports.push(report);
  }
  const known = new Set(out.reports.map((report) => report.ledger_id));
  for (const claim of checkpoints.filter((item) => !known.has(item.ledgerId))) strayCheckpoint(claim, out);
  if (given.copy) out.comparison = await compareCopy(given, out, progress);
  out.exit = [...out.reports, ...out.files, ...(out.comparison === null ? [] : [out.comparison])].map((item) => item.exit).find((code) => code !== 0) ?? 0;
  return out;
}

/** With one ledger a checkpoint of another one fails it; with several, the checkpoint is a fault of its own. */
function strayCheckpoint(claim, out) {
  const reason = `it is of ledger ${claim.ledgerId}, which was not given`;
  if (out.reports.length !== 1) {
    out.files.push({ name: claim.source, exit: 16, reason: `${claim.source}: ${reason}` });
    return;
  }
  const report = out.reports[0];
  report.checkpoints.push({ source: claim.source, size: claim.size, root: hex(claim.root), status: "failed", reason });
  fail(report, 16, null, `${claim.source}: ${reason}`);
}

/** Return the report of one ledger and its finished walk. */
async function verifyLedger(role, file, context, progress) {
  const walk = new Walk(context.emitted);
  const mine = (id) => context.checkpoints.filter((claim) => claim.ledgerId === id);
  const sizes = new Set([...context.checkpoints, ...(context.anchors ?? [])].map((item) => item.size));
  const roots = new Map([[0, walk.tree.root()]]);
  const started = performance.now();
  const bad = await walkFile(walk, file, roots, sizes, (read) => progress(role, file, walk.tree.size, read, started));
  const report = {
    role,
    file: file.name,
    bytes: file.size,
    seconds: (performance.now() - started) / 1000,
    exit: bad === null ? 0 : bad.code,
    ledger_id: walk.ledgerId === "" ? null : walk.ledgerId,
    genesis: walk.genesis,
    rows: walk.tree.size,
    head: walk.tree.size > 0 ? walk.head : null,
    root: hex(walk.tree.root()),
    first_bad_row: bad === null ? null : walk.tree.size,
    reason: bad === null ? null : `row ${walk.tree.size}: ${bad.message}`,
    bad: bad === null ? null : await described(bad, file, context.emitFile),
    counts: walk.counts,
    unresolved: null,
    net: walk.net.document(),
    checkpoints: [],
    signatures: [],
    anchors: [],
    unchecked: [],
  };
  if (context.emitted !== null) {
    const signals = context.emitted.counts.signal ?? 0;
    report.unresolved = Object.fromEntries([...walk.resolved].sort().map(([rule, count]) => [rule, signals - count]));
  }
  for (const claim of mine(report.ledger_id)) againstCheckpoint(report, claim, roots);
  const fixed = Math.max(-1, ...report.checkpoints.filter((claim) => claim.status === "ok").map((claim) => claim.size));
  if (mine(report.ledger_id).length === 0) report.unchecked.push(NO_CHECKPOINT);
  else if (fixed >= 0 && fixed < report.rows) {
    report.unchecked.push(`${report.rows - fixed} of the rows came after the newest checkpoint: cutting or rewriting them would not be visible`);
  }
  if (walk.genesis?.ledger_kind === "resolution" && context.emitted === null) report.unchecked.push(NO_EMIT);
  for (const claim of mine(report.ledger_id)) againstSignatures(report, claim);
  if (context.anchors !== null) againstAnchors(report, context, roots);
  return { report, walk };
}

/** Walk the file to its end or to the first fault, which is returned with its line and place. */
async function walkFile(walk, file, roots, sizes, turn) {
  let bad = null;
  const take = (bytes, text, from, to, offset) => {
    try {
      walk.take(bytes, text, from, to);
    } catch (error) {
      bad = located(error, bytes.subarray(from, to), offset);
      return false;
    }
    if (sizes.has(walk.tree.size)) roots.set(walk.tree.size, walk.tree.root());
    return true;
  };
  let rest = null;
  try {
    rest = await eachLine(file, take, turn);
  } catch (error) {
    return located(error instanceof Fault ? error : new Fault(3, `the file cannot be read: ${error.message}`), new Uint8Array(0), 0);
  }
  if (bad !== null) return bad;
  if (rest !== null) {
    return located(new Fault(10, `expected a whole line that ends with LF, was ${rest.bytes.length} bytes without one`), rest.bytes, rest.offset);
  }
  if (walk.tree.size === 0) return located(new Fault(12, "expected a genesis row, was an empty file"), new Uint8Array(0), 0);
  return null;
}

function located(error, line, offset) {
  const fault = error instanceof Fault ? error : new Fault(70, `this page failed: ${error.message}`);
  fault.line = looseDecoder.decode(line.subarray(0, LINE_LIMIT + 1));
  fault.offset = offset;
  return fault;
}

/** Return a fault as data; where it pointed at another row, that row's hash is read again from its file. */
async function described(fault, file, emitFile) {
  let expected = fault.expected;
  if (fault.meant !== undefined) expected = await statedHash(fault.meant.ledger === "own" ? file : emitFile, fault.meant.row);
  return { code: fault.code, reason: fault.message, offset: fault.offset, expected, found: fault.found, line: fault.line };
}

function fail(report, code, row, reason) {
  if (report.exit !== 0) return;
  report.exit = code;
  report.first_bad_row = row;
  report.reason = reason;
}

function againstCheckpoint(report, claim, roots) {
  let reason = null;
  let row = null;
  let status = "failed";
  if (claim.size > report.rows) {
    row = report.rows;
    status = report.bad === null ? "failed" : "unchecked";
    reason = report.bad === null ? `expected ${claim.size} rows, was ${report.rows}: the ledger was cut`
      : `it fixes ${claim.size} rows, and only ${report.rows} hold`;
  } else if (!sameBytes(roots.get(claim.size), claim.root)) {
    reason = `expected the root ${hex(claim.root)} at ${claim.size} rows, was ${hex(roots.get(claim.size))}: the ledger was rewritten or forked`;
  } else {
    status = "ok";
  }
  report.checkpoints.push({ source: claim.source, size: claim.size, root: hex(claim.root), status, reason });
  if (reason !== null) fail(report, 16, row, `${claim.source}: ${reason}`);
}

function againstSignatures(report, claim) {
  for (const state of claim.signatures) {
    report.signatures.push({ source: claim.source, name: state.name, status: state.status, reason: state.reason });
    if (state.status === "failed") fail(report, 17, null, `${claim.source}: ${state.reason}`);
    if (state.status === "unchecked") report.unchecked.push(`${claim.source}: signature of ${state.name}: ${state.reason}`);
  }
}

/** An anchor is `ok` only where a witness whose key was given cosigned the checkpoint of that size; elsewhere it has to be looked at. */
function againstAnchors(report, context, roots) {
  const mine = context.anchors.filter((anchor) => anchor.ledger_id === report.ledger_id);
  for (const anchor of mine) {
    const { status, reason } = anchorState(anchor, report, context.checkpoints, roots);
    report.anchors.push({ size: anchor.size, method: anchor.method, reference: anchor.reference, status, reason });
    const words = `anchor ${anchor.method} ${anchor.reference}: ${reason}`;
    if (status === "failed") fail(report, 18, null, words);
    if (status === "unchecked") report.unchecked.push(words);
  }
  if (mine.length === 0) fail(report, 18, null, `expected an anchor of ledger ${report.ledger_id}, was none`);
}

function anchorState(anchor, report, checkpoints, roots) {
  if (anchor.size > report.rows) {
    if (report.bad !== null) return { status: "unchecked", reason: `it is of ${anchor.size} rows, and only ${report.rows} hold` };
    return { status: "failed", reason: `expected ${anchor.size} rows, was ${report.rows}: the ledger was cut` };
  }
  const file = checkpoints.find((claim) => claim.sha256 === anchor.checkpoint_sha256 && !claim.signatures.some((state) => state.status === "failed"));
  const plain = `${ORIGIN}${anchor.ledger_id}\n${anchor.size}\n${toBase64(roots.get(anchor.size))}\n`;
  if (file === undefined && hex(sha256(utf8(plain))) !== anchor.checkpoint_sha256) {
    return { status: "failed", reason: `expected a checkpoint with SHA-256 ${anchor.checkpoint_sha256} at ${anchor.size} rows, was neither this ledger's nor a checkpoint file given` };
  }
  if (file !== undefined && (file.size !== anchor.size || file.ledgerId !== anchor.ledger_id)) {
    return { status: "failed", reason: `expected its file ${file.source} to be of ${anchor.size} rows of ledger ${anchor.ledger_id}, was of ${file.size} of ${file.ledgerId}` };
  }
  if (anchor.method === "witness" && file?.signatures.some((state) => state.name === anchor.reference && state.status === "ok" && state.witness)) return { status: "ok", reason: null };
  return { status: "unchecked", reason: "the ledger gives the anchored checkpoint; look at the anchor where it stands" };
}

/** Return the bytes of a small file; throw Fault (3). */
async function smallFile(file, limit = SMALL_FILE) {
  if (file.size > limit) throw new Fault(3, `expected at most ${limit} bytes, was ${file.size}`);
  return new Uint8Array(await file.arrayBuffer());
}

async function readKeys(file, faults) {
  if (!file) return [];
  try {
    return parseKeys(utf8Text(await smallFile(file, NOTE_LIMIT)));
  } catch (error) {
    faults.push({ name: file.name, exit: error.code ?? 3, reason: `${file.name}: ${error.message}` });
    return [];
  }
}

async function readCheckpoints(files, keys, faults) {
  const claims = [];
  for (const file of files ?? []) {
    try {
      const bytes = await smallFile(file);
      const note = noteText(bytes);
      const claim = parseCheckpoint(noteBody(note));
      claims.push({ ...claim, source: file.name, sha256: hex(sha256(bytes)), signatures: await checkNote(note, keys) });
    } catch (error) {
      faults.push({ name: file.name, exit: error.code ?? 3, reason: `${file.name}: ${error.message}` });
    }
  }
  return claims;
}

/** Return the anchors of a file of CJ1 lines, null without a file. */
async function readAnchors(file, faults) {
  if (!file) return null;
  const anchors = [];
  try {
    const text = utf8Text(await smallFile(file));
    const lines = text.split("\n");
    if (lines.pop() !== "") throw new Fault(18, "expected whole lines that end with LF");
    for (const line of lines) {
      const anchor = parseCanonical(line);
      closed(anchor, ANCHOR, "anchor");
      anchors.push(anchor);
    }
  } catch (error) {
    faults.push({ name: file.name, exit: 18, reason: `${file.name}, line ${anchors.length}: ${error.message}` });
  }
  return anchors;
}
