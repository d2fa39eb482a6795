/* The hot loops of the engine, each the twin of a NumPy path that it agrees with to the last bit.
 *
 * Every expression is written in the order of the NumPy path, in double precision, and compiled with -ffp-contract=off
 * and without -ffast-math: a product and a sum are rounded apart, and NaN compares false.  Arrays are instruments first,
 * [N, T], one column's grid times side by side; `stride` is the distance of two columns, in elements.  Nothing here
 * allocates what outlives a call, keeps state or knows Python: the callers are engine/kernels/ *.py, which check shapes.
 */
#ifndef CME_KERNELS_H
#define CME_KERNELS_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#else
#define EXPORT __attribute__((visibility("default")))
#endif

#define NONE (-1)
#define NEVER_NS INT64_MAX
#define TILE 16 /* grid times that are worked on together: two cache lines of every column */
#define NO_MEMORY (-1)

/* The quotes of some options of one venue, expiry and price currency, as panel columns. */
typedef struct {
    const double *mid;     /* [N, T] price currency, NaN where not usable */
    const double *charge;  /* [N, T] half a round trip */
    const double *money;   /* [N, T] USDC per unit as it is paid; NULL where all share `usd` */
    int64_t stride;
    const int32_t *column; /* [n] */
    int64_t count;         /* n */
    const double *strike;  /* [n] ascending */
    const double *usd;     /* [T] the chain's conversion */
    const double *scale;   /* [T] bps of S per unit of the price currency */
    int64_t rows;          /* T */
    const int64_t *day;    /* [T] */
} Chain;

/* Where the cells that reach the floor go; `used` counts all of them, also those beyond the capacity. */
typedef struct {
    double floor;
    double *best;        /* [days] largest score */
    int64_t *violations; /* [days] packages with a gross */
    uint8_t *evaluated;  /* [keys, T] */
    int64_t capacity, used;
    int64_t *row, *key;
    double *score;
    int32_t *wing; /* [capacity, 2] panel columns */
} Cells;

static inline double round_trip(const Chain *chain, int64_t at, int64_t t)
{
    double trip = 2.0 * chain->charge[at];
    if (chain->money != NULL)
        trip = trip * (chain->money[at] / chain->usd[t]);
    return trip;
}

/* Whether basis points are above 0 in whole micro-bps: rint(x) > 0 is x > 0.5. */
static inline int above_zero(double bps) { return bps * 1000000.0 > 0.5; }

/* A score under it is neither kept nor the best of its day: whoever has one need not look closer.  The best only rises. */
static inline double bar_of(const Cells *cells, int64_t day)
{
    return cells->best[day] < cells->floor ? cells->best[day] : cells->floor;
}

static inline void note(Cells *cells, int64_t day, double score)
{
    if (score > cells->best[day] && score < INFINITY)
        cells->best[day] = score;
}

static inline void keep(Cells *cells, int64_t row, int64_t key, double score, int32_t first, int32_t second)
{
    if (score >= cells->floor && score > -INFINITY) {
        if (cells->used < cells->capacity) {
            cells->row[cells->used] = row;
            cells->key[cells->used] = key;
            cells->score[cells->used] = score;
            cells->wing[2 * cells->used] = first;
            cells->wing[2 * cells->used + 1] = second;
        }
        cells->used++;
    }
}

#endif
