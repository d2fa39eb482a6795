/* C3: the conversion and the reversal of every strike, and how many options exist.  Twin of
 * engine/constraints/c3_put_call.py, options/put_call_pairs.py and options/chain.py. */
#include "kernels.h"

/* Calls and puts of one strike each, m of both: the columns of `chain` are the calls, then the puts, 2 m of them. */
typedef struct {
    const Chain *chain;
    int64_t pairs;
    int32_t coin;
} Pairs;

/* What the conversion earns at a forward; the reversal's is this with its sign changed, to the last bit. */
static inline double conversion(double call, double put, double strike, double forward, int coin)
{
    return coin ? call - put - (1.0 - strike / forward) : call - put - (forward - strike);
}

static inline double reversal(double call, double put, double strike, double forward, int coin)
{
    return coin ? 1.0 - strike / forward - (call - put) : forward - strike - (call - put);
}

/* At what price a pair trades the forward, given the premium of its call less that of its put. */
static inline double implied(double premium, double strike, int coin)
{
    if (!coin)
        return strike + premium;
    double left = 1.0 - premium;
    return strike / (left > 0.0 ? left : NAN);
}

/* Gather both directions against a dated future at mid `forward`, [T]; NaN where it is not to be used.  `future_trip`,
 * [T], is its round trip.  Keys are the conversions, then the reversals, m each. */
EXPORT void future_parity_scan(
    const Pairs *pairs, const double *forward, const double *future_trip, int32_t future, const uint8_t *there,
    Cells *cells)
{
    const Chain *chain = pairs->chain;
    int64_t m = pairs->pairs, rows = chain->rows;
    for (int64_t j = 0; j < m; j++) {
        int64_t call_at = chain->column[j] * chain->stride, put_at = chain->column[m + j] * chain->stride;
        double strike = chain->strike[j];
        for (int64_t t = 0; t < rows; t++) {
            if (!there[t])
                continue;
            double scale = chain->scale[t];
            double call = chain->mid[call_at + t], put = chain->mid[put_at + t], shares = 1.0, value;
            if (pairs->coin) {
                shares = strike / forward[t];
                value = 1.0 - shares;
            } else
                value = forward[t] - strike;
            double gap = call - put - value;
            double trip = round_trip(chain, call_at + t, t) + round_trip(chain, put_at + t, t);
            trip += shares * future_trip[t];
            double size = fabs(gap);
            cells->violations[chain->day[t]] += above_zero(size * scale);
            size -= trip;
            if (!(size == size && scale == scale))
                continue;
            cells->evaluated[j * rows + t] = cells->evaluated[(m + j) * rows + t] = 1;
            double up = (gap - trip) * scale, down = (-gap - trip) * scale;
            note(cells, chain->day[t], up);
            note(cells, chain->day[t], down);
            keep(cells, t, j, up, future, NONE);
            keep(cells, t, m + j, down, future, NONE);
        }
    }
}

/* The strikes of the best and the second best price: of equal ones the lowest strike. */
static void best_two(const double *price, int64_t m, int largest, int64_t *first, int64_t *second)
{
    double best = INFINITY, next = INFINITY;
    *first = *second = NONE;
    for (int64_t j = 0; j < m; j++) {
        double key = largest ? -price[j] : price[j];
        if (key < best) {
            *second = *first;
            next = best;
            *first = j;
            best = key;
        } else if (key < next) {
            *second = j;
            next = key;
        }
    }
}

