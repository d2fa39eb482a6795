/* The as-of join: at each grid time the last row of each column.  Twin of backtest/data/panels/asof.py. */
#include "kernels.h"

#include <string.h>

#define FIELDS 4

/* Rows of one channel, ascending in time, and the column of each of their codes. */
typedef struct {
    const int64_t *t_ns;
    const int32_t *code;
    int64_t count;
    const int64_t *column; /* [codes] */
    int64_t codes, columns;
    int64_t next; /* the first row that has not been taken */
} Rows;

#define NO_ORDER 1

/* Take the next row if it is known at `until_ns`: its number in `row` and its column.  Returns 1 if there is one, 0 if
 * there is none, -NO_ORDER where it is out of order or has no column. */
static inline int64_t take(Rows *rows, int64_t until_ns, int64_t *row, int64_t *column)
{
    int64_t at = rows->next;
    if (at >= rows->count)
        return 0;
    if (at > 0 && rows->t_ns[at] < rows->t_ns[at - 1])
        return -NO_ORDER;
    if (rows->t_ns[at] > until_ns)
        return 0;
    int32_t code = rows->code[at];
    int64_t n = code >= 0 && code < rows->codes ? rows->column[code] : NONE;
    if (n < 0 || n >= rows->columns)
        return -NO_ORDER;
    *row = at;
    *column = n;
    rows->next = at + 1;
    return 1;
}

/* Copy a tile [columns, TILE] to the grid times `begin ...` of [columns, T]; elements have eight bytes. */
static void put_tile(void *into, const void *tile, int64_t columns, int64_t times, int64_t begin, int64_t width)
{
    for (int64_t n = 0; n < columns; n++)
        memcpy((char *)into + 8 * (n * times + begin), (const char *)tile + 8 * n * TILE, (size_t)(8 * width));
}

/* Join quotes at the grid times `from` to `to` of `times`, [T], and carry what comes later.
 *
 * `carried_ns` [columns] is -1 where a column has no row yet; `carried` is [columns, FIELDS].  Outputs are [columns, T].
 * Returns 0, NO_MEMORY, or NO_ORDER where a row is out of order or has no column: what was written then means nothing. */
EXPORT int64_t quotes_asof(
    Rows *rows, const double *const *values, const int64_t *times, int64_t grid, int64_t from, int64_t to,
    int64_t *carried_ns, double *carried, int64_t *age_ns, double *const *out)
{
    int64_t columns = rows->columns, row, n, taken = 0;
    size_t cells = (size_t)(columns * TILE);
    int64_t *ages = malloc((cells + 1) * sizeof(int64_t));
    double *tile = malloc((FIELDS * cells + 1) * sizeof(double));
    if (ages == NULL || tile == NULL) {
        free(ages);
        free(tile);
        return NO_MEMORY;
    }
    for (int64_t begin = from; begin < to && taken >= 0; begin += TILE) {
        int64_t width = to - begin < TILE ? to - begin : TILE;
        for (int64_t w = 0; w < width && taken >= 0; w++) {
            while ((taken = take(rows, times[begin + w], &row, &n)) > 0) {
                carried_ns[n] = rows->t_ns[row];
                for (int64_t k = 0; k < FIELDS; k++)
                    carried[n * FIELDS + k] = values[k][row];
            }
            for (n = 0; n < columns; n++) {
                ages[n * TILE + w] = carried_ns[n] < 0 ? NEVER_NS : times[begin + w] - carried_ns[n];
                for (int64_t k = 0; k < FIELDS; k++)
                    tile[k * (int64_t)cells + n * TILE + w] = carried[n * FIELDS + k];
            }
        }
        put_tile(age_ns, ages, columns, grid, begin, width);
        for (int64_t k = 0; k < FIELDS; k++)
            put_tile(out[k], tile + k * (int64_t)cells, columns, grid, begin, width);
    }
    while (taken >= 0 && (taken = take(rows, NEVER_NS, &row, &n)) > 0) {
        carried_ns[n] = rows->t_ns[row];
        for (int64_t k = 0; k < FIELDS; k++)
            carried[n * FIELDS + k] = values[k][row];
    }
    free(ages);
    free(tile);
    return taken < 0 ? NO_ORDER : 0;
}

/* Join one value at all of `times`, [T], passing over NaN; `last`, [columns], is NaN at the call.  Returns as
 * `quotes_asof`. */
EXPORT int64_t value_asof(
    Rows *rows, const double *value, const int64_t *times, int64_t grid, double *last, double *out)
{
    int64_t columns = rows->columns, row, n, taken = 0;
    double *tile = malloc((size_t)(columns * TILE + 1) * sizeof(double));
    if (tile == NULL)
        return NO_MEMORY;
    for (int64_t begin = 0; begin < grid && taken >= 0; begin += TILE) {
        int64_t width = grid - begin < TILE ? grid - begin : TILE;
        for (int64_t w = 0; w < width && taken >= 0; w++) {
            while ((taken = take(rows, times[begin + w], &row, &n)) > 0)
                if (value[row] == value[row])
                    last[n] = value[row];
            for (n = 0; n < columns; n++)
                tile[n * TILE + w] = last[n];
        }
        put_tile(out, tile, columns, grid, begin, width);
    }
    /* A row that is later than the grid hides nothing only if those after it are later still. */
    while (taken >= 0 && (taken = take(rows, NEVER_NS, &row, &n)) > 0)
        continue;
    free(tile);
    return taken < 0 ? NO_ORDER : 0;
}
