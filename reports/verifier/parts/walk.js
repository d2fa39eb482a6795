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
const CONTENT_HASH = ',"content_hash":"';
const PROVENANCE_HASH = ',"provenance_hash":"';
const MOST_RULES = 1000;

// Words in use for one row: its id, another id, the mark of a row hash.
const ID = new Int32Array(4);
const OTHER = new Int32Array(4);
const MARK = new Int32Array(4);

class Walk {
  tree = new Tree();
  ids = new IdTable();
  genesis = null;
  ledgerId = "";
  head = GENESIS_PREV;
  recordedAt = 0;
  sealed = false;
  planFrom = -1; // from_us of the last plan
  counts = {};
  resolved = new Map(); // rule_id -> signals with a resolution
  net = new NetCount();
  rowHash = new Uint8Array(32);
  digest = new Uint8Array(32);

  /** `emitted` is the finished walk of the ledger of the signals that resolutions refer to, or null. */
  constructor(emitted = null) {
    this.emitted = emitted;
  }

  /** Take in the line bytes[from:to], the same as `text`, LF excluded; throw Fault (10-15) and change nothing where it is refused. */
  take(bytes, text, from, to) {
    const start = from + FRAME_OPEN.length;
    const end = to - FRAME_TAIL;
    this.framed(bytes, from, to, start, end);
    const row = knownRow(this.genesis?.ledger_kind, text, start, end) ?? parsedRow(bytes, start, end);
    this.follows(row);
    const contentFrom = from + CONTENT_AT;
    const contentTo = text.lastIndexOf(CONTENT_HASH, end);
    this.belongs(row, bytes, contentFrom, contentTo);
    taggedHashInto(this.digest, row.kind, bytes, contentFrom, contentTo);
    if (!spells(bytes, contentTo + CONTENT_HASH.length, this.digest)) {
      throw new Fault(13, "content_hash is not the hash of this content", hex(this.digest), row.content_hash);
    }
    this.named(row, bytes, text, from, contentTo);
    const id = keyOf(row);
    if (id !== null && this.ids.find(id) >= 0) throw new Fault(14, `expected a new id, was ${idText(row)} again`, null, idText(row));
    this.refers(row);
    const when = row.recorded_at_us;
    if (when !== null && when < this.recordedAt) {
      throw new Fault(12, "recorded_at_us fell", `${this.recordedAt} or later`, String(when));
    }
    this.accept(row, id, bytes, text, start, end);
  }

  accept(row, id, bytes, text, start, end) {
    this.tree.add(bytes, start, end);
    this.head = text.slice(end + FRAME_HASH.length, end + FRAME_HASH.length + 64);
    if (id !== null) {
      sha256Words(MARK, this.rowHash);
      this.ids.add(id, MARK);
    }
    this.counts[row.kind] = (this.counts[row.kind] ?? 0) + 1;
    this.recordedAt = row.recorded_at_us ?? 0;
    this.sealed = row.kind === "seal";
    if (row.kind === "signal") {
      this.net.take(text.slice(start, end), row.seq);
    } else if (row.kind === "genesis") {
      this.genesis = row.content;
      this.ledgerId = row.ledger_id;
    } else if (row.kind === "plan") {
      this.planFrom = row.content.from_us;
    } else if (row.kind === "resolution" && row.content.revision === 0) {
      this.resolve(row.content.rule_id);
    }
  }

  resolve(rule) {
    const count = this.resolved.get(rule);
    if (count !== undefined) this.resolved.set(rule, count + 1);
    else if (this.resolved.size < MOST_RULES) this.resolved.set(utf8Text(utf8(rule)), 1); // a copy: a part keeps its whole slice
  }

  /** Checks a, b. Leaves the recomputed hash in `rowHash`. */
  framed(bytes, from, to, start, end) {
    if (to - from > LINE_LIMIT) throw new Fault(10, `expected a row of at most ${RECORD_LIMIT} bytes, was a line of more than ${LINE_LIMIT}`);
    const shaped = end > start && hasAt(bytes, from, FRAME_OPEN) && hasAt(bytes, end, FRAME_HASH)
      && hasAt(bytes, to - FRAME_CLOSE.length, FRAME_CLOSE);
    const digits = end + FRAME_HASH.length;
    if (shaped) {
      taggedHashInto(this.rowHash, "row", bytes, start, end);
      if (spells(bytes, digits, this.rowHash)) return;
    }
    let same = shaped;
    for (let i = 0; same && i < 64; i++) same = hexDigit(bytes[digits + i]) >= 0;
    if (!same) throw new Fault(10, 'expected a line {"row":...,"row_hash":"<64 hex>"}, was another frame');
    throw new Fault(11, "row_hash is not the hash of these bytes", hex(this.rowHash), utf8Text(bytes.subarray(digits, digits + 64)));
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
    if (row.kind !== "genesis" && row.kind !== "seal" && !ADMITTED[genesis.ledger_kind].includes(row.kind)) {
      throw new Fault(10, `expected rows of kind ${KIND_OF_LEDGER[genesis.ledger_kind]} in this ledger, was ${row.kind}`);
    }
  }

