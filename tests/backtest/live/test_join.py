"""The join of sealed days: made day by day it is the whole one, and an earlier day that changed is never reused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest

from backtest.data.format import writer as writer_module
from backtest.data.format.dataset import Dataset, open_dataset
from backtest.data.format.writer import DatasetWriter
from backtest.live import join as join_module
from backtest.live.code_column import with_codes
from backtest.live.day_chain import DAYS_FILE, DayChain, read_days
from backtest.live.day_source import CanonicalSource
from backtest.live.digest import day_digest, day_table, rows_digest
from backtest.live.join import join_days
from backtest.live.live_folder import LiveFolder
from backtest.live.operate import working_set
from engine.errors import MissingError
from tests.backtest.data.markets import DAY
from tests.backtest.live.sealed_days import DATES, market, refused, sealed


class Killed(BaseException):
    """A kill: nothing of ours catches it."""


@pytest.fixture
def live(tmp_path: Path) -> LiveFolder:
    """Three sealed days; an instrument that sorts first is listed on the second."""
    made = LiveFolder(tmp_path / "live")
    made.root.mkdir()
    sealed(made.days, CanonicalSource(market(tmp_path)))
    return made


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def whole(days: Path, out: Path) -> dict[str, bytes]:
    """Return the files of a join that encodes each day whole and computes every digest."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(join_module, "with_codes", lambda *_: None)
        return files_of(join_days(days, out, "joined").path)


def joined(live: LiveFolder) -> Dataset:
    return working_set(live, read_days(live.days), "joined")


def sealed_otherwise(live: LiveFolder, day: str, ask: float | None) -> None:
    """Put another data set of ``day`` in place of the sealed one; ``ask`` replaces the first one."""
    known = open_dataset(live.days / day)
    table = day_table(known, DAY + DATES.index(day))
    if ask is not None:
        asks = [ask, *table.column("ask").to_pylist()[1:]]
        table = table.set_column(table.schema.get_field_index("ask"), table.schema.field("ask"), pa.array(asks))
    with DatasetWriter(live.root / "other", "another name", known.grid_ns, True, known.sources) as writer:
        writer.set_instruments(known.instruments)
        writer.write_day("BTC", DAY + DATES.index(day), table, "x", "x")
        made = writer.finish()
    shutil.copy(live.days / day / "evidence.json", made)
    shutil.rmtree(live.days / day)
    made.rename(live.days / day)


def test_the_join_has_the_rows_of_the_days_and_checks_each_digest(tmp_path: Path) -> None:
    source = CanonicalSource(market(tmp_path))
    chain = sealed(tmp_path / "days", source)
    made = join_days(tmp_path / "days", tmp_path / "set", "joined")
    for day in range(DAY, DAY + 3):
        assert day_digest(made, day) == day_digest(source.dataset, day)
    # an instrument that sorts before the first was listed on day 1: the rows of day 0 have another code now
    assert open_dataset(tmp_path / "days" / DATES[0]).instruments.name == ("binance:BTCUSDT",)
    assert made.instruments.name.index("binance:BTCUSDT") == 1
    rows = [json.loads(line) for line in (tmp_path / "days" / DAYS_FILE).read_text().splitlines()]
    assert [row["digest"] for row in rows] == [row["digest"] for row in chain.rows]


def test_a_refused_join_leaves_nothing_and_is_refused_again(live: LiveFolder, tmp_path: Path) -> None:
    sealed_otherwise(live, DATES[1], ask=170.0)
    for _ in range(2):
        assert DATES[1] in refused(21, join_days, live.days, tmp_path / "set", "joined")
        assert DATES[1] in refused(21, joined, live)
    assert not (tmp_path / "set").exists()
    assert list(live.work.iterdir()) == []
    with pytest.raises(MissingError):
        join_days(tmp_path / "nothing", tmp_path / "set2", "joined")


