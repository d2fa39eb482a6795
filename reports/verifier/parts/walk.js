// One pass over the lines of a ledger: each row against itself, its record, the chain and the rows before it.  [audit 8.1]
// The checks of a line, in this order; the first that fails refuses the line and ends the walk:
//
//   a  frame, form of row_hash               10       g  recorded_at_us against the mode; kind of this ledger  10
//   b  row_hash recomputed                   11       h  content_hash recomputed                               13
//   c  canonical, closed, field rules        10       i  ids derived from the content                          13
//   d  no row after a seal                   12       j  id not seen before                                    14
//   e  seq, prev_hash, place of genesis      12       k  supersedes, references into the emit ledger           15
//   f  ledger_id: derived, then the same  13/12       l  live times never fall                                 12

const FRAME_OPEN = utf8('{"row":');
const FRAME_HASH = utf8(',"row_hash":"');
const FRAME_CLOSE = utf8('"}');
const FRAME_TAIL = FRAME_HASH.length + 64 + FRAME_CLOSE.length;
const LINE_LIMIT = FRAME_OPEN.length + RECORD_LIMIT + FRAME_TAIL;
const GENESIS_PREV = "0".repeat(64);
const CONTENT_AT = FRAME_OPEN.length + '{"content":'.length;
const PROVENANCE_AT = CONTENT_AT + '{"provenance":'.length;
const MOST_RULES = 1000;

class Walk {
  tree = new Tree();
  ids = new IdTable();
  genesis = null;
  ledgerId = "";
  head = GENESIS_PREV;
  recordedAt = 0;
  sealed = false;
  counts = {};
  resolved = new Map(); // rule_id -> signals with a resolution
  rowHash = new Uint8Array(32);
  digest = new Uint8Array(32);

  /** `emitted` is the finished walk of the ledger of the signals that resolutions refer to, or null. */
  constructor(emitted = null) {
    this.emitted = emitted;
  }

  /** Take in the line bytes[from:to], LF excluded; throw Fault (10-15) and change nothing where it is refused. */
  take(bytes, from, to) {
    const start = from + FRAME_OPEN.length;
    const end = to - FRAME_TAIL;
    const text = this.framed(bytes, from, to, start, end);
    const row = parseSame(text.slice(FRAME_OPEN.length, -FRAME_TAIL));
    checkRow(row);
    this.follows(row);
    const contentFrom = from + CONTENT_AT;
    const contentTo = to - (text.length - text.lastIndexOf(',"content_hash":"'));
    this.belongs(row, bytes, contentFrom, contentTo);
    taggedHashInto(this.digest, row.kind, bytes, contentFrom, contentTo);
    const contentHash = hex(this.digest);
    if (contentHash !== row.content_hash) {
      throw new Fault(13, "content_hash is not the hash of this content", contentHash, row.content_hash);
    }
    this.named(row, text, bytes, from, to);
    const id = keyOf(row);
    if (id !== null && this.ids.find(id) >= 0) throw new Fault(14, `expected a new id, was ${idText(row)} again`, null, idText(row));
    this.refers(row);
    const when = row.recorded_at_us;
    if (when !== null && when < this.recordedAt) {
      throw new Fault(12, "recorded_at_us fell", `${this.recordedAt} or later`, String(when));
    }
    this.accept(row, id, bytes, start, end);
  }

  accept(row, id, bytes, start, end) {
    this.tree.add(bytes, start, end);
    this.head = hex(this.rowHash);
    if (id !== null) this.ids.add(id, rowMark(this.rowHash));
    this.counts[row.kind] = (this.counts[row.kind] ?? 0) + 1;
    this.recordedAt = row.recorded_at_us ?? 0;
    this.sealed = row.kind === "seal";
    if (row.kind === "genesis") {
      this.genesis = row.content;
      this.ledgerId = row.ledger_id;
    } else if (row.kind === "resolution" && row.content.revision === 0) {
      const rule = row.content.rule_id;
      if (this.resolved.has(rule) || this.resolved.size < MOST_RULES) this.resolved.set(rule, (this.resolved.get(rule) ?? 0) + 1);
    }
  }

  /** Checks a, b. Leaves the recomputed hash in `rowHash` and returns the line as text. */
  framed(bytes, from, to, start, end) {
    if (to - from > LINE_LIMIT) throw new Fault(10, `expected a row of at most ${RECORD_LIMIT} bytes, was a line of more than ${LINE_LIMIT}`);
    const shaped = end > start && hasAt(bytes, from, FRAME_OPEN) && hasAt(bytes, end, FRAME_HASH)
      && hasAt(bytes, to - FRAME_CLOSE.length, FRAME_CLOSE);
    const digits = end + FRAME_HASH.length;
    let same = true;
    for (let i = 0; shaped && i < 64; i++) if (hexDigit(bytes[digits + i]) < 0) same = false;
    if (!shaped || !same) throw new Fault(10, 'expected a line {"row":...,"row_hash":"<64 hex>"}, was another frame');
    taggedHashInto(this.rowHash, "row", bytes, start, end);
    for (let i = 0; i < 32; i++) {
      if (this.rowHash[i] !== (hexDigit(bytes[digits + 2 * i]) << 4 | hexDigit(bytes[digits + 2 * i + 1]))) same = false;
    }
    if (!same) {
      const found = utf8Text(bytes.subarray(digits, digits + 64));
      throw new Fault(11, "row_hash is not the hash of these bytes", hex(this.rowHash), found);
    }
    try {
      return utf8Text(bytes.subarray(from, to));
    } catch {
      throw new Fault(10, "expected UTF-8 text");
    }
  }