/* Gather one grid time against the best other pair, in one direction; `scratch` has room for m prices. */
static void pair_parity(
    const Pairs *pairs, const double *half_spread, int64_t half_stride, int64_t t, int side, double *scratch, Cells *cells)
{
    const Chain *chain = pairs->chain;
    int64_t m = pairs->pairs;
    for (int64_t j = 0; j < m; j++) {
        int64_t call_at = chain->column[j] * chain->stride + t, put_at = chain->column[m + j] * chain->stride + t;
        double call = chain->mid[call_at], put = chain->mid[put_at];
        double call_half = half_spread[chain->column[j] * half_stride + t];
        double put_half = half_spread[chain->column[m + j] * half_stride + t];
        double premium = side > 0 ? (call + call_half) - (put - put_half) : (call - call_half) - (put + put_half);
        scratch[j] = implied(premium, chain->strike[j], pairs->coin);
    }
    int64_t first, second;
    best_two(scratch, m, side < 0, &first, &second);
    if (first == NONE)
        return;
    for (int64_t j = 0; j < m; j++) {
        int64_t hedge = j == first ? second : first;
        if (hedge == NONE)
            continue;
        int64_t call_at = chain->column[j] * chain->stride + t, put_at = chain->column[m + j] * chain->stride + t;
        int64_t hedge_call = chain->column[hedge] * chain->stride + t;
        int64_t hedge_put = chain->column[m + hedge] * chain->stride + t;
        double strike = chain->strike[j], hedge_strike = chain->strike[hedge], scale = chain->scale[t];
        double forward = implied(chain->mid[hedge_call] - chain->mid[hedge_put], hedge_strike, pairs->coin);
        double call = chain->mid[call_at], put = chain->mid[put_at];
        double gap = side > 0 ? conversion(call, put, strike, forward, pairs->coin)
                              : reversal(call, put, strike, forward, pairs->coin);
        double pairs_held = pairs->coin ? strike / hedge_strike : 1.0;
        double trip = round_trip(chain, call_at, t) + round_trip(chain, put_at, t);
        double hedge_trip = round_trip(chain, hedge_call, t) + round_trip(chain, hedge_put, t);
        double score = (gap - (trip + pairs_held * hedge_trip)) * scale;
        cells->violations[chain->day[t]] += above_zero(gap * scale);
        int64_t key = side > 0 ? j : m + j;
        if (score == score)
            cells->evaluated[key * chain->rows + t] = 1;
        note(cells, chain->day[t], score);
        keep(cells, t, key, score, chain->column[hedge], chain->column[m + hedge]);
    }
}

/* Gather both directions against the best other pair where `boxed`, [T].  Returns 0, or NO_MEMORY. */
EXPORT int64_t pair_parity_scan(
    const Pairs *pairs, const double *half_spread, int64_t half_stride, const uint8_t *boxed, Cells *cells)
{
    double *scratch = malloc((size_t)pairs->pairs * sizeof(double));
    if (scratch == NULL)
        return NO_MEMORY;
    for (int64_t t = 0; t < pairs->chain->rows; t++)
        if (boxed[t]) {
            pair_parity(pairs, half_spread, half_stride, t, +1, scratch, cells);
            pair_parity(pairs, half_spread, half_stride, t, -1, scratch, cells);
        }
    free(scratch);
    return 0;
}

/* Fill, [T] each, how many of some columns exist, how many are quoted, and the largest conversion of these: NaN where
 * there is none.  `money` is NULL where the conversion is not asked for. */
EXPORT void chain_counts(
    const uint8_t *quality, int64_t quality_stride, const double *mid, const double *money, int64_t stride,
    const int32_t *column, int64_t count, int64_t rows, int32_t never, int32_t gone, int64_t *listed, int64_t *quoted,
    double *usd)
{
    for (int64_t t = 0; t < rows; t++) {
        listed[t] = quoted[t] = 0;
        usd[t] = NAN;
    }
    for (int64_t j = 0; j < count; j++) {
        const uint8_t *kind = quality + column[j] * quality_stride;
        const double *price = mid + column[j] * stride;
        for (int64_t t = 0; t < rows; t++) {
            listed[t] += (kind[t] != never) & (kind[t] != gone);
            quoted[t] += price[t] == price[t];
        }
        for (int64_t t = 0; money != NULL && t < rows; t++) {
            double own = money[column[j] * stride + t];
            if (price[t] == price[t] && own == own && !(usd[t] >= own))
                usd[t] = own;
        }
    }
}
