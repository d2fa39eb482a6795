/* What `prepare` makes of every quote: quality, conversion, mid, half-spread, charge.  Twin of engine/market/quality.py,
 * quote_arrays.py, fees.py, leg_charge.py and steps.py. */
#include "kernels.h"

/* As engine.records.Quality. */
enum {
    USABLE = 0,
    NEVER_QUOTED = 1,
    ONE_SIDED = 2,
    STALE = 3,
    CROSSED = 4,
    NON_POSITIVE = 5,
    NO_SIZE = 6,
    NO_CONVERSION = 7,
    FAR_FROM_MEDIAN = 8,
    EXPIRED = 10,
    SKEWED = 11
};

/* The quotes of a panel, [N, T] each. */
typedef struct {
    const double *bid, *ask, *bid_size, *ask_size, *index;
    const int64_t *age_ns;
    int64_t columns, rows;
} Quotes;

/* What is the same for a column at all grid times, [N] each unless said. */
typedef struct {
    const int64_t *max_age_ns;
    const int64_t *gone_from;  /* first row at or after the expiry */
    const int64_t *settles_from;  /* first row from which it may be held to its expiry */
    const int32_t *currency;   /* row of `dollars` */
    const int32_t *paid;       /* row of `dollars` of the money of a quanto, else NONE */
    const int32_t *corner;     /* row of `far`, else NONE */
    const uint8_t *spreadless; /* the feed knows no spread */
    const uint8_t *on_underlying, *on_coin; /* what an option's fee is a share of */
    const double *taker, *cap, *delivery, *delivery_cap;
    const double *share;       /* of the notional: the fallback slippage */
    const double *begins, *tick; /* [steps, N] */
    int64_t steps;
    const double *dollars;     /* [5, T] USD, USDC, USDT, the reference price for COIN, NaN */
    const uint8_t *far;        /* [corners, T] */
    int64_t max_skew_ns;
} Terms;

/* The arrays of a prepared panel, [N, T] each; `money` is `usd` where there is no quanto. */
typedef struct {
    double *usd, *money, *mid, *half_spread, *charge;
    uint8_t *quality, *usable;
    int64_t *old; /* flat numbers of usable quotes older than the skew */
    int64_t coin_column; /* the first column with a premium in coin, or NONE */
    int64_t coin_alike;  /* whether all of these have one conversion, which is a number everywhere */
} Prepared;

#define COIN 3

static inline uint8_t judged(double bid, double ask, double bid_size, double ask_size, int64_t age_ns, int64_t max_age_ns)
{
    if (bid > 0.0 && ask >= bid && bid_size > 0.0 && ask_size > 0.0 && age_ns <= max_age_ns)
        return USABLE;
    if (age_ns == NEVER_NS)
        return NEVER_QUOTED;
    if (age_ns > max_age_ns)
        return STALE;
    if (bid != bid || ask != ask)
        return ONE_SIDED;
    if (bid <= 0.0 || ask <= 0.0)
        return NON_POSITIVE;
    if (ask < bid)
        return CROSSED;
    return bid_size <= 0.0 || ask_size <= 0.0 ? NO_SIZE : USABLE;
}

/* As np.minimum: NaN if either is. */
static inline double least(double a, double b) { return a < b || a != a ? a : b; }

/* The slippage of one side where depth is not known: a tick of the price's own step, else a share of the price. */
static double slippage(const Terms *terms, int64_t columns, int64_t n, double mid)
{
    if (terms->tick[n] != terms->tick[n])
        return terms->share[n] * mid;
    double found = terms->tick[n] + 0.0 * mid;
    for (int64_t step = 1; step < terms->steps; step++)
        if (mid >= terms->begins[step * columns + n])
            found = terms->tick[step * columns + n];
    return found;
}

/* What a fee is a share of: the leg's mid, for an option the underlying, which is 1 for a premium in coin. */
static inline double fee_base(const Terms *terms, int64_t n, double mid, double index, double spot, double usd)
{
    if (terms->on_coin[n])
        return 1.0;
    if (!terms->on_underlying[n])
        return mid;
    return index > 0.0 ? index : spot / usd;
}

