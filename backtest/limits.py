"""Limits of what is read from outside, each with its name: checked before work is done and memory taken.

A plan, a file or an archive may come from anybody.  What lies beyond a limit is refused in one paragraph that names
limit and value: exit 2 for a plan, 4 for data.  Those of a synthetic market are in `backtest.data.synthetic.limits`.
Decision 0441 says from which real inputs each was taken.
"""

from __future__ import annotations

from typing import Final

PLAN_BYTES: Final = 2**20
"""Text of one plan, its venue files and amendments included."""

PLAN_CHAIN: Final = 16
"""Plans that extend each other, the first included."""

PLAN_ENTRIES: Final = 1_000
"""Entries of one array or table of a plan."""

PLAN_QUANTITY: Final = 10**12
"""Absolute value of a quantity or a whole number of a plan, in the unit of its key."""

PLAN_SPAN_D: Final = 3_660
"""Days of a span of a plan (latency, life, gap, history), about ten years: two of them add up within 64 bits of ns."""

PLAN_DRAWS: Final = 1_000_000
"""Draws, counts of days and trades, and other small whole numbers of a plan."""

PLAN_FOLDS: Final = 1_000
"""Folds of one window."""

PLAN_MOVES: Final = 100_000
"""Distances by which the null N3 moves signals."""

PLAN_TENORS: Final = 100
"""Tenors of a curve."""

PLAN_GRID_TIMES: Final = 10_000_000
"""Grid times from the first history to the last end; ten years of minutes are 5.3 million."""

SHORTEST_STEP_S: Final = 1
"""Step of a regular grid."""

FILE_EXPANSION: Final = 200
"""Times an archive may grow when unpacked, once past `FILE_EXPANSION_FROM`: stored real ones grow 36 times at most."""

FILE_EXPANSION_FROM: Final = 64 * 2**20
"""Unpacked bytes below which any expansion is allowed."""

CSV_COLUMNS: Final = 4_096
"""Columns of a CSV file."""

CSV_LINE_BYTES: Final = 2**20
"""One row of a CSV file, in bytes: the longest of the stored real ones has 1,006."""

JSON_LINE_BYTES: Final = 16 * 2**20
"""One line of a recording or of a file of JSON lines, in bytes: the longest of the stored real ones has 1.9 MB."""

JSON_BYTES: Final = 64 * 2**20
"""A file that is one JSON value, in bytes: as objects it takes some ten times as much memory."""

TABLE_ROWS: Final = 50_000_000
"""Rows of a table that is read at once."""

TABLE_CELLS: Final = 100_000_000
"""Cells of a table that is read at once: rows times columns, with the entries of lists."""

TABLE_BYTES: Final = 2**30
"""Bytes of a Parquet, Feather or Arrow file when unpacked."""

SEGMENT_FRAME_BYTES: Final = 256 * 2**20
"""One frame of a raw segment when unpacked: a frame is closed at 256 kB, and one message may be longer."""
