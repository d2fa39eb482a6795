// The net of a signal again from its row alone, in exact numbers.  [S3.1-S3.5, S3.7]
// backtest/audit/net_of_row.py is the same in Python, where each formula has its words; a change here is one there.

const NET_VERSIONS = { cash_carry: 1, triangle: 1, put_call: 1, butterfly: 1, calendar: 2, four_corner: 1, vertical: 1 };
const ZERO = ratio(0n);
const ONE = ratio(1n);
const TWO = ratio(2n);
const BPS = ratio(10000n);
const HOUR_US = ratio(3600n * 1000000n);
const YEAR_US = ratio(365n * 24n * 3600n * 1000000n);

/** The content of a signal row, its numbers by name; a term that it does not state throws NoValue where it is needed. */
class SignalRow {
  constructor(content) {
    const { constraint, constraint_version, as_of_us, inputs, params } = content.provenance;
    this.constraint = constraint;
    this.version = constraint_version;
    this.atUs = ratio(BigInt(as_of_us));
    this.side = content.result.side;
    this.params = new Map(Object.entries(params));
    this.values = new Map(inputs.filter((item) => item.kind === "scalar").map((item) => [item.role, item.value]));
    this.quotes = new Map(inputs.filter((item) => item.kind === "quote").map((item) => [item.role, item]));
    this.roles = [...this.quotes.keys()];
    this.made = new Map();
  }

  statesTerms() {
    return this.version === NET_VERSIONS[this.constraint] && this.roles.some((role) => this.params.has(`fee_${role}`));
  }

  /** Return what `make` gives, made once for a name. */
  once(name, make) {
    if (!this.made.has(name)) this.made.set(name, make());
    return this.made.get(name);
  }

  param(name, otherwise = null) {
    return termOf(this.params, name, otherwise);
  }

  value(name, otherwise = null) {
    return termOf(this.values, name, otherwise);
  }

  get spot() {
    return this.value("reference_price");
  }

  get lifeUs() {
    return times(this.param("life_s"), ratio(1000000n));
  }

  /** Return a number of the quote of a leg, null where it was not known. */
  shown(role, name) {
    const text = this.quotes.get(role)?.[name];
    if (text === undefined) throw new NoValue(role);
    return text === null ? null : decimalRatio(text);
  }

  price(role, name) {
    const price = this.shown(role, name);
    if (price === null) throw new NoValue(name);
    return price;
  }

  mid(role) {
    return this.once(`mid ${role}`, () => over(plus(this.price(role, "bid"), this.price(role, "ask")), TWO));
  }

  usd(role) {
    return this.value(`usd_${role}`, ONE);
  }

  money(role) {
    return this.param(`money_${role}`, this.usd(role));
  }

  /** Return whether a premium is in coin: its conversion is then nearer to the reference price than to a dollar. */
  inCoin(role) {
    return isLess(absolute(minus(this.usd(role), this.spot)), absolute(minus(this.usd(role), ONE)));
  }

  quantity(role) {
    return this.value(`quantity_${role}`);
  }

  bought(role) {
    return isLess(ZERO, this.quantity(role));
  }

  lot(role) {
    if (!this.params.has(`lot_${role}_usd`)) return this.param(`lot_${role}`);
    return over(this.param(`lot_${role}_usd`), this.mid(role));
  }

  wantedUsd() {
    let size = this.param("target_notional_usd");
    for (const role of this.roles) {
      const depth = this.shown(role, this.bought(role) ? "ask_size" : "bid_size");
      if (depth === null) continue;
      const left = minus(times(this.param("depth_share"), depth), this.value(`taken_${role}`, ZERO));
      size = smaller(size, over(times(left, this.spot), absolute(this.quantity(role))));
    }
    return size;
  }

