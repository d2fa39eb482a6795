"""The gap ledger: one row a gap of an instrument's stream, from the control log; kept with the day.  [live L1]

    gaps.jsonl       {"from_ns", "instrument", "proof", "stream", "to_ns", "venue", "why"}, one JSON object a line

A row says from when to when a stream is not known to be whole, why, and how that was proven; ``to_ns`` is null while
nothing whole has come since.  Rows of one instrument may overlap: two streams of it, or a gap that was open when the
recorder was killed and the time without a recorder.  No canonical row may lie inside one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from backtest.data.raw.control_log import WHYS, ControlEvent
from engine.errors import DataError, MissingError

GAPS_FILE: Final = "gaps.jsonl"
CAUSES: Final = {**WHYS, "no row": "a data set that was not recorded holds no row for longer than two of its steps"}
"""Why a gap began: the words of the control log, and the one of a rehearsal without a recording."""
_ENCODE: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


class GapRow(NamedTuple):
    """One gap; times are receive times in ns, ``to_ns`` None where it has not ended."""

    instrument: str
    venue: str
    stream: str
    from_ns: int
    to_ns: int | None
    why: str
    proof: str


def gap_rows(events: Iterable[ControlEvent]) -> list[GapRow]:
    """Return the gaps that a control log proves, sorted by instrument, start and stream; empty where it has none.

    ``events`` are in the order of writing, as `control_log.read_all_control` yields them, from the beginning of the
    recording or at least from before the day that is looked at.

    Examples
    --------
    >>> from backtest.data.raw.control_log import ControlEvent
    >>> ends = {"venue": "deribit", "feed": "deribit-stream-0", "connection": 1}
    >>> begun = {**ends, "streams": {"t": "deribit:A"}, "from_ns": 5, "why": "closed", "proof": "code 1006"}
    >>> ended = {**ends, "streams": {"t": 9}, "from_ns": 5, "why": "closed"}
    >>> [row[3:6] for row in gap_rows([ControlEvent(7, 7, "gap", begun), ControlEvent(9, 9, "whole", ended)])]
    [(5, 9, 'closed')]
    """
    rows: list[GapRow] = []
    unended: dict[tuple[str, str], list[GapRow]] = {}
    for event in events:
        fields = event.fields
        if event.event == "gap":
            for stream, instrument in fields["streams"].items():
                row = GapRow(
                    instrument, fields["venue"], stream, fields["from_ns"], None, fields["why"], fields["proof"]
                )
                unended.setdefault((row.venue, stream), []).append(row)
        elif event.event == "whole":
            for stream, to_ns in fields["streams"].items():
                # All of them: what a killed recorder left open ends with the first whole message of the next one.
                rows += [row._replace(to_ns=to_ns) for row in unended.pop((fields["venue"], stream), [])]
    rows += [row for left in unended.values() for row in left]
    return sorted(rows, key=lambda row: (row.instrument, row.from_ns, row.stream, row.why))


def of_span(rows: Iterable[GapRow], from_ns: int, to_ns: int) -> list[GapRow]:
    """Return the gaps that reach into [from_ns, to_ns), cut to it; one that has not ended reaches to its end.

    Examples
    --------
    >>> row = GapRow("deribit:A", "deribit", "t", 5, None, "closed", "code 1006")
    >>> [cut[3:5] for cut in of_span([row], 0, 8)], of_span([row], 0, 5)
    ([(5, 8)], [])
    """
    cut = [row._replace(from_ns=max(row.from_ns, from_ns), to_ns=min(_end(row, to_ns), to_ns)) for row in rows]
    return [row for row in cut if row.from_ns < _end(row, to_ns)]


def gap_ms(rows: Iterable[GapRow], end_ns: int) -> dict[str, int]:
    """Return instrument -> ms in which a stream of it was in a gap, rounded down; ``end_ns`` ends what is open.

    Examples
    --------
    >>> row = GapRow("deribit:A", "deribit", "t", 0, 3_000_000, "closed", "")
    >>> gap_ms([row, row._replace(from_ns=2_000_000, to_ns=None)], 7_000_000)
    {'deribit:A': 7}
    """
    sums: dict[str, int] = {}
    reached: dict[str, int] = {}
    for row in sorted(rows, key=lambda row: (row.instrument, row.from_ns)):
        start, end = max(row.from_ns, reached.get(row.instrument, row.from_ns)), _end(row, end_ns)
        sums[row.instrument] = sums.get(row.instrument, 0) + max(0, end - start)
        reached[row.instrument] = max(end, reached.get(row.instrument, end))
    return {instrument: total // 1_000_000 for instrument, total in sums.items()}


def gap_lines(rows: Iterable[GapRow]) -> bytes:
    """Return the bytes of a file of gaps, one row a line in the order given."""
    return b"".join(_ENCODE(row._asdict()).encode() + b"\n" for row in rows)


def read_gaps(path: Path) -> list[GapRow]:
    """Return the rows of a file of gaps.

    Raises ``MissingError`` (3) if it cannot be read, ``DataError`` (4) with the number of a line of another form.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise MissingError(f"expected the gaps {path}, was: {error.strerror or error}") from error
    return gaps_of(lines, str(path))