  /** Check i. */
  named(row, bytes, text, from, contentTo) {
    const content = row.content;
    if (row.kind === "signal") {
      const provenanceTo = text.lastIndexOf(PROVENANCE_HASH, contentTo);
      taggedHashInto(this.digest, "provenance", bytes, from + PROVENANCE_AT, provenanceTo);
      if (!spells(bytes, provenanceTo + PROVENANCE_HASH.length, this.digest)) sameName("provenance_hash", hex(this.digest), content.provenance_hash);
      sameUuid("signal_id", NS_SIGNAL, content.provenance_hash, content.signal_id);
    } else if (row.kind === "resolution") {
      sameUuid("resolution_id", NS_RESOLUTION, resolutionName(content.signal_id, content.rule_id, content.revision), content.resolution_id);
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
    if (row.kind === "plan" && content.from_us <= this.planFrom) {
      throw new Fault(12, "a plan begins before the one before it ends", `after ${this.planFrom}`, String(content.from_us));
    }
    if (row.kind !== "resolution") return;
    if (content.revision > 0) {
      const before = content.revision - 1;
      nameWords(OTHER, NS_RESOLUTION, resolutionName(content.signal_id, content.rule_id, before));
      pointsAt(this.ids, OTHER, content.supersedes, `supersedes is not the row hash of revision ${before} in this ledger`, "own");
    }
    if (this.emitted !== null) {
      uuidWords(OTHER, content.signal_id);
      pointsAt(this.emitted.ids, OTHER, content.signal_row_hash, "signal_row_hash is not the row hash of its signal in the emit ledger", "emit");
    }
  }
}

/** Return the row bytes[from:to], parsed; throw Fault (10). Check c where the text alone did not show it. */
function parsedRow(bytes, from, to) {
  let text;
  try {
    text = utf8Text(bytes.subarray(from, to));
  } catch {
    throw new Fault(10, "expected UTF-8 text");
  }
  const row = parseSame(text);
  checkRow(row);
  return row;
}

function sameName(field, expected, found) {
  if (found !== expected) throw new Fault(13, `${field} is not derived from this content`, expected, found);
}

/** Throw Fault (13) unless `found` is the UUIDv5 of an ASCII name. */
function sameUuid(field, namespace, name, found) {
  nameWords(OTHER, namespace, name);
  uuidWords(ID, found);
  if (!sameWords(OTHER, ID)) sameName(field, uuid5(namespace, name), found);
}

function sameWords(a, b) {
  return a[0] === b[0] && a[1] === b[1] && a[2] === b[2] && a[3] === b[3];
}

/** Throw Fault (15) unless `ids` knows `id` with this row hash; the fault says which row of which ledger was meant. */
function pointsAt(ids, id, rowHash, reason, ledger) {
  const at = ids.find(id);
  if (at >= 0) {
    sha256Words(MARK, fromHex(rowHash));
    if (ids.marked(at, MARK)) return;
  }
  const fault = new Fault(15, reason, at < 0 ? "no such record" : null, rowHash);
  if (at >= 0) fault.meant = { ledger, row: at + 1 };
  throw fault;
}

/** Return the id of a record as four words, in ID; the genesis and the seal are unique by their places and have none. */
function keyOf(row) {
  if (row.kind === "signal" || row.kind === "resolution") uuidWords(ID, idText(row));
  else if (row.kind === "look" || row.kind === "plan") sha256Words(ID, utf8(idText(row)));
  else return null;
  return ID;
}

function idText(row) {
  if (row.kind === "plan") return `plan/${row.content.from_us}`;
  return row.kind === "look" ? `${row.content.look_id}/${row.content.event}` : row.content[`${row.kind}_id`];
}
