"""Panels are the last knowable values, whatever way one asks for them.  [S1.1, S1.3]"""

from __future__ import annotations

import tempfile
from dataclasses import fields
from operator import attrgetter
from pathlib import Path
from typing import Any
from weakref import ref

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backtest.data.format import quote_file
from backtest.data.format.schema import Channel
from backtest.data.panels import reader
from engine.errors import UsageError
from engine.records import Kind, Panel
from engine.units import NEVER_NS, NS_PER_DAY, NS_PER_HOUR
from tests.backtest.data.markets import DAY, START, instrument, instruments, quote, store

HOUR = NS_PER_HOUR
LISTED = instruments(
    instrument("binance:A"),
    instrument("binance:FX", Kind.SPOT, underlying="FX"),
    instrument("deribit:C", Kind.OPTION, expiry_ns=START + NS_PER_DAY + 8 * HOUR),
)
A, FX, CALL = 0, 1, 2
COLUMN = {"mark": Channel.MARK, "index": Channel.MARK, "rate": Channel.FUNDING, "price": Channel.DELIVERY}


def row(channel: Channel, t_ns: int, code: int, **values: float) -> dict[str, object]:
    return {"channel": channel, "t_ns": t_ns, "code": code, **values}


def same(left: Panel, right: Panel) -> bool:
    return all(
        np.array_equal(a, b, equal_nan=a.dtype.kind == "f") if isinstance(a, np.ndarray) else a == b
        for a, b in ((getattr(left, f.name), getattr(right, f.name)) for f in fields(Panel) if f.name != "instruments")
    )