def gaps_of(lines: Iterable[bytes], where: str) -> list[GapRow]:
    """Return the rows of the ``lines`` of a file of gaps; raises ``DataError`` (4) with ``where`` and the line."""
    return [_row(line, f"{where}, line {number}") for number, line in enumerate(lines)]


def across_days(rows: Iterable[GapRow]) -> list[GapRow]:
    """Return ``rows`` with what was cut at midnight put together again, sorted as by `gap_rows`.

    Examples
    --------
    >>> row = GapRow("deribit:A", "deribit", "t", 5, 8, "closed", "code 1006")
    >>> [one[3:5] for one in across_days([row._replace(from_ns=8, to_ns=9), row, row._replace(from_ns=10, to_ns=11)])]
    [(5, 9), (10, 11)]
    """
    whole: list[GapRow] = []
    for row in sorted(rows, key=lambda row: (row.instrument, row.venue, row.stream, row.why, row.proof, row.from_ns)):
        # the same gap but for its times, begun when the last one ended
        if whole and row._replace(from_ns=whole[-1].from_ns, to_ns=row.from_ns) == whole[-1]:
            whole[-1] = whole[-1]._replace(to_ns=row.to_ns)
        else:
            whole.append(row)
    return sorted(whole, key=lambda row: (row.instrument, row.from_ns, row.stream, row.why))


def gap_sentences(rows: Iterable[GapRow], end_ns: int) -> list[str]:
    """Return a line an instrument, the longest first: how many gaps, how long, how many of which cause."""
    listed = list(rows)
    lengths = gap_ms(listed, end_ns)
    found = []
    for instrument in sorted(lengths, key=lambda name: (-lengths[name], name)):
        whys = Counter(row.why for row in listed if row.instrument == instrument)
        causes = ", ".join(f"{count} {why}" for why, count in sorted(whys.items()))
        found.append(f"{instrument}: {sum(whys.values())} gaps, {lengths[instrument] / 60_000:.1f} min ({causes})")
    return found


def _end(row: GapRow, end_ns: int) -> int:
    return end_ns if row.to_ns is None else row.to_ns


def _row(line: bytes, where: str) -> GapRow:
    try:
        fields: Mapping[str, object] = json.loads(line)
        row = GapRow(**fields)  # type: ignore[arg-type]
    except (ValueError, TypeError, RecursionError) as error:
        raise DataError(f"{where}: expected a row of {', '.join(GapRow._fields)}, was {line[:120]!r}") from error
    texts = (row.instrument, row.venue, row.stream, row.why, row.proof)
    if not all(type(text) is str for text in texts) or type(row.from_ns) is not int or row.why not in CAUSES:
        raise DataError(f"{where}: expected texts, times in ns and a why of {', '.join(CAUSES)}, was {line[:120]!r}")
    if not (row.to_ns is None or (type(row.to_ns) is int and row.to_ns >= row.from_ns)):
        raise DataError(f"{where}, field to_ns: expected null or a time from {row.from_ns} on, was {row.to_ns!r}")
    return row