/* Fill every array but for skew; returns how many numbers `old` got.  `old` has room for all cells. */
EXPORT int64_t prepare_quotes(const Quotes *quotes, const Terms *terms, Prepared *out)
{
    int64_t rows = quotes->rows, columns = quotes->columns, found = 0;
    const double *usdc_per_usd = terms->dollars, *spot_usd = terms->dollars + COIN * rows;
    for (int64_t n = 0; n < columns; n++) {
        int32_t currency = terms->currency[n], paid = terms->paid[n], corner = terms->corner[n];
        const double *dollar = terms->dollars + currency * rows;
        const double *own = paid == NONE ? NULL : terms->dollars + paid * rows;
        int64_t max_age_ns = terms->max_age_ns[n], gone_from = terms->gone_from[n], settles_from = terms->settles_from[n];
        double taker = terms->taker[n], cap = terms->cap[n];
        int spreadless = terms->spreadless[n];
        if (currency == COIN && out->coin_column == NONE)
            out->coin_column = n;
        const double *first_coin = currency == COIN ? out->usd + out->coin_column * rows : NULL;
        for (int64_t t = 0; t < rows; t++) {
            int64_t at = n * rows + t;
            double bid = quotes->bid[at], ask = quotes->ask[at], index = quotes->index[at], spot = spot_usd[t];
            double bid_size = quotes->bid_size[at], ask_size = quotes->ask_size[at];
            int64_t age_ns = quotes->age_ns[at];
            double usd = dollar[t];
            if (currency == COIN) {
                double converted = index * usdc_per_usd[t];
                usd = converted > 0.0 ? converted : usd;
            }
            double money = own == NULL ? usd : own[t];
            out->usd[at] = usd;
            if (first_coin != NULL)
                out->coin_alike &= first_coin[t] == usd;
            out->money[at] = money;

            uint8_t quality = judged(bid, ask, bid_size, ask_size, age_ns, max_age_ns);
            if (t >= gone_from)
                quality = EXPIRED;
            if (corner != NONE && terms->far[corner * rows + t])
                quality = FAR_FROM_MEDIAN;
            if (quality == USABLE && (usd != usd || money != money))
                quality = NO_CONVERSION;
            out->quality[at] = quality;
            out->usable[at] = quality == USABLE;
            if (quality != USABLE) {
                out->mid[at] = out->half_spread[at] = out->charge[at] = NAN;
                continue;
            }
            if (age_ns > terms->max_skew_ns)
                out->old[found++] = at;
            double mid = (bid + ask) * 0.5, half = spreadless ? NAN : (ask - bid) * 0.5;
            double base = fee_base(terms, n, mid, index, spot, usd), fee = least(taker * base, cap * mid);
            double side = half;
            if (half != half || bid_size != bid_size || ask_size != ask_size)
                side = slippage(terms, columns, n, mid) + (half != half ? 0.0 : half);
            double charge = side + fee;
            if (t >= settles_from) {
                double delivered = least(terms->delivery[n] * base, terms->delivery_cap[n] * mid);
                charge = least(0.5 * (side + fee + delivered), charge);
            }
            out->mid[at] = mid;
            out->half_spread[at] = half;
            out->charge[at] = charge;
        }
    }
    return found;
}

/* Forget the quotes `old`, flat numbers [count], that are older than a usable quote of their group by more than the
 * skew.  `group` [N] is a column's group, NONE for none; its members are `member[first[g]]` to `member[first[g + 1] - 1]`.
 * `late` has room for `count`. */
EXPORT void mark_skewed(
    const Quotes *quotes, int64_t max_skew_ns, const int64_t *old, int64_t count, const int32_t *group,
    const int64_t *first, const int32_t *member, uint8_t *late, const Prepared *out)
{
    int64_t rows = quotes->rows;
    /* All are compared before any is forgotten. */
    for (int64_t k = 0; k < count; k++) {
        int64_t n = old[k] / rows, t = old[k] % rows, age_ns = quotes->age_ns[old[k]];
        late[k] = 0;
        for (int64_t m = group[n] == NONE ? 0 : first[group[n]]; group[n] != NONE && m < first[group[n] + 1]; m++) {
            int64_t other = member[m] * rows + t;
            if (out->usable[other] && age_ns - quotes->age_ns[other] > max_skew_ns) {
                late[k] = 1;
                break;
            }
        }
    }
    for (int64_t k = 0; k < count; k++)
        if (late[k]) {
            out->quality[old[k]] = SKEWED;
            out->usable[old[k]] = 0;
            out->mid[old[k]] = out->half_spread[old[k]] = out->charge[old[k]] = NAN;
        }
}
