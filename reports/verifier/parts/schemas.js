// The records of a ledger as closed tables, and the rules between their fields.  [audit 4]

const KIND_OF_LEDGER = { emit: "signal", resolution: "resolution", looks: "look" };
const ADMITTED = { emit: ["signal", "plan"], resolution: ["resolution"], looks: ["look"] };

const ROW = table({
  schema: oneOf("row/1"),
  ledger_id: UUID,
  seq: COUNT,
  kind: oneOf("genesis", "signal", "resolution", "look", "plan", "seal"),
  prev_hash: HASH,
  recorded_at_us: orNull(COUNT),
  content_hash: HASH,
  content: OBJECT,
});
const GENESIS = table({
  schema: oneOf("genesis/1"),
  ledger_kind: oneOf("emit", "resolution", "looks"),
  mode: oneOf("backtest", "live"),
  study: TEXT,
  prereg: orNull(TEXT),
  freeze_hash: orNull(HASH),
  engine_hash: HASH,
  config_hash: HASH,
  dataset_hash: orNull(HASH),
  seeds_hash: orNull(HASH),
  emit_ledger_id: orNull(UUID),
  opened_at_us: orNull(COUNT),
});
const SIGNAL = table({
  schema: oneOf("signal/1"),
  signal_id: UUID,
  provenance_hash: HASH,
  provenance: OBJECT,
  result: OBJECT,
});
const RESULT = table({
  side: NAMED,
  gross_bps: MONEY,
  cost_bps: MONEY,
  net_bps: MONEY,
  size_usd: MONEY,
  ev_usd: orNull(MONEY),
});
const PROVENANCE = table({
  schema: oneOf("prov/1"),
  engine: OBJECT,
  constraint: oneOf(/*{constraints}*/),
  constraint_version: COUNT,
  underlying: NAMED,
  as_of_us: COUNT,
  inputs: INPUTS,
  params: PARAMS,
});
const ENGINE = table({ name: NAMED, version: NAMED, config_hash: HASH });
const PLACE = { role: NAMED, venue: NAMED, instrument: NAMED };
const INPUT_KINDS = new Map([
  ["quote", table({
    ...PLACE, kind: oneOf("quote"), ts_us: COUNT, bid: orNull(DEC), ask: orNull(DEC), bid_size: orNull(DEC),
    ask_size: orNull(DEC), snapshot_hash: HASH,
  })],
  ["scalar", table({ ...PLACE, kind: oneOf("scalar"), ts_us: COUNT, value: DEC, unit: TEXT, snapshot_hash: HASH })],
  ["series", table({ ...PLACE, kind: oneOf("series"), from_us: COUNT, to_us: COUNT, count: COUNT, series_hash: HASH })],
]);
const RESOLUTION = table({
  schema: oneOf("resolution/1"),
  resolution_id: UUID,
  signal_id: UUID,
  signal_row_hash: HASH,
  rule_id: NAMED,
  revision: COUNT,
  supersedes: orNull(HASH),
  entry_us: COUNT,
  exit_us: COUNT,
  exit_reason: oneOf(
    "converged", "covenant", "data_gap", "delisted", "expired", "horizon", "stopped", "venue", "void",
  ),
  gross_pnl_usd: MONEY,
  fees_usd: MONEY,
  slippage_usd: MONEY,
  funding_usd: MONEY,
  capital_usd: MONEY,
  net_pnl_usd: MONEY,
  notional_usd: MONEY,
  return_bps: orNull(MONEY),
  evidence_hash: HASH,
});
const LOOK_FIELDS = {
  schema: oneOf("look/1"),
  look_id: UUID,
  event: oneOf("abort", "close", "open"),
  analysis_id: TEXT,
  freeze_hash: HASH,
  dataset_hash: HASH,
  seeds_hash: HASH,
  emit: OBJECT,
  resolution: OBJECT,
  results_digest: orNull(HASH),
  replication: COUNT,
  replication_of: orNull(UUID),
  reason: TEXT,
};
const LOOK = table(LOOK_FIELDS);
const LOOK_2 = table({
  ...LOOK_FIELDS,
  schema: oneOf("look/2"),
  event: oneOf("abort", "blinded", "close", "open"),
  repair_of: orNull(UUID),
});
const PLAN = table({
  schema: oneOf("plan/1"),
  from_us: COUNT,
  config_hash: HASH,
  judging_hash: HASH,
  freeze_hash: orNull(HASH),
  amendment: TEXT,
});
const LEDGER_STATE = table({ ledger_id: UUID, size: COUNT, root: HASH });
const SEAL = table({ schema: oneOf("seal/1"), reason: TEXT });
const ANCHOR = table({
  schema: oneOf("anchor/1"),
  ledger_id: UUID,
  size: COUNT,
  checkpoint_sha256: HASH,
  method: oneOf("git_tag", "ots", "publication", "registry", "witness"),
  reference: TEXT,
  at_us: COUNT,
  evidence_sha256: orNull(HASH),
});

