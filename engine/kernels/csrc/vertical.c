/* C7: the best partner of every short strike, in both bounds.  Twin of engine/constraints/c7_vertical.py. */
#include "kernels.h"

#include <string.h>

/* A chain at TILE grid times, [n, TILE] and [TILE]; mids are NaN beyond the last one. */
typedef struct {
    double *mid, *buy, *sell;
    double scale[TILE], at_mid[TILE], costed[TILE], bar[TILE];
    int64_t begin, width;
} Tile;

/* The cheapest strike so far on the bought side of each grid time of a tile; NaN before the first. */
typedef struct {
    double lowest[TILE]; /* price with the dollar locked, INFINITY before the first */
    double buy[TILE], mid[TILE], strike[TILE];
    int32_t column[TILE];
} Bought;

static inline void short_strike(
    const Chain *chain, const Tile *tile, const Bought *bought, int64_t j, int upper, int64_t key, Cells *cells)
{
    double scores[TILE], grosses[TILE], strike = chain->strike[j];
    const double *mid = tile->mid + j * TILE, *sell = tile->sell + j * TILE;
    for (int64_t w = 0; w < TILE; w++) {
        double excess = sell[w] - bought->buy[w], gross = mid[w] - bought->mid[w];
        if (upper) {
            double width = fabs(bought->strike[w] - strike);
            excess = excess - width * tile->costed[w];
            gross = gross - width * tile->at_mid[w];
        }
        scores[w] = excess * tile->scale[w];
        grosses[w] = gross * tile->scale[w];
    }
    uint8_t known[TILE];
    int64_t look = 0;
    for (int64_t w = 0; w < TILE; w++)
        known[w] = scores[w] == scores[w];
    for (int64_t w = 0; w < TILE; w++)
        look |= (scores[w] >= tile->bar[w]) | above_zero(grosses[w]);
    memcpy(cells->evaluated + key * chain->rows + tile->begin, known, (size_t)tile->width);
    for (int64_t w = 0; look && w < tile->width; w++) {
        int64_t t = tile->begin + w;
        note(cells, chain->day[t], scores[w]);
        keep(cells, t, key, scores[w], bought->column[w], NONE);
        cells->violations[chain->day[t]] += above_zero(grosses[w]);
    }
}

static inline void one_bound(const Chain *chain, const Tile *tile, int upper, int above, int64_t first_key, Cells *cells)
{
    int64_t n = chain->count;
    Bought bought;
    for (int64_t w = 0; w < TILE; w++) {
        bought.lowest[w] = INFINITY;
        bought.buy[w] = bought.mid[w] = bought.strike[w] = NAN;
        bought.column[w] = NONE;
    }
    for (int64_t number = 0; number < n; number++) {
        int64_t j = above ? n - 1 - number : number;
        if (number > 0)
            short_strike(chain, tile, &bought, j, upper, first_key + (above ? j : j - 1), cells);
        double strike = chain->strike[j];
        const double *mid = tile->mid + j * TILE, *buy = tile->buy + j * TILE;
        for (int64_t w = 0; w < TILE; w++) {
            double price = buy[w];
            if (upper)
                price = above ? buy[w] + strike * tile->costed[w] : buy[w] - strike * tile->costed[w];
            int lower = price < bought.lowest[w];
            bought.lowest[w] = lower ? price : bought.lowest[w];
            bought.buy[w] = lower ? buy[w] : bought.buy[w];
            bought.mid[w] = lower ? mid[w] : bought.mid[w];
            bought.strike[w] = lower ? strike : bought.strike[w];
            bought.column[w] = lower ? chain->column[j] : bought.column[w];
        }
    }
}

static void fill_tile(
    const Chain *chain, const double *at_mid, const double *costed, const Cells *cells, Tile *tile)
{
    for (int64_t w = 0; w < TILE; w++) {
        int there = w < tile->width;
        tile->scale[w] = there ? chain->scale[tile->begin + w] : NAN;
        tile->at_mid[w] = there ? at_mid[tile->begin + w] : NAN;
        tile->bar[w] = there ? bar_of(cells, chain->day[tile->begin + w]) : NAN;
        tile->costed[w] = there ? costed[tile->begin + w] : NAN;
    }
    for (int64_t j = 0; j < chain->count; j++) {
        int64_t cell = chain->column[j] * chain->stride + tile->begin;
        for (int64_t w = 0; w < TILE; w++) {
            int there = w < tile->width;
            double mid = there ? chain->mid[cell + w] : NAN;
            double trip = there ? round_trip(chain, cell + w, tile->begin + w) : NAN;
            tile->mid[j * TILE + w] = mid;
            tile->buy[j * TILE + w] = mid + trip;
            tile->sell[j * TILE + w] = mid - trip;
        }
    }
}

/* Gather the best spreads of one chain: keys of the lower bound, then of the upper one, n - 1 each.
 * `at_mid` and `costed`, [T], are what a dollar locked costs.  Returns 0, or NO_MEMORY. */
EXPORT int64_t vertical_scan(
    const Chain *chain, const double *at_mid, const double *costed, int32_t call, Cells *cells)
{
    int64_t n = chain->count;
    double *prices = malloc((size_t)n * 3 * TILE * sizeof(double));
    if (prices == NULL)
        return NO_MEMORY;
    Tile tile = {.mid = prices, .buy = prices + n * TILE, .sell = prices + 2 * n * TILE};
    for (tile.begin = 0; tile.begin < chain->rows; tile.begin += TILE) {
        tile.width = chain->rows - tile.begin < TILE ? chain->rows - tile.begin : TILE;
        fill_tile(chain, at_mid, costed, cells, &tile);
        /* The bought strike lies above the sold one: a put of the lower bound, a call of the upper. */
        if (call) {
            one_bound(chain, &tile, 0, 0, 0, cells);
            one_bound(chain, &tile, 1, 1, n - 1, cells);
        } else {
            one_bound(chain, &tile, 0, 1, 0, cells);
            one_bound(chain, &tile, 1, 0, n - 1, cells);
        }
    }
    free(prices);
    return 0;
}
