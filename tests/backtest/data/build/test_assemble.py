"""Sources become one data set, or a clear refusal and nothing on the disk.  [S1.1, S1.5, S8.2]"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from backtest.data.adapters.base import Adapter, Chunk, SourceSpec
from backtest.data.build import waiting
from backtest.data.build.assemble import build
from backtest.data.format.dataset import Dataset, open_dataset
from backtest.data.format.schema import Channel
from backtest.data.panels import reader
from engine.errors import CmeError, DataError, UsageError
from engine.records import Feed, Kind
from engine.units import NS_PER_DAY, NS_PER_HOUR, NS_PER_SECOND
from tests.backtest.data.markets import START, instrument

HOUR = NS_PER_HOUR


def chunk(rows: list[dict[str, object]], *listed: dict[str, object], file: str = "a.csv") -> Chunk:
    return Chunk(file, pd.DataFrame(list(listed or [instrument("binance:A")])), pd.DataFrame(rows))


def quotes(*t_ns: int, name: str = "binance:A", **values: object) -> list[dict[str, object]]:
    return [{"channel": int(Channel.QUOTE), "t_ns": t, "name": name, "bid": 1.0, "ask": 2.0} | values for t in t_ns]


def made(folder: Path, *sources: list[Chunk], grid_ns: int = HOUR, ordered: bool = False, **options: object) -> Dataset:
    """Build from chunks given in memory, one adapter a source, all with the same options."""

    def reader(chunks: list[Chunk]):
        def read(_root: Path, _spec: SourceSpec) -> Iterator[Chunk]:
            yield from chunks

        return read

    adapters = [Adapter(f"m{k}", "memory", "", ordered, reader(chunks)) for k, chunks in enumerate(sources)]
    specs = [SourceSpec(adapter.name, "*.csv", options, "a test", "none") for adapter in adapters]
    return open_dataset(build(specs, folder, folder / "out", "made", grid_ns, adapters=adapters))


def test_sources_are_merged_by_day_under_codes_sorted_by_name(tmp_path: Path) -> None:
    """Instruments in any order of arrival; rows land in their UTC day with the final code; provenance is kept."""
    b = [chunk(quotes(START, START + NS_PER_DAY, name="okx:B", bid=5.0), instrument("okx:B"), file="b.csv")]
    a = [chunk(quotes(START + 1, bid=3.0))]
    dataset = made(tmp_path, b, a)
    first, second = reader.panels(dataset, "BTC", START, START + 2 * NS_PER_DAY)

    assert dataset.instruments.name == ("binance:A", "okx:B")
    np.testing.assert_equal(first.bid[1].tolist(), [3.0, 5.0])
    np.testing.assert_equal(second.bid[0].tolist(), [3.0, 5.0])
    assert dataset.files["quotes/BTC/2024-10-04.parquet"].source == "b.csv; a.csv"


def test_the_registered_label_shift_is_added_once(tmp_path: Path) -> None:
    """A source labelled three hours late is moved by -3 h, over midnight too."""
    dataset = made(tmp_path, [chunk(quotes(START + HOUR))], label_shift_ns=-3 * HOUR)

    assert dataset.files["quotes/BTC/2024-10-03.parquet"].min_us == (START - 2 * HOUR) // 1000


def test_mark_and_index_of_two_files_are_one_row(tmp_path: Path) -> None:
    """Complementary rows of one moment are joined; the same value twice is refused."""
    mark = {"channel": int(Channel.MARK), "t_ns": START, "name": "binance:A"}
    dataset = made(tmp_path, [chunk([mark | {"mark": 7.0}])], [chunk([mark | {"index": 8.0}], file="b.csv")])
    (panel,) = reader.panels(dataset, "BTC", START, START + HOUR)

    assert (panel.mark[0, 0], panel.index[0, 0]) == (7.0, 8.0)
    with pytest.raises(DataError, match="two sources overlap"):
        made(tmp_path / "x", [chunk([mark | {"mark": 7.0}])], [chunk([mark | {"mark": 7.0}])])


def test_settlements_go_to_their_schedule_and_strays_are_refused(tmp_path: Path) -> None:
    """Venues stamp some milliseconds late; three hours off means shifted labels, and the message says so."""
    late = {"channel": int(Channel.SETTLE), "name": "binance:A", "rate": 1e-4}
    dataset = made(tmp_path, [chunk([late | {"t_ns": START + 8 * HOUR + 7_000_000}])])

    assert dataset.files["quotes/BTC/2024-10-04.parquet"].min_us == (START + 8 * HOUR) // 1000
    with pytest.raises(DataError, match="label_shift_ns"):
        made(tmp_path / "x", [chunk([late | {"t_ns": START + 3 * HOUR}])])
    with pytest.raises(DataError, match=r"expected a funding interval of binance:A, .*, was none"):
        made(tmp_path / "y", [chunk([late | {"t_ns": START}], instrument("binance:A", funding_interval_ns=0))])


def test_snapshot_times_of_a_source_become_the_grid(tmp_path: Path) -> None:
    """The grid time of a snapshot is when its last quote was known; other sources add none."""
    snapshots = [chunk(quotes(START + k * HOUR, START + k * HOUR + 9)[::-1], file=f"{k}.csv") for k in (0, 5)]
    dataset = made(tmp_path, snapshots, grid_ns=0, grid=True)

    assert dataset.grid("BTC", 0, 2**62).tolist() == [START + 9, START + 5 * HOUR + 9]
    with pytest.raises(UsageError, match="option grid for a grid of snapshot times only"):
        made(tmp_path / "regular", snapshots, grid=True)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (quotes(START, volume=1.0), "expected the columns channel, t_ns, name and some of"),
        ([{"channel": 0, "t_ns": START}], "expected the columns channel, t_ns, name and some of"),
        (quotes(START, bid="1.0"), "column bid: expected numbers"),
        (quotes(START, channel=0.0), "column channel: expected integers"),
        ([{"channel": 0, "t_ns": float(START), "name": "binance:A", "bid": 1.0}], "column t_ns: expected integers"),
    ],
)
def test_a_chunk_of_other_columns_or_types_is_refused_where_it_is_made(rows: list, message: str) -> None:
    """The file and the column, before the chunk reaches the build; so is an instruments table of other columns."""
    with pytest.raises(DataError, match=f"^a\\.csv.*{message}"):
        chunk(rows)
    with pytest.raises(DataError, match=r"^a\.csv: expected the columns of an instruments table, was .*'fee'"):
        chunk(quotes(START), instrument("binance:A") | {"fee": 1.0})


NEGATIVE = r"a\.csv, QUOTE of .binance:A. known at 2024-10-04T00:00.*, bid: expected a finite bid"


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (chunk(quotes(START // 1000)), "2009 to 2100"),
        (chunk(quotes(START * 4)), "2009 to 2100"),
        (
            chunk(quotes(START, bid=-1.0)),
            NEGATIVE,
        ),
        (
            chunk(quotes(START, bid=np.inf)),
            NEGATIVE,
        ),
        (chunk(quotes(START, START)), "overlap, or one repeats itself"),
        (chunk(quotes(START, name="binance:Z")), "an instrument of the same chunk"),
        (chunk(quotes(START, channel=9)), "a channel 0 to 5"),
        (chunk(quotes(START + 9, START)), "in order"),
        (chunk(quotes(START, name="binanse:A"), instrument("binanse:A")), "expected a venue of"),
        (chunk(quotes(START), instrument("binance:A", Kind.FUTURE, expiry_ns=START - 1)), "after its first quote"),
        (chunk(quotes(START), instrument("binance:A", contract_size=-1.0)), "contract size"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_written(tmp_path: Path, bad: Chunk, message: str) -> None:
    """Exit 4 with file or instrument, row and value; the folder holds nothing afterwards, hidden or not."""
    with pytest.raises(DataError, match=message) as refused:
        made(tmp_path, [bad], ordered=True)

    assert refused.value.exit_code == 4
    assert list(tmp_path.iterdir()) == []


def test_an_adapter_that_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    """Whatever it raises goes through, and no half data set stays."""

    def read(_root: Path, _spec: SourceSpec) -> Iterator[Chunk]:
        yield chunk(quotes(START))
        raise KeyboardInterrupt

    spec = SourceSpec("m", "*", {}, "", "")
    with pytest.raises(KeyboardInterrupt):
        build([spec], tmp_path, tmp_path / "out", "n", HOUR, adapters=[Adapter("m", "", "", False, read)])

    assert list(tmp_path.iterdir()) == []


def test_unknown_adapters_and_empty_sources_are_refused(tmp_path: Path) -> None:
    """Exit 2 for a name that is no adapter, 4 for sources without a row."""
    with pytest.raises(UsageError, match="an adapter of"):
        build([SourceSpec("x", "*", {}, "", "")], tmp_path, tmp_path / "out", "n", HOUR, adapters=[])
    with pytest.raises(CmeError, match="at least one row"):
        made(tmp_path, [])


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        ({}, {"quote": "USDC"}, "expected quote = 'USDT'"),
        ({}, {"contract_size": 10.0}, "contract_size"),
        ({}, {"funding_interval_ns": HOUR}, "one funding interval"),
        ({}, {"feed": int(Feed.BAR), "bar_ns": HOUR}, "quotes or bars of one length"),
        ({"feed": int(Feed.BAR), "bar_ns": 2 * HOUR}, {"feed": int(Feed.BAR), "bar_ns": HOUR}, "one length"),
    ],
)
def test_sources_that_contradict_each_other_are_refused(
    tmp_path: Path, first: dict, second: dict, message: str
) -> None:
    """What an instrument is must be the same in all sources; bars and quotes of one instrument do not mix."""
    a = chunk(quotes(START), instrument("binance:A", **first))
    b = chunk(quotes(START + 1), instrument("binance:A", **second), file="b.csv")

    with pytest.raises(DataError, match=message) as refused:
        made(tmp_path, [a], [b])
    assert "b.csv" in str(refused.value)


def test_sources_that_complete_each_other_are_joined(tmp_path: Path) -> None:
    """A funding file knows the interval and not the feed; of two quoting feeds the poorer stands."""
    funding = [{"channel": int(Channel.SETTLE), "t_ns": START, "name": "binance:A", "rate": 1e-4}]
    bars = instrument("binance:A", feed=int(Feed.BAR), bar_ns=HOUR, funding_interval_ns=0)
    only_rate = instrument("binance:A", feed=int(Feed.MARK), tick=0.5)
    listed = made(tmp_path, [chunk(funding, only_rate)], [chunk(quotes(START), bars)]).instruments

    assert (listed.feed[0], listed.bar_ns[0], listed.funding_interval_ns[0], listed.tick[0]) == (2, HOUR, 8 * HOUR, 0.5)
    book, touch = instrument("binance:A"), instrument("binance:A", feed=int(Feed.TOUCH))
    both = made(tmp_path / "x", [chunk(quotes(START), book)], [chunk(quotes(START + 1), touch)])
    assert both.instruments.feed[0] == Feed.TOUCH


def test_rows_that_wait_on_disk_give_the_same_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded: with room for three rows the bytes are the same as with room for all."""
    rng = np.random.default_rng(4)
    chunks = [
        chunk(quotes(*(START + rng.permutation(72)[:9] * HOUR + k * NS_PER_SECOND)), file=f"{k}.csv") for k in range(20)
    ]
    roomy = made(tmp_path / "a", chunks)
    monkeypatch.setattr(waiting, "WAITING_ROWS", 3)

    assert roomy.dataset_hash == made(tmp_path / "b", chunks).dataset_hash
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["out"]