def test_day_by_day_the_working_set_is_the_whole_join_and_no_digest_is_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An option and a future expire on the first day: codes move on the second, and the files have parts."""
    live, source = LiveFolder(tmp_path / "live"), CanonicalSource(market(tmp_path, expiry=True, options=True))
    live.root.mkdir()
    taken: list[bool] = []

    def counted(*arguments: object) -> object:
        made = with_codes(*arguments)  # type: ignore[arg-type]
        taken.append(made is not None)
        return made

    digests: list[str] = []
    monkeypatch.setattr(join_module, "rows_digest", lambda *given: digests.append("x") or rows_digest(*given))
    for days in (1, 2, 3):
        sealed(live.days, source, days)
        expected = whole(live.days, tmp_path / f"whole-{days}")
        digests.clear()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(join_module, "with_codes", counted)
            made = joined(live)
        assert files_of(made.path) == expected
        assert [path.name for path in live.work.iterdir()] == [made.path.name]
        assert digests == []
    assert taken == [True] * 6
    assert "linear_parts.parquet" in expected


def test_an_earlier_day_of_the_same_rows_in_other_bytes_is_joined_by_its_digest(
    live: LiveFolder, tmp_path: Path
) -> None:
    expected = whole(live.days, tmp_path / "whole")
    sealed_otherwise(live, DATES[0], ask=None)
    made = files_of(joined(live).path)
    quotes = [path for path in expected if path.startswith("quotes/")]
    assert len(quotes) == 3
    assert [made[path] for path in quotes] == [expected[path] for path in quotes]


def test_a_byte_a_file_and_a_folder_of_an_earlier_day_are_missed(live: LiveFolder) -> None:
    path = live.days / DATES[0] / "quotes" / "BTC" / f"{DATES[0]}.parquet"
    body = path.read_bytes()
    path.write_bytes(body[:-100] + bytes([body[-100] ^ 1]) + body[-99:])
    assert str(path) in refused(21, joined, live)
    path.unlink()
    assert str(path) in refused(3, joined, live)
    path.parent.parent.parent.rename(live.root / "aside")
    assert DATES[0] in refused(3, joined, live)


def test_a_folder_that_the_chain_does_not_name_is_no_day(live: LiveFolder, tmp_path: Path) -> None:
    expected = whole(live.days, tmp_path / "whole")
    shutil.copytree(live.days / DATES[2], live.days / "2024-10-07")
    assert files_of(joined(live).path) == expected


@pytest.mark.parametrize(
    "victim", [f"quotes/BTC/{DATES[0]}.parquet", "instruments.parquet", "manifest.json", DAYS_FILE]
)
@pytest.mark.parametrize("damage", [b"", None])
def test_a_working_set_with_a_damaged_file_is_joined_anew(live: LiveFolder, victim: str, damage: bytes | None) -> None:
    made = joined(live)
    expected, inode = files_of(made.path), made.path.stat().st_ino
    assert joined(live).path.stat().st_ino == inode  # as it was: nothing is joined twice
    if damage is None:
        (made.path / victim).unlink()
    else:
        (made.path / victim).write_bytes(damage)
    assert files_of(joined(live).path) == expected


def test_a_working_set_of_another_chain_is_not_taken(live: LiveFolder) -> None:
    """Put under the name of today's, it is known by the chain that it brings along."""
    before = read_days(live.days)
    made = joined(live)
    lines = (live.days / DAYS_FILE).read_bytes().splitlines(keepends=True)
    (live.days / DAYS_FILE).write_bytes(b"".join(lines[:2]))
    shorter = joined(live).path
    assert not made.path.exists()
    shorter.rename(made.path)
    (live.days / DAYS_FILE).write_bytes(b"".join(lines))
    assert read_days(live.days).head == before.head
    assert len(open_dataset(joined(live).path).days("BTC")) == 3


def test_a_kill_at_any_file_of_a_join_leaves_nothing_that_is_taken(
    live: LiveFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process is gone before the n-th file: what it left stays as it was, since nothing of it cleans up."""
    expected = whole(live.days, tmp_path / "whole")
    written = writer_module.write_synced
    left = SimpleNamespace(files=0)

    def dying(path: Path, data: bytes) -> None:
        if left.files == 0:
            raise Killed
        left.files -= 1
        written(path, data)

    for files in range(len(expected)):
        left.files = files
        with monkeypatch.context() as patch:
            patch.setattr(writer_module, "write_synced", dying)
            patch.setattr(DatasetWriter, "abort", lambda _: None)
            with pytest.raises(Killed):
                joined(live)
        assert [path.name.endswith(".building") for path in live.work.iterdir()] == [True]
        made = joined(live)
        assert files_of(made.path) == expected
        assert list(live.work.iterdir()) == [made.path]
        shutil.rmtree(made.path)


def test_the_chain_of_a_join_is_that_of_its_days(live: LiveFolder) -> None:
    chain: DayChain = read_days(live.days)
    assert join_module.days_of_dataset(joined(live)) == chain.rows
