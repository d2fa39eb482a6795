/* C4: the best triple of every belly, by the lower convex hull of the buying prices.  Twin of
 * engine/constraints/options/convex_hull.py (best_wings) and c4_butterfly.py (_every). */
#include "kernels.h"

/* The quoted strikes of one grid time. */
typedef struct {
    int64_t count;
    int32_t *at;                       /* number in the chain */
    double *strike, *buy, *sell, *mid;
} Quoted;

/* Of the points from `far` inward up to `stop`, that of the lowest chord from `pivot`; of equal ones the farthest. */
static int64_t tangent(const Quoted *points, int64_t pivot, int64_t far, int64_t stop, int64_t step)
{
    double origin = points->buy[pivot], place = points->strike[pivot];
    double slope = (points->buy[far] - origin) / fabs(points->strike[far] - place);
    int64_t best = far;
    for (int64_t at = far + step; at != stop; at += step) {
        double value = (points->buy[at] - origin) / fabs(points->strike[at] - place);
        if (value < slope) {
            best = at;
            slope = value;
        }
    }
    return best;
}

/* The lowest chord over the vertex `belly` when it is taken away, between its neighbours `low` and `high`. */
static void bridge(const Quoted *points, int64_t belly, int64_t turns, int64_t *low, int64_t *high)
{
    int64_t left = *low, right = *high, before = NONE;
    for (int64_t turn = 0; turn < turns; turn++) {
        int64_t new_right = tangent(points, left, *high, belly, -1);
        int64_t new_left = tangent(points, new_right, *low, belly, +1);
        int moved = new_right != right || new_left != left;
        /* Chords equal but for rounding go to and fro: an even number of turns brings back what is here now. */
        int swings = moved && new_left == before;
        before = left;
        if (!swings || (turns - turn) % 2 == 1) {
            right = new_right;
            left = new_left;
        }
        if (!moved || swings)
            break;
    }
    *low = left;
    *high = right;
}

/* Fill `hull` with the vertices of the lower hull, ascending (Andrew 1979); collinear points are none. */
static int64_t lower_hull(const Quoted *points, int64_t *hull, double *hull_x, double *hull_y)
{
    int64_t size = 0;
    for (int64_t j = 0; j < points->count; j++) {
        double y = points->buy[j], x = points->strike[j];
        while (size >= 2) {
            double under_y = hull_y[size - 2], under_x = hull_x[size - 2];
            if (!((y - under_y) * (hull_x[size - 1] - under_x) <= (hull_y[size - 1] - under_y) * (x - under_x)))
                break;
            size--;
        }
        hull[size] = j;
        hull_x[size] = x;
        hull_y[size++] = y;
    }
    return size;
}

static void belly_of(
    const Chain *chain, const Quoted *points, const double *weights, int64_t t, int64_t belly,
    int64_t low, int64_t high, Cells *cells)
{
    int32_t at = points->at[belly], low_at = points->at[low], high_at = points->at[high];
    double scale = chain->scale[t];
    double weight = low_at == at - 1 && high_at == at + 1
        ? weights[at]
        : (points->strike[high] - points->strike[belly]) / (points->strike[high] - points->strike[low]);
    double wings = weight * points->buy[low] + (1.0 - weight) * points->buy[high];
    double score = (points->sell[belly] - wings) * scale;
    if (score == score)
        cells->evaluated[(at - 1) * chain->rows + t] = 1;
    double wings_mid = weight * points->mid[low] + (1.0 - weight) * points->mid[high];
    int violates = above_zero((points->mid[belly] - wings_mid) * scale);
    if (violates | (score >= bar_of(cells, chain->day[t]))) {
        note(cells, chain->day[t], score);
        keep(cells, t, at - 1, score, chain->column[low_at], chain->column[high_at]);
        cells->violations[chain->day[t]] += violates;
    }
}

static void grid_time(
    const Chain *chain, const Quoted *points, const double *weights, int64_t t, int64_t turns,
    const int64_t *hull, int64_t size, Cells *cells)
{
    for (int64_t vertex = 0; vertex + 1 < size; vertex++) {
        int64_t here = hull[vertex], next = hull[vertex + 1];
        if (vertex > 0) {
            int64_t low = hull[vertex - 1], high = next;
            if (here - low > 1 || high - here > 1)
                bridge(points, here, turns, &low, &high);
            belly_of(chain, points, weights, t, here, low, high, cells);
        }
        for (int64_t belly = here + 1; belly < next; belly++)
            belly_of(chain, points, weights, t, belly, here, next, cells);
    }
}

/* Fill the quoted strikes of one grid time from its row of the tile, in place; `at` and `strike` have room for all. */
static int64_t quoted(
    const Chain *chain, double *buy, double *sell, double *mid, int32_t *at, double *strike)
{
    int64_t count = 0;
    for (int64_t j = 0; j < chain->count; j++) {
        at[count] = (int32_t)j;
        strike[count] = chain->strike[j];
        buy[count] = buy[j];
        sell[count] = sell[j];
        mid[count] = mid[j];
        count += buy[count] == buy[count];
    }
    return count;
}

/* Gather the best triples of one chain; `turns` [T] bounds the search for a bridge.  Returns 0, or NO_MEMORY. */
EXPORT int64_t butterfly_scan(const Chain *chain, const int64_t *turns, Cells *cells)
{
    int64_t n = chain->count;
    double *numbers = malloc((size_t)n * (4 + 3 * TILE) * sizeof(double));
    int64_t *hull = malloc((size_t)n * sizeof(int64_t));
    int32_t *at = malloc((size_t)n * sizeof(int32_t));
    if (numbers == NULL || hull == NULL || at == NULL) {
        free(numbers);
        free(hull);
        free(at);
        return NO_MEMORY;
    }
    double *weights = numbers, *strike = numbers + n, *hull_x = numbers + 2 * n, *hull_y = numbers + 3 * n;
    double *mids = numbers + 4 * n, *buys = mids + n * TILE, *sells = buys + n * TILE; /* [TILE, n] */
    for (int64_t j = 1; j + 1 < n; j++)
        weights[j] = (chain->strike[j + 1] - chain->strike[j]) / (chain->strike[j + 1] - chain->strike[j - 1]);
    for (int64_t begin = 0; begin < chain->rows; begin += TILE) {
        int64_t width = chain->rows - begin < TILE ? chain->rows - begin : TILE;
        for (int64_t j = 0; j < n; j++) {
            int64_t cell = chain->column[j] * chain->stride + begin;
            for (int64_t w = 0; w < width; w++) {
                double mid = chain->mid[cell + w], trip = round_trip(chain, cell + w, begin + w);
                mids[w * n + j] = mid;
                buys[w * n + j] = mid + trip;
                sells[w * n + j] = mid - trip;
            }
        }
        for (int64_t w = 0; w < width; w++) {
            Quoted points = {0, at, strike, buys + w * n, sells + w * n, mids + w * n};
            points.count = quoted(chain, points.buy, points.sell, points.mid, at, strike);
            int64_t size = lower_hull(&points, hull, hull_x, hull_y);
            grid_time(chain, &points, weights, begin + w, turns[begin + w], hull, size, cells);
        }
    }
    free(numbers);
    free(hull);
    free(at);
    return 0;
}
