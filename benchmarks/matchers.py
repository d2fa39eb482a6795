"""What does the text pattern of ledger records bring, against record-by-record checks alone?

The yardstick is the same step on the same rows with `known_row` and `canonical_form` (rows that are read) or
`known_content` (records that are written) replaced by "not decided": every row is then parsed, every record walked
field by field.  A ratio of 0.5 means that the pattern halves the time of the whole step.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.ledger import COUNT, chained, durable, emitted, fresh, opened
from benchmarks.measure import Row, against, machine, table
from engine.ledger.chain import append, open_ledger
from engine.ledger.verification.verify import verify_ledger
from tests.helpers.ledgers import genesis, resolution

PLAIN = "record by record"
ROW_PATTERN = {
    "engine.ledger.verification.walk.known_row": lambda *_: None,
    "engine.ledger.verification.walk.canonical_form": lambda *_: False,
}
TEXT = {"engine.ledger.chain.known_content": lambda *_: False}


@contextmanager
def without(*matchers: dict[str, Callable[..., object]]) -> Iterator[None]:
    """Replace the named matchers by functions that decide nothing."""
    with ExitStack() as stack:
        for matcher in matchers:
            for name, undecided in matcher.items():
                stack.enter_context(patch(name, undecided))
        yield


def plain(work: Callable[[], object], *matchers: dict[str, Callable[..., object]]) -> Callable[[], None]:
    """Return ``work`` without these matchers."""

    def run() -> None:
        with without(*matchers):
            work()

    return run


def rows() -> Iterator[Row]:
    """Yield one row for each step: reading a ledger whole, writing it in batches, writing one record at a time."""
    signals = emitted(COUNT)
    head, first = open_ledger(genesis())
    emit = append(head, "signal", signals)
    outcome_genesis = genesis(ledger_kind="resolution", emit_ledger_id=head.ledger_id)
    start, opening = open_ledger(outcome_genesis)
    outcomes = [resolution(record, emit.head.rows[record["signal_id"]]) for record in signals]
    given = (
        ("signal", genesis(), signals, [first, *emit.lines]),
        ("resolution", outcome_genesis, outcomes, [opening, *append(start, "resolution", outcomes).lines]),
    )
    for kind, opening_record, records, lines in given:
        yield from steps(kind, opening_record, records, b"".join(lines))


def steps(kind: str, opening: dict, records: list[dict], ledger: bytes) -> Iterator[Row]:
    """Yield the rows of one kind of record."""

    def verify() -> None:
        assert verify_ledger(io.BytesIO(ledger)).report.exit == 0

    def write(size: int) -> Callable[[], None]:
        return lambda: chained(opening, kind, [records[at : at + size] for at in range(0, len(records), size)])

    yield row(f"verify a ledger of {kind}s", verify, plain(verify, ROW_PATTERN))
    yield row(f"append {kind}s to the chain, 500 a batch", write(500), plain(write(500), TEXT))
    yield row(f"append {kind}s to the chain, one a batch", write(1), plain(write(1), TEXT))
    batches = [records[at : at + 100] for at in range(0, len(records), 100)]
    with (
        fresh(lambda at: opened(at, **opening), lambda store: durable(store, kind, batches), 5) as with_pattern,
        fresh(lambda at: opened(at, **opening), lambda store: durable(store, kind, batches), 5) as same,
    ):
        yield row(f"append {kind}s to a live store, 100 a batch", with_pattern, plain(same, TEXT))


def row(name: str, work: Callable[[], object], yardstick: Callable[[], object]) -> Row:
    """Return the row of ``work`` against the same step without the matcher."""
    return against(name, work, PLAIN, yardstick, COUNT, "rows", turns=5)


if __name__ == "__main__":
    print(table(list(rows())))
    print(machine())