@st.composite
def markets(draw: st.DrawFn) -> list[dict[str, object]]:
    """Random rows of all channels over four days, at a coarse clock so that many fall on grid times."""
    moments = st.integers(0, 4 * 48 - 1).map(lambda half: START + half * HOUR // 2)
    price = st.floats(1, 9) | st.none()
    keyed: dict[tuple[int, int, int], dict[str, object]] = {}
    for _ in range(draw(st.integers(1, 60))):
        t_ns, code = draw(moments), draw(st.sampled_from([A, FX, CALL]))
        channel = draw(st.sampled_from(list(Channel)))
        if channel == Channel.SETTLE:
            t_ns = t_ns // (8 * HOUR) * 8 * HOUR
        if channel == Channel.QUOTE:
            values = {"bid": draw(price), "ask": draw(price), "bid_size": draw(price), "ask_size": draw(price)}
        elif channel == Channel.MARK:
            values = {"mark": draw(price), "index": draw(price)}
            values["mark"] = 1.0 if values["mark"] is None and values["index"] is None else values["mark"]
        elif channel == Channel.DELIVERY:
            values = {"price": draw(st.floats(1, 9))}
        else:
            values = {"rate": draw(st.floats(-0.01, 0.01))}
        keyed[int(channel), t_ns, code] = row(channel, t_ns, code, **values)  # type: ignore[arg-type]
    return list(keyed.values())


def slow(rows: list[dict], code: int, t_ns: int, day: int, channel: Channel, name: str) -> float:
    """The value of one cell by a plain search: the last row known at t and not before the day before."""
    known = [
        r for r in rows
        if r["channel"] == channel and r["code"] == code and (day - 1) * NS_PER_DAY <= r["t_ns"] <= t_ns
        and (channel == Channel.QUOTE or r.get(name) is not None)
    ]  # fmt: skip
    value = max(known, key=lambda r: r["t_ns"]).get(name) if known else None
    return np.nan if value is None else value


@settings(deadline=None, max_examples=25)
@given(markets(), st.sampled_from([HOUR, 2 * HOUR, 7 * HOUR]))
def test_every_cell_is_what_a_slow_search_finds(rows: list[dict[str, object]], grid_ns: int) -> None:
    """All channels, all cells, all grid steps, also one that does not divide a day."""
    with tempfile.TemporaryDirectory() as folder:
        dataset = store(Path(folder) / "d", LISTED, rows, grid_ns=grid_ns)
        found = list(reader.panels(dataset, "BTC", START, START + 5 * NS_PER_DAY)) if dataset.underlyings else []
    for panel in found:
        day = int(panel.times_ns[0] // NS_PER_DAY)
        assert list(range(-(-day * NS_PER_DAY // grid_ns) * grid_ns, (day + 1) * NS_PER_DAY, grid_ns)) == list(
            panel.times_ns
        )
        for at, code in enumerate(panel.code):
            for i, t_ns in enumerate(panel.times_ns):
                for name in ("bid", "ask", "bid_size", "ask_size"):
                    np.testing.assert_equal(
                        getattr(panel, name)[i, at], slow(rows, code, t_ns, day, Channel.QUOTE, name)
                    )
                for name, field in (
                    ("mark", "mark"),
                    ("index", "index"),
                    ("rate", "funding_rate"),
                    ("price", "settlement"),
                ):
                    expected = slow(rows, code, t_ns, day, COLUMN[name], name)
                    np.testing.assert_equal(getattr(panel, field)[i, at], expected)
                last = [r["t_ns"] for r in rows if r["channel"] == Channel.QUOTE and r["code"] == code
                        and (day - 1) * NS_PER_DAY <= r["t_ns"] <= t_ns]  # fmt: skip
                assert (t_ns - max(last) if last else NEVER_NS) == panel.age_ns[i, at]


@settings(deadline=None, max_examples=15)
@given(markets(), st.integers(1, 4 * 24 - 1))
def test_what_is_read_does_not_depend_on_where_reading_began(rows: list[dict[str, object]], cut: int) -> None:
    """A panel is a function of its day and the day before: starting later gives the same rows and columns."""
    with tempfile.TemporaryDirectory() as folder:
        dataset = store(Path(folder) / "d", LISTED, rows)
        if not dataset.underlyings:
            return
        whole = {
            int(p.times_ns[0]): p
            for p in reader.panels(dataset, "BTC", START, START + 4 * NS_PER_DAY, funding_average_ns=8 * HOUR)
        }
        for panel in reader.panels(
            dataset, "BTC", START + cut * HOUR, START + 4 * NS_PER_DAY, funding_average_ns=8 * HOUR
        ):
            full = whole[int(panel.times_ns[0]) // NS_PER_DAY * NS_PER_DAY]
            skip = len(full.times_ns) - len(panel.times_ns)
            assert np.array_equal(full.code, panel.code)
            for field in fields(Panel):
                a = getattr(full, field.name)
                if isinstance(a, np.ndarray) and a.ndim == 2:
                    np.testing.assert_array_equal(a[skip:], getattr(panel, field.name))


@settings(deadline=None, max_examples=15)
@given(markets(), st.integers(0, 4 * 48), st.floats(1, 9))
def test_nothing_before_a_moment_depends_on_what_comes_after_it(
    rows: list[dict[str, object]], half: int, poison: float
) -> None:
    """Cut or poison all rows after a moment: every row of the panels up to it keeps its bytes.  [S8.8]"""
    moment = START + half * HOUR // 2
    past = [r for r in rows if int(str(r["t_ns"])) <= moment]
    future = [
        r | {k: poison / 100 for k in r if k not in ("channel", "t_ns", "code")}
        for r in rows
        if int(str(r["t_ns"])) > moment
    ]
    with tempfile.TemporaryDirectory() as folder:
        whole = store(Path(folder) / "a", LISTED, rows)
        changed = store(Path(folder) / "b", LISTED, past + future)
        if not whole.underlyings:
            return
        for left, right in zip(
            *(reader.panels(d, "BTC", START, moment + 1, funding_average_ns=8 * HOUR) for d in (whole, changed)),
            strict=True,
        ):
            assert same(left, right)


def test_dollar_pairs_are_columns_of_every_panel_and_the_expired_leave_the_day_after(tmp_path: Path) -> None:
    """The FX file is joined; an option is a column on the day of its expiry and not on the next."""
    rows = [quote(START, A, 1, 2), quote(START, FX, 1, 1.001)]
    rows += [quote(START + d * NS_PER_DAY + 1, code, 1, 2) for d in (1, 2) for code in (A, CALL)]
    panels = list(reader.panels(store(tmp_path / "d", LISTED, rows), "BTC", START, START + 3 * NS_PER_DAY))

    assert [panel.code.tolist() for panel in panels] == [[A, FX], [A, FX, CALL], [A]]


def test_one_day_is_decoded_ahead_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever takes one panel has had its day, the carried day and the next one read: memory is bounded by them."""
    rows = [quote(START + day * NS_PER_DAY, A, 1, 2) for day in range(9)]
    dataset = store(tmp_path / "d", LISTED, rows)
    asked: list[int] = []
    load = reader.load_day
    monkeypatch.setattr(
        reader,
        "load_day",
        lambda dataset, name, day, wanted: asked.append(day - DAY) or load(dataset, name, day, wanted),
    )
    panels = reader.panels(dataset, "BTC", START + NS_PER_DAY, START + 9 * NS_PER_DAY)
    next(panels)
    next(panels)
    panels.close()  # waits for what is being read

    assert sorted(asked) == [0, 1, 2, 3]


def test_a_side_that_is_missing_now_is_not_filled_from_before(tmp_path: Path) -> None:
    """A null bid of the last quote is NaN although the quote before had one."""
    rows = [quote(START, A, 1, 2, bid_size=3.0), quote(START + HOUR, A, None, 2)]
    (panel,) = reader.panels(store(tmp_path / "d", LISTED, rows), "BTC", START, START + 2 * HOUR)

    np.testing.assert_equal([[1.0], [np.nan]], panel.bid)
    np.testing.assert_equal([[3.0], [np.nan]], panel.bid_size)
    np.testing.assert_equal([[0], [0]], panel.age_ns)


def test_codes_and_times_restrict_a_panel_without_changing_it(tmp_path: Path) -> None:
    """Reading some columns at some times gives that part of the whole."""
    rows = [quote(START + k * HOUR, code, 1 + k, 2 + k) for k in range(40) for code in (A, FX)]
    dataset = store(tmp_path / "d", LISTED, rows)
    first, second = reader.panels(dataset, "BTC", START, START + 2 * NS_PER_DAY)
    times = np.array([START, START + 7 * HOUR, START + NS_PER_DAY])
    part = list(reader.panels(dataset, "BTC", START, START + 2 * NS_PER_DAY, codes=[A], times_ns=times))

    assert [panel.times_ns.tolist() for panel in part] == [[START, START + 7 * HOUR], [START + NS_PER_DAY]]
    assert [panel.code.tolist() for panel in part] == [[A], [A]]
    np.testing.assert_array_equal(first.bid[[0, 7], :1], part[0].bid)
    np.testing.assert_array_equal(second.bid[[0], :1], part[1].bid)


def test_snapshot_times_are_a_grid(tmp_path: Path) -> None:
    """A data set of snapshots is read at its own times; days without any give no panel."""
    times = [START + 5 * HOUR, START + 11 * HOUR, START + 2 * NS_PER_DAY + 1]
    rows = [quote(t, A, 1 + k, 2 + k) for k, t in enumerate(times)]
    dataset = store(tmp_path / "d", LISTED, rows, grid_ns=0, grids={"BTC": times})
    panels = list(reader.panels(dataset, "BTC", START, START + 3 * NS_PER_DAY))

    assert [times[:2], times[2:]] == [panel.times_ns.tolist() for panel in panels]
    np.testing.assert_array_equal([[1.0], [2.0]], panels[0].bid)


def test_a_span_without_grid_times_has_no_panel(tmp_path: Path) -> None:
    """Between two snapshots, before the first, after the last, an empty span, given times outside it: nothing."""
    times = [START + 5 * HOUR, START + 2 * NS_PER_DAY]
    rows = [quote(t, A, 1, 2) for t in times]
    dataset = store(tmp_path / "d", LISTED, rows, grid_ns=0, grids={"BTC": times})
    spans = [(times[0] + 1, times[1]), (0, times[0]), (times[1] + 1, times[1] + NS_PER_DAY), (times[0], times[0])]

    assert [list(reader.panels(dataset, "BTC", *span)) for span in spans] == [[], [], [], []]
    outside = np.array([START - HOUR, START + 9 * HOUR])
    assert list(reader.panels(dataset, "BTC", START, START + HOUR, times_ns=outside)) == []
    assert list(reader.panels(dataset, "BTC", START + HOUR, START + HOUR + 1, grid_ns=7 * HOUR)) == []


def test_a_day_without_rows_shows_what_is_still_carried_and_then_nothing(tmp_path: Path) -> None:
    """An outage of two days: ages grow for a day, then the columns are gone; time goes on either way."""
    dataset = store(tmp_path / "d", LISTED, [quote(START + HOUR, A, 1, 2)])
    panels = list(reader.panels(dataset, "BTC", START, START + 3 * NS_PER_DAY))

    assert [panel.shape for panel in panels] == [(24, 1), (24, 1), (24, 0)]
    assert panels[1].age_ns[-1, 0] == 46 * HOUR


def test_panels_are_read_only_and_an_unknown_underlying_is_refused(tmp_path: Path) -> None:
    """Shared arrays cannot be written; a wrong underlying is a usage error that lists the known ones."""
    dataset = store(tmp_path / "d", LISTED, [quote(START, A, 1, 2)])
    (panel,) = reader.panels(dataset, "BTC", START, START + HOUR)

    with pytest.raises(ValueError):
        panel.bid[0, 0] = 1.0
    with pytest.raises(UsageError, match="BTC"):
        next(reader.panels(dataset, "XRP", START, START + HOUR))
    assert dataset.days("BTC") == [DAY]


def test_a_file_of_many_row_groups_is_read_as_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups of four rows, which part the rows of one moment, give the panels of one group."""
    rows = [quote(START + k * HOUR // 3, code, 1 + k, 2 + k) for k in range(150) for code in (A, FX, CALL)]
    whole = store(tmp_path / "whole", LISTED, rows)
    monkeypatch.setattr(quote_file, "ROW_GROUP", 4)
    parts = store(tmp_path / "parts", LISTED, rows)
    span = (START, START + 2 * NS_PER_DAY)

    assert whole.dataset_hash != parts.dataset_hash
    for left, right in zip(reader.panels(whole, "BTC", *span), reader.panels(parts, "BTC", *span), strict=True):
        assert same(left, right)


def test_a_panel_that_the_caller_let_go_is_gone_before_the_next_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At most one day of a long span is in memory."""
    dataset = store(tmp_path / "set", LISTED, [quote(START + k * HOUR, A, 1 + k, 2 + k) for k in range(96)])
    make, made = reader._panel, []

    def watched(*arguments: Any) -> Panel:
        assert [array() for array in made] == [None] * len(made)
        panel = make(*arguments)
        made.append(ref(panel.bid))
        return panel

    monkeypatch.setattr(reader, "_panel", watched)
    spans = map(attrgetter("times_ns"), reader.panels(dataset, "BTC", START, START + 4 * NS_PER_DAY))
    assert list(map(len, spans)) == [24] * 4
    assert len(made) == 4


def index_rows(minutes: range, code: int, base: float = 100.0) -> list[dict[str, object]]:
    """An index reading so many minutes after START of the second day, 1 a minute higher."""
    begin = START + NS_PER_DAY
    return [row(Channel.MARK, begin + m * HOUR // 60, code, mark=1.0, index=base + m) for m in minutes]


@pytest.mark.parametrize("grid_h", [1, 6, 24])
def test_the_mean_of_the_index_is_read_by_the_time_of_its_source_whatever_the_grid(tmp_path: Path, grid_h: int) -> None:
    """Rows of 07:31 to 08:00 on any grid, known from the first grid time at or after 08:00 and never before it."""
    listed = instruments(
        instrument("deribit:C", Kind.OPTION, expiry_ns=START + NS_PER_DAY + 8 * HOUR),
        instrument("deribit:P", Kind.PERP),
    )
    rows = [quote(START + d * NS_PER_DAY + 1, code, 1, 2) for d in range(3) for code in (0, 1)]
    rows += index_rows(range(1_000), 1)
    windows = np.array([HOUR // 2, 0])
    dataset = store(tmp_path / "d", listed, rows)
    panels = list(
        reader.panels(dataset, "BTC", START, START + 3 * NS_PER_DAY, grid_ns=grid_h * HOUR, delivery_windows_ns=windows)
    )
    seen = {
        int(t): float(panel.delivery_mean[n, panel.column(0)])
        for panel in panels
        for n, t in enumerate(panel.times_ns)
        if panel.column(0) >= 0
    }

    after = {t: mean for t, mean in seen.items() if t >= START + NS_PER_DAY + 8 * HOUR}
    assert after
    assert set(after.values()) == {100.0 + sum(range(451, 481)) / 30}
    assert all(np.isnan(mean) for t, mean in seen.items() if t not in after)
    assert all(np.isnan(panel.delivery_mean[:, panel.column(1)]).all() for panel in panels)


def test_the_index_is_that_of_the_settlement_currency_and_of_perps_before_options(tmp_path: Path) -> None:
    """Rows of options count where perps and futures have too few; those of another dollar never."""
    expiry = START + NS_PER_DAY + 8 * HOUR
    listed = instruments(
        instrument("deribit:C", Kind.OPTION, expiry_ns=expiry, settle="BTC"),
        instrument("deribit:P", Kind.PERP, settle="BTC"),
        instrument("deribit:U", Kind.PERP, settle="USDC"),
    )
    quotes = [quote(START + NS_PER_DAY + 1, code, 1, 2) for code in (0, 1, 2)]
    windows = np.array([HOUR // 2, 0, 0])

    def mean(name: str, *marks: list[dict[str, object]]) -> float:
        rows = [*quotes, *(one for part in marks for one in part)]
        (panel,) = reader.panels(
            store(tmp_path / name, listed, rows), "BTC", START + NS_PER_DAY, START + 2 * NS_PER_DAY, grid_ns=HOUR,
            delivery_windows_ns=windows,
        )  # fmt: skip
        return float(panel.delivery_mean[-1, 0])

    own, of_perp, of_other = (
        index_rows(range(451, 481), 0),
        index_rows(range(451, 481), 1, 900.0),
        index_rows(range(451, 481), 2, 5_000.0),
    )
    linear = 900.0 + sum(range(451, 481)) / 30
    assert mean("a", own, of_perp, of_other) == linear
    assert mean("b", own, of_perp[:3], of_other) == pytest.approx(
        (sum(100 + m for m in range(454, 481)) + sum((1_000 + 2 * m) / 2 for m in range(451, 454))) / 30
    )
    assert np.isnan(mean("c", of_other))