  /** Return the size traded: the lots of the coarsest leg, which has no rounding; without lots the wanted size. */
  get sizeUsd() {
    return this.once("size", () => {
      if (![...this.params.keys()].some((name) => name.startsWith("lots_"))) return this.wantedUsd();
      const coarse = new Map(this.roles.map((role) => [role, over(this.lot(role), absolute(this.quantity(role)))]));
      const coarsest = this.roles.reduce((a, b) => (isLess(coarse.get(a), coarse.get(b)) ? b : a));
      return times(this.param(`lots_${coarsest}`), coarse.get(coarsest), this.spot);
    });
  }

  traded(role) {
    if (!this.params.has(`lots_${role}`)) return absolute(this.quantity(role));
    return over(times(this.param(`lots_${role}`), this.lot(role), this.spot), this.sizeUsd);
  }

  weight(role) {
    return this.once(`weight ${role}`, () => over(times(this.traded(role), this.mid(role), this.money(role)), this.spot));
  }

  plannedUs() {
    const dated = this.roles.filter((role) => this.params.has(`expiry_us_${role}`));
    return dated.map((role) => minus(this.param(`expiry_us_${role}`), this.atUs)).reduce(smaller, this.lifeUs);
  }

  trading() {
    let total = ZERO;
    for (const role of this.roles) {
      const weight = this.weight(role);
      const ends = this.params.has(`expiry_us_${role}`) && !isLess(this.lifeUs, minus(this.param(`expiry_us_${role}`), this.atUs));
      const spread = over(times(BPS, minus(this.price(role, "ask"), this.price(role, "bid"))), this.mid(role));
      const fees = times(BPS, plus(this.param(`fee_${role}`), this.param(`exit_fee_${role}`)));
      const crossed = plus(over(spread, TWO), this.slip(role, spread, times(this.sizeUsd, weight)));
      total = plus(total, times(weight, plus(fees, times(ends ? ONE : TWO, crossed))));
    }
    return total;
  }

  slip(role, spread, notional) {
    if (this.params.has(`fallback_tick_${role}`)) return over(times(BPS, this.param(`fallback_tick_${role}`)), this.mid(role));
    if (this.params.has(`fallback_${role}_bps`)) return this.param(`fallback_${role}_bps`);
    const name = this.bought(role) ? "ask" : "bid";
    return over(times(spread, notional), times(this.price(role, `${name}_size`), this.price(role, name), this.money(role)));
  }

  financing() {
    let margin = ZERO;
    let borrowed = ZERO;
    for (const role of this.roles) {
      margin = plus(margin, times(this.weight(role), this.param(`margin_share_${role}`)));
      margin = plus(margin, times(this.traded(role), this.param(`margin_underlying_${role}`, ZERO)));
      if (this.params.has(`borrow_rate_${role}`)) {
        const hours = this.param(`borrow_hours_${role}`);
        borrowed = plus(borrowed, times(this.weight(role), this.param(`borrow_rate_${role}`), hours, HOUR_US));
      }
    }
    return over(times(BPS, plus(times(this.plannedUs(), margin, this.param("capital_rate")), borrowed)), YEAR_US);
  }

  /** Return the funding of a leg over the life: rate times settlements; what accrues has its rate for eight hours. */
  funding(role) {
    const count = this.param(`settlements_${role}`, over(this.param(`hours_accrued_${role}`, ZERO), ratio(8n)));
    return count.above === 0n ? ZERO : times(count, this.value(`rate_${role}`));
  }

  carry() {
    if (this.constraint === "four_corner") return ZERO;
    let paid = ZERO;
    for (const role of this.roles) {
      paid = plus(paid, over(times(this.quantity(role), this.mid(role), this.money(role), this.funding(role)), this.spot));
    }
    if (this.constraint === "calendar") {
      for (const { role, rate } of datedLegs(this)) paid = plus(paid, over(times(this.quantity(role), rate, this.lifeUs), YEAR_US));
    }
    return minus(ZERO, times(BPS, paid));
  }