const CONTENTS = {
  genesis: (content) => closed(content, GENESIS, "genesis"),
  seal: (content) => closed(content, SEAL, "seal"),
  signal: checkSignal,
  resolution: checkResolution,
  look: checkLook,
  plan: (content) => closed(content, PLAN, "plan"),
};

/** Throw Fault (10) for a row that is not a closed row/1 around the content its kind names. */
function checkRow(row) {
  closed(row, ROW, "row");
  CONTENTS[row.kind](row.content);
}

function checkLook(content) {
  closed(content, isObject(content) && content.schema === "look/2" ? LOOK_2 : LOOK, "look");
  closed(content.emit, LEDGER_STATE, "look.emit");
  closed(content.resolution, LEDGER_STATE, "look.resolution");
}

function checkSignal(content) {
  closed(content, SIGNAL, "signal");
  closed(content.result, RESULT, "signal.result");
  checkProvenance(content.provenance);
}

/** Throw Fault (10) for a prov/1 that breaks its tables, the order of its inputs, or reads from after its decision. */
function checkProvenance(provenance) {
  closed(provenance, PROVENANCE, "provenance");
  closed(provenance.engine, ENGINE, "provenance.engine");
  let before = null;
  provenance.inputs.forEach((item, at) => {
    const where = `provenance.inputs[${at}]`;
    const shape = isObject(item) ? INPUT_KINDS.get(item.kind) : undefined;
    if (shape === undefined) throw new Fault(10, `${where}: expected the kind quote | scalar | series, was ${shown(item)}`);
    closed(item, shape, where);
    const first = item.kind === "series" ? item.from_us : item.ts_us;
    const last = item.kind === "series" ? Math.max(item.from_us, item.to_us) : item.ts_us;
    if (last > provenance.as_of_us) throw new Fault(10, `${where}: expected a time up to as_of_us ${provenance.as_of_us}, was ${last}`);
    const place = [item.role, item.venue, item.instrument, first];
    if (before !== null && comesBefore(place, before)) {
      throw new Fault(10, `${where}: expected inputs sorted by role, venue, instrument and time, was ${place.join(" ")} after ${before.join(" ")}`);
    }
    before = place;
  });
}

function comesBefore(a, b) {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i] < b[i];
  return false;
}

function checkResolution(content) {
  closed(content, RESOLUTION, "resolution");
  if (content.entry_us > content.exit_us) {
    throw new Fault(10, `resolution: expected entry_us <= exit_us ${content.exit_us}, was ${content.entry_us}`);
  }
  if ((content.revision === 0) !== (content.supersedes === null)) {
    throw new Fault(10, `resolution: expected supersedes null in revision 0 and a row hash in later ones, was ${content.supersedes} in revision ${content.revision}`);
  }
  const costs = micro(content.fees_usd) + micro(content.slippage_usd) + micro(content.funding_usd) + micro(content.capital_usd);
  const expected = micro(content.gross_pnl_usd) - costs;
  if (micro(content.net_pnl_usd) !== expected) {
    throw new Fault(10, "resolution: net_pnl_usd is not gross - fees - slippage - funding - capital", microText(expected), content.net_pnl_usd);
  }
}

/** Return a decimal string of at most six places in exact millionths. */
function micro(text) {
  const point = text.indexOf(".");
  if (point < 0) return BigInt(text) * 1000000n;
  return BigInt(text.slice(0, point) + text.slice(point + 1).padEnd(6, "0"));
}

/** Return the decimal string of exact millionths; the inverse of `micro`. */
function microText(value) {
  const sign = value < 0n ? "-" : "";
  const digits = String(value < 0n ? -value : value).padStart(7, "0");
  const fraction = digits.slice(-6).replace(/0+$/, "");
  return sign + digits.slice(0, -6) + (fraction === "" ? "" : `.${fraction}`);
}
