"""Parts: a window cuts and changes nothing inside it, and files read apart give the bytes of files read in a row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from backtest.data.adapters.base import Adapter, Chunk, SourceSpec
from backtest.data.build.assemble import build
from backtest.data.build.chunk import part_of
from backtest.data.format.dataset import open_dataset
from engine.units import NS_PER_DAY, NS_PER_HOUR
from tests.backtest.data.markets import START, instrument

SPEC = SourceSpec("m", "*.csv", {}, "a test", "none")


def chunk(**quoted: list[int]) -> Chunk:
    rows = [{"channel": 0, "t_ns": t, "name": f"okx:{n}", "bid": 1.0, "ask": 2.0} for n in quoted for t in quoted[n]]
    return Chunk("a.csv", pd.DataFrame([instrument(f"okx:{name}") for name in quoted]), pd.DataFrame(rows))


def read(root: Path, spec: SourceSpec) -> Iterator[Chunk]:
    """One quote a file, at the hour that its name tells."""
    for path in sorted(root.glob(spec.path)):
        t_ns = START + int(path.stem) * NS_PER_HOUR
        rows = pd.DataFrame([{"channel": 0, "t_ns": t_ns, "name": "okx:A", "bid": 1.0, "ask": 2.0}])
        yield Chunk(path.name, pd.DataFrame([instrument("okx:A")]), rows)


def test_a_window_keeps_its_rows_and_the_instruments_that_have_some() -> None:
    """[from, to): the row at `from` stays, the one at `to` goes; an instrument that never had a row is kept as told."""
    part = part_of(chunk(B=[START - 1, START + 5], A=[START], C=[START + 9], D=[]), SPEC, False, (START, START + 9))

    assert list(part.instruments.index) == ["okx:B", "okx:A", "okx:D"]
    assert part.table.column("t_ns").to_pylist() == [START + 5, START]
    assert part.table.column("code").to_pylist() == [0, 1]
    assert part.first_quote == {"okx:A": START, "okx:B": START + 5}
    assert part.last_quote == {"BTC": START + 5}
    assert part.spans == {("BTC", START // NS_PER_DAY): (0, 2)}


def test_a_window_may_leave_nothing() -> None:
    """A chunk outside brings no instrument and no row, and is no error."""
    part = part_of(chunk(A=[START]), SPEC, True, (START + 1, START + 2))

    assert (len(part.instruments), part.table.num_rows, part.spans, part.last_quote) == (0, 0, {}, {})


def test_files_read_by_two_processes_give_the_same_data_set(tmp_path: Path) -> None:
    """Thirty files, one worker and two: one manifest, hence the same bytes."""
    for hour in range(30):
        (tmp_path / f"{hour:02d}.csv").touch()
    adapter = Adapter("m", "", "", True, read, by_file=True)
    one, two = (
        open_dataset(build([SPEC], tmp_path, tmp_path / f"out{n}", "n", 0, "m", adapters=[adapter], workers=n))
        for n in (1, 2)
    )

    assert one.manifest == two.manifest
    np.testing.assert_array_equal(one.grids["BTC"], START + np.arange(30) * NS_PER_HOUR)
