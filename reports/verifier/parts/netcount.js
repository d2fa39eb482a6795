// How many signal rows have the net that follows from their own terms: a count, and no check of audit 8.1.

const NET_LISTED = 100; // rows that are named; the rest is counted
const NET_UNKNOWN = "a term that the net needs is missing or is 0";
const NET_TOLERANCE = ratio(501n, 10n ** 9n); // bps: half a unit of the sixth place, and what sums of float64 may be off

/** How many signal rows were seen, recomputed, without terms and differing; the first 100 that differ in `rows`. */
class NetCount {
  signals = 0;
  recomputed = 0;
  no_terms = 0;
  differing = 0;
  rows = [];

  /** Count the signal in row `at`, whose text, seen to hold, is `text`. */
  take(text, at) {
    this.signals += 1;
    const content = text.includes('"fee_') ? JSON.parse(text).content : null;
    const row = content === null ? null : new SignalRow(content);
    if (row === null || !row.statesTerms()) {
      this.no_terms += 1;
      return;
    }
    this.recomputed += 1;
    const differing = differingNet(row, content.result.net_bps);
    if (differing === null) return;
    this.differing += 1;
    if (this.rows.length < NET_LISTED) this.rows.push({ row: at, signal_id: content.signal_id, net_bps: content.result.net_bps, ...differing });
  }

  document() {
    const { signals, recomputed, no_terms, differing, rows } = this;
    return { signals, recomputed, no_terms, differing, rows };
  }
}

/** Return {recomputed_bps, reason} where the net does not follow from the terms of the row, null where it does. */
function differingNet(row, written) {
  let again;
  try {
    again = row.net();
  } catch (error) {
    if (!(error instanceof NoValue)) throw error;
    return { recomputed_bps: null, reason: NET_UNKNOWN };
  }
  if (!isLess(NET_TOLERANCE, absolute(minus(decimalRatio(written), again)))) return null;
  return { recomputed_bps: microText(inMillionths(again)), reason: null };
}