  /** Checks d, e. */
  follows(row) {
    const seq = this.tree.size;
    if (this.sealed) throw new Fault(12, "expected no row after the seal, was one");
    if (row.seq !== seq) throw new Fault(12, "seq does not count on", String(seq), String(row.seq));
    if (row.prev_hash !== this.head) throw new Fault(12, "prev_hash is not the row_hash of the row before", this.head, row.prev_hash);
    if ((row.kind === "genesis") !== (seq === 0)) throw new Fault(12, `expected the genesis in row 0 and only there, was ${row.kind}`);
  }

  /** Checks f, g. */
  belongs(row, bytes, contentFrom, contentTo) {
    const genesis = this.genesis ?? row.content;
    if (this.genesis === null) {
      taggedHashInto(this.digest, "ledger", bytes, contentFrom, contentTo);
      const derived = uuid5(NS_LEDGER, hex(this.digest));
      if (derived !== row.ledger_id) throw new Fault(13, "ledger_id is not derived from this genesis", derived, row.ledger_id);
    } else if (row.ledger_id !== this.ledgerId) {
      throw new Fault(12, "ledger_id is that of another ledger", this.ledgerId, row.ledger_id);
    }
    if ((row.recorded_at_us === null) !== (genesis.mode === "backtest")) {
      throw new Fault(10, `expected recorded_at_us null in backtest mode and a time in live mode, was ${row.recorded_at_us} in ${genesis.mode} mode`);
    }
    if (row.kind !== "genesis" && row.kind !== "seal" && row.kind !== KIND_OF_LEDGER[genesis.ledger_kind]) {
      throw new Fault(10, `expected rows of kind ${KIND_OF_LEDGER[genesis.ledger_kind]} in this ledger, was ${row.kind}`);
    }
  }

  /** Check i. */
  named(row, text, bytes, from, to) {
    const content = row.content;
    if (row.kind === "signal") {
      const provenanceTo = to - (text.length - text.lastIndexOf(',"provenance_hash":"'));
      taggedHashInto(this.digest, "provenance", bytes, from + PROVENANCE_AT, provenanceTo);
      const digest = hex(this.digest);
      sameName("provenance_hash", digest, content.provenance_hash);
      sameName("signal_id", uuid5(NS_SIGNAL, digest), content.signal_id);
    } else if (row.kind === "resolution") {
      sameName("resolution_id", resolutionId(content.signal_id, content.rule_id, content.revision), content.resolution_id);
    } else if (row.kind === "look") {
      sameName("look_id", lookId(content), content.look_id);
    }
  }

  /** Check k. */
  refers(row) {
    const content = row.content;
    if (row.kind === "genesis" && this.emitted !== null && content.emit_ledger_id !== this.emitted.ledgerId) {
      throw new Fault(15, "emit_ledger_id is not that of the emit ledger given", this.emitted.ledgerId, String(content.emit_ledger_id));
    }
    if (row.kind !== "resolution") return;
    if (content.revision > 0) {
      const before = resolutionId(content.signal_id, content.rule_id, content.revision - 1);
      const reason = `supersedes is not the row hash of revision ${content.revision - 1} in this ledger`;
      pointsAt(this.ids, before, content.supersedes, reason, "own");
    }
    if (this.emitted !== null) {
      pointsAt(this.emitted.ids, content.signal_id, content.signal_row_hash, "signal_row_hash is not the row hash of its signal in the emit ledger", "emit");
    }
  }
}

function sameName(field, expected, found) {
  if (found !== expected) throw new Fault(13, `${field} is not derived from this content`, expected, found);
}

/** Throw Fault (15) unless `ids` knows `id` with this row hash; the fault says which row of which ledger was meant. */
function pointsAt(ids, id, rowHash, reason, ledger) {
  const at = ids.find(idWords(uuidBytes(id)));
  if (at >= 0 && ids.marked(at, rowMark(fromHex(rowHash)))) return;
  const fault = new Fault(15, reason, at < 0 ? "no such record" : null, rowHash);
  if (at >= 0) fault.meant = { ledger, row: at + 1 };
  throw fault;
}

/** Return the id of a record as four words; the genesis and the seal are unique by their places and have none. */
function keyOf(row) {
  if (row.kind === "signal" || row.kind === "resolution") return idWords(uuidBytes(idText(row)));
  return row.kind === "look" ? idWords(sha256(utf8(idText(row)))) : null;
}

function idText(row) {
  return row.kind === "look" ? `${row.content.look_id}/${row.content.event}` : row.content[`${row.kind}_id`];
}
