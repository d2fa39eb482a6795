"""What joining a sealed day costs: every row encoded and its digest computed, against its codes alone exchanged.

    python benchmarks/join.py [--rows 1000000]

Days of SYNTHETIC quotes of 900 options are sealed, and an option that sorts first is listed on the last one, so that
the codes of all days move.  Printed are CPU seconds a million rows of one process, and what they mean for the working
set of day 90 of the window at registered size.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from backtest.data.adapters.instruments import deribit, table
from backtest.data.format.dataset import Dataset, SourceNote
from backtest.data.format.schema import RECORDED_SCHEMA, Channel, instruments_from_frame
from backtest.live import join as join_module
from backtest.live.day_chain import read_days
from backtest.live.day_source import SourcedDay
from backtest.live.join import join_days
from backtest.live.seal import seal_day
from benchmarks.emission import HISTORY, REGISTERED_ROWS, WINDOW
from engine.records import Feed
from engine.units import NS_PER_DAY, NS_PER_SECOND

DAYS, FIRST_DAY, STRIKES = 3, 20_600, 900


class Drawn:
    """A source of drawn days: ``rows`` quotes each, every option at random times."""

    name, synthetic, notes = "synthetic quotes", True, (SourceNote("quotes", "synthetic", "", ()),)

    def __init__(self, rows: int) -> None:
        self.rows = rows

    def span(self) -> tuple[int, int]:
        """Return the first and the last day."""
        return FIRST_DAY, FIRST_DAY + DAYS - 1

    def read(self, day: int) -> SourcedDay:
        """Return one day; the last lists an option more."""
        rng, rows = np.random.default_rng(day), self.rows
        listed = instruments_from_frame(table(deribit(f"BTC-25DEC26-{50_000 + 100 * at}-C", Feed.BOOK)
                                              for at in range(-(day == self.span()[1]), STRIKES)))  # fmt: skip
        bid = np.round(0.05 + 0.02 * rng.random(rows), 4)
        columns = {
            "channel": np.full(rows, Channel.QUOTE), "t_ns": day * NS_PER_DAY + np.sort(rng.permutation(rows)) * 1000,
            "code": rng.integers(0, len(listed), rows), "bid": bid, "ask": np.round(bid + 0.0005, 4),
            "bid_size": np.round(rng.exponential(5, rows) + 0.1, 1),
            "ask_size": np.round(rng.exponential(5, rows) + 0.1, 1),
            "lag_ns": rng.integers(1, 10**9, rows), "refreshed": rng.random(rows) < 0.3,
        }  # fmt: skip
        given = [pa.array(columns[field.name], field.type) if field.name in columns else pa.nulls(rows, field.type)
                 for field in RECORDED_SCHEMA]  # fmt: skip
        return SourcedDay(day, listed, {"BTC": pa.table(given, RECORDED_SCHEMA)}, (), {"deribit": 1.0})


def main() -> int:
    """Print both costs; 1 where the two joins differ in a hash."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory(prefix="join-") as folder:
        days = Path(folder) / "days"
        days.mkdir()
        chain, source = read_days(days), Drawn(rows)
        sealing = time.process_time()
        for day in range(FIRST_DAY, FIRST_DAY + DAYS):
            chain = seal_day(chain, source, source.read(day), 60 * NS_PER_SECOND, 1)
        sealing = (time.process_time() - sealing) / DAYS / rows * 1e6
        with every_row():
            whole, slow = timed(lambda: join_days(days, Path(folder) / "whole", "joined"))
        codes, fast = timed(lambda: join_days(days, Path(folder) / "codes", "joined", digests=False))
    say(f"{DAYS} days of {rows:,} rows (SYNTHETIC), CPU seconds a million rows of one process; sealing {sealing:.2f}")
    for name, seconds in (("every row and digest", slow), ("codes alone", fast)):
        a_million = seconds / DAYS / rows * 1e6
        last = a_million * REGISTERED_ROWS * (HISTORY + WINDOW) / 1e6
        say(f"{name:<22} {a_million:6.2f}; day 90 of the window, {REGISTERED_ROWS:,} rows a day: about {last:,.0f} s")
    say(f"the same data set: {whole.dataset_hash == codes.dataset_hash}")
    return int(whole.dataset_hash != codes.dataset_hash)


@contextmanager
def every_row() -> Iterator[None]:
    """Let no file be made by its codes alone while the block runs."""
    kept = join_module.with_codes
    join_module.with_codes = lambda *_: None
    try:
        yield
    finally:
        join_module.with_codes = kept


def timed(work: Callable[[], Dataset]) -> tuple[Dataset, float]:
    """Return what ``work`` returns and its CPU seconds."""
    began = time.process_time()
    made = work()
    return made, time.process_time() - began


def say(line: str) -> None:
    """Write a line of the table."""
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
