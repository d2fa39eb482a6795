"""What joining a day's rows as of its grid times costs, from decoded rows to a panel, against decoding the same rows.

The day is one of BTC in the middle of the full-size SYNTHETIC market: 1.6 million quotes on a grid of 60 seconds.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from backtest.data.build.synthesise import day_table, instruments_of, spec_of
from backtest.data.format.dataset import Dataset, open_dataset
from backtest.data.format.writer import DatasetWriter
from backtest.data.panels import reader
from backtest.data.synthetic.market import build_market
from backtest.registration.load import load_registration
from backtest.seeds import streams
from benchmarks.market import ROOT, UNDERLYING
from benchmarks.measure import Row, against, machine, table
from engine.units import NS_PER_DAY

TURNS = 5


def one_day(folder: Path) -> Dataset:
    """Return a data set of one day in the middle of the full-size market, written below ``folder``."""
    plan = load_registration(ROOT / "configs" / "scale" / "full.toml")
    spec = spec_of(plan.data.synthetic, "full.toml")
    spec = replace(spec, plants=replace(spec.plants, constraints={}))  # rows are as many, and placing takes longer
    market = build_market(spec, streams.load(ROOT / "seeds.lock").generator)
    day = market.days[len(market.days) // 2]
    with DatasetWriter(folder / "day", "day", spec.grid_ns, synthetic=True, sources=[]) as writer:
        writer.set_instruments(instruments_of(market))
        writer.write_day(UNDERLYING, day, day_table(market, UNDERLYING, day), "synthetic", "drawn, not observed")
        return open_dataset(writer.finish())


def rows() -> list[Row]:
    """Return the row of the join; hashing and decoding are in the yardstick alone."""
    with tempfile.TemporaryDirectory() as temporary:
        dataset = one_day(Path(temporary))
        (day,) = dataset.days(UNDERLYING)
        decoded = {day: reader.load_day(dataset, UNDERLYING, day, None)}
        count = sum(len(rows) for part in decoded[day] for rows in part.values())

        def join() -> None:
            with patch.object(reader, "load_day", lambda _dataset, _name, day, _wanted: decoded.get(day, ())):
                next(reader.panels(dataset, UNDERLYING, day * NS_PER_DAY, (day + 1) * NS_PER_DAY))

        def decode() -> None:
            reader.load_day(dataset, UNDERLYING, day, None)

        name = "as-of join, a full day of BTC"
        return [against(name, join, "hash and decode it", decode, count, "rows", turns=TURNS, aim="at most 0.7")]


if __name__ == "__main__":
    print(table(rows()))
    print(machine())
