// Two copies of one ledger: the same, one the beginning of the other, or proof of two histories.  [audit 8.4]

/** Return {relation, common_rows, exit} of two files that both hold as ledgers; a fork is 16. */
async function compareFiles(a, b) {
  const shorter = Math.min(a.size, b.size);
  let rows = 0;
  for (let at = 0; at < shorter; at += SLICE) {
    const end = Math.min(at + SLICE, shorter);
    const [one, other] = (await Promise.all([a.slice(at, end).arrayBuffer(), b.slice(at, end).arrayBuffer()])).map((part) => new Uint8Array(part));
    for (let i = 0; i < one.length; i++) {
      if (one[i] !== other[i]) return { relation: "fork", common_rows: rows, exit: 16 };
      if (one[i] === LF) rows += 1;
    }
  }
  return { relation: a.size === b.size ? "same" : "prefix", common_rows: rows, exit: 0 };
}

/** Compare the copy given with the ledger of the same name among the reports; the copy must hold by itself. */
async function compareCopy(given, out, progress) {
  const context = { emitted: null, emitFile: null, checkpoints: [], anchors: null };
  const { report } = await verifyLedger("copy", given.copy, context, progress);
  const other = out.reports.find((item) => item.ledger_id === report.ledger_id && item.ledger_id !== null);
  const shown = { name: given.copy.name, with: other?.file ?? null, relation: null, common_rows: null, rows: report.rows };
  if (report.exit !== 0) return { ...shown, exit: report.exit, reason: `the copy does not hold: ${report.reason}` };
  if (other === undefined) return { ...shown, exit: 12, reason: `the copy is of ledger ${report.ledger_id}, which is not among the ledgers given` };
  return { ...shown, ...await compareFiles(given[other.role], given.copy), reason: null };
}