  net() {
    return minus(minus(plus(NET_GROSS[this.constraint](this), this.carry()), this.trading()), this.financing());
  }
}

function termOf(table, name, otherwise) {
  const text = table.get(name);
  if (text !== undefined) return decimalRatio(text);
  if (otherwise === null) throw new NoValue(name);
  return otherwise;
}

/** Return the dated legs of a calendar: role, years to expiry, annualised basis. */
function datedLegs(row) {
  return row.roles.filter((role) => role !== "perp").map((role) => {
    const years = over(minus(row.param(`expiry_us_${role}`), row.atUs), YEAR_US);
    const basis = minus(over(times(row.mid(role), row.usd(role)), row.spot), ONE);
    return { role, years, rate: over(basis, years) };
  });
}

// What the package earns when its gap closes, by constraint, bps of the reference price.  [S2]
const NET_GROSS = {
  cash_carry(row) {
    const quotient = over(times(row.mid("perp"), row.usd("perp")), times(row.mid("spot"), row.usd("spot")));
    return times(BPS, row.quantity("spot"), minus(quotient, ONE));
  },
  triangle(row) {
    return times(BPS, absolute(minus(over(row.mid("perp_usdt"), times(row.mid("perp_usdc"), row.mid("fx"))), ONE)));
  },
  put_call(row) {
    const strike = row.param("strike_call");
    const pair = minus(row.mid("call"), row.mid("put"));
    let forward = row.mid("forward");
    if (row.quotes.has("forward_put")) {
      const gap = minus(forward, row.mid("forward_put"));
      const implied = row.param("strike_forward");
      forward = row.inCoin("forward") ? over(implied, minus(ONE, gap)) : plus(implied, gap);
    }
    const fair = row.inCoin("call") ? minus(ONE, over(strike, forward)) : minus(forward, strike);
    const gap = isLess(row.quantity("call"), ZERO) ? minus(pair, fair) : minus(fair, pair);
    return over(times(BPS, gap, row.usd("call")), row.spot);
  },
  butterfly(row) {
    const worth = row.roles.map((role) => times(row.quantity(role), row.mid(role))).reduce(plus, ZERO);
    return minus(ZERO, over(times(BPS, worth, row.usd("belly")), row.spot));
  },
  vertical(row) {
    let excess = minus(row.mid("short"), row.mid("long"));
    if (row.side === "negative") {
      const width = absolute(minus(row.param("strike_short"), row.param("strike_long")));
      excess = minus(excess, row.quotes.has("future") ? over(width, row.mid("future")) : width);
    }
    return over(times(BPS, excess, row.usd("short")), row.spot);
  },
  calendar(row) {
    let toward = ZERO;
    let residual = ZERO;
    for (const { role, years, rate } of datedLegs(row)) {
      toward = plus(toward, times(row.quantity(role), years, row.value(`curvature_${role}`)));
      residual = minus(residual, times(BPS, row.quantity(role), years, minus(rate, row.value(`fitted_${role}`))));
    }
    return smaller(times(BPS, minus(row.value("score_mean"), row.value("score")), toward), residual);
  },
  four_corner(row) {
    const corners = row.roles.filter((role) => role !== "put").map((role) => {
      if (role !== "call") return times(row.mid(role), row.usd(role), plus(ONE, row.funding(role)));
      const strike = row.param("strike_call");
      const gap = minus(row.mid("call"), row.mid("put"));
      const years = over(minus(row.param("expiry_us_call"), row.atUs), YEAR_US);
      const growth = plus(ONE, times(row.param("capital_rate"), years));
      if (row.inCoin("call")) return over(over(strike, minus(ONE, gap)), growth);
      return times(over(plus(strike, times(gap, growth)), growth), row.usd("call"));
    });
    if (corners.length === 0) throw new NoValue("corners");
    return over(times(BPS, minus(corners.reduce(larger), corners.reduce(smaller))), row.spot);
  },
};
