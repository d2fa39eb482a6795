"""A contract that moves to another funding interval: recorded, sealed, joined, and in a signal.  [venues V3]"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from backtest.data.format.dataset import Dataset, open_dataset
from backtest.data.format.funding_intervals import IntervalSteps
from backtest.data.format.schema import Channel
from backtest.data.format.writer import DatasetWriter
from backtest.live import emit as emit_module
from backtest.live.dated_intervals import of_day
from backtest.live.day_chain import DayChain, read_days
from backtest.live.day_source import CanonicalSource
from backtest.live.digest import day_digest, day_table
from backtest.live.join import join_days
from backtest.live.live_folder import LiveFolder
from backtest.live.message_rows import MessageRows, read_answer
from backtest.live.operate import working_set
from backtest.live.raw_source import RawSource
from backtest.live.seal import seal_day
from engine.errors import DataError
from engine.units import NS_PER_DAY, NS_PER_HOUR, NS_PER_SECOND
from tests.backtest.data.markets import DAY as MARKET_DAY
from tests.backtest.data.markets import START as MARKET_START
from tests.backtest.live.recorded_days import (
    DAY,
    PERP,
    START,
    add_poll,
    add_settlements,
    after_midnight,
    hourly_quotes,
    subscribed,
    write_recording,
)
from tests.backtest.live.sealed_days import NOW, market, sealed
from tests.backtest.live.test_join import files_of, whole

CHANGE_H = 32
"""08:00 of the second day: a settlement after eight hours, the next ones come after four."""
SETTLED_H = (0, 8, 16, 24, 32, 36, 40, 44, *range(48, 72, 4))
INFO = b"GET https://fapi.binance.com/fapi/v1/fundingInfo"


def contract(hours: object, symbol: str = "BTCUSDT") -> dict[str, object]:
    return {"symbol": symbol, "fundingIntervalHours": hours, "adjustedFundingRateCap": "0.02", "disclaimer": False}


def recording(folder: Path, answered_h: Iterable[int] = range(72), settled_h: Sequence[int] = SETTLED_H,
              change_h: int = CHANGE_H) -> RawSource:  # fmt: skip
    """Three days: hourly quotes, settlements asked for after midnight, ``fundingInfo`` a minute after ``answered_h``.

    The answers name another contract, and the perp from ``change_h`` on.
    """
    segments = hourly_quotes(75)
    for hour in answered_h:
        named = [contract(4, "ETHUSDT"), *([contract(4)] if hour >= change_h else [])]
        add_poll(segments, START + hour * NS_PER_HOUR + 60 * NS_PER_SECOND, "fundingInfo", named)
    for day in range(3):
        of_day = [START + hour * NS_PER_HOUR for hour in settled_h if hour // 24 == day]
        add_settlements(segments, after_midnight(day), of_day)
    write_recording(folder, segments, subscribed())
    return RawSource(folder)


def sealed_recording(days: Path, source: RawSource, count: int = 3) -> DayChain:
    days.mkdir(parents=True, exist_ok=True)
    chain = read_days(days)
    for day in range(DAY, DAY + count):
        chain = seal_day(chain, source, source.read(day), 60 * NS_PER_SECOND, NOW)
    return chain


def steps_h(dataset: Dataset, name: str, start_ns: int) -> list[tuple[int, int]]:
    """The (hours from ``start_ns``, hours between settlements) of an instrument, of time 0 as it is."""
    steps = dataset.funding_steps[dataset.instruments.code_of(name)]
    pairs = zip(steps.from_ns.tolist(), steps.interval_ns.tolist(), strict=True)
    return [(from_ns and (from_ns - start_ns) // NS_PER_HOUR, step // NS_PER_HOUR) for from_ns, step in pairs]


def test_a_recorded_change_is_in_its_day_and_no_gap_and_settlements_are_missing_by_it(tmp_path: Path) -> None:
    source = recording(tmp_path / "raw", settled_h=[hour for hour in SETTLED_H if hour != 44])
    chain = sealed_recording(tmp_path / "days", source)
    days = [open_dataset(tmp_path / "days" / row["day"]) for row in chain.rows]
    assert [day.instruments.funding_interval_ns.tolist() for day in days] == [
        [8 * NS_PER_HOUR], [4 * NS_PER_HOUR], [4 * NS_PER_HOUR],
    ]  # fmt: skip
    assert [len(day.funding_steps) for day in days] == [0, 1, 0]
    assert steps_h(days[1], PERP, START) == [(0, 8), (CHANGE_H, 4)]
    settled = [row["t_ns"] for row in day_table(days[1], DAY + 1).to_pylist() if row["channel"] == Channel.SETTLE]
    assert [(t_ns - START) // NS_PER_HOUR for t_ns in settled] == [24, 32, 36, 40]
    assert {t_ns % NS_PER_HOUR for t_ns in settled} == {0}
    # at 04:00 of the second day, before the change, and of the first none was due
    assert [chain.evidence(row)["missing"] for row in chain.rows] == [[], [f"SETTLE {PERP} 2026-12-14T20:00"], []]
    assert [row["gaps"] for row in chain.rows] == [0, 0, 0]


def test_a_later_change_leaves_the_digest_of_a_day_and_each_join_day_by_day_is_the_whole_one(tmp_path: Path) -> None:
    source, live = recording(tmp_path / "raw"), LiveFolder(tmp_path / "live")
    digests = []
    for count in (1, 2, 3):
        chain = sealed_recording(live.days, source, count)
        made = working_set(live, chain, "joined")
        assert files_of(made.path) == whole(live.days, tmp_path / f"whole-{count}")
        digests.append(day_digest(made, DAY))
    assert digests == [chain.rows[0]["digest"]] * 3
    assert steps_h(made, PERP, START) == [(0, 8), (CHANGE_H, 4)]
    for day, row in enumerate(chain.rows):
        assert day_digest(made, DAY + day) == row["digest"]
        alone = open_dataset(live.days / row["day"]).instruments
        assert made.instruments_on(DAY + day).funding_interval_ns.tolist() == alone.funding_interval_ns.tolist()


def test_an_interval_of_another_day_is_another_digest(tmp_path: Path) -> None:
    """The digest has the interval in force, so a day that was sealed with four hours is not one with eight."""
    four = sealed_recording(tmp_path / "four", recording(tmp_path / "raw-4", change_h=0), 1)
    eight = sealed_recording(tmp_path / "eight", recording(tmp_path / "raw-8"), 1)
    tables = [day_table(open_dataset(tmp_path / name / four.rows[0]["day"]), DAY) for name in ("four", "eight")]
    assert tables[0].equals(tables[1])
    assert four.rows[0]["digest"] != eight.rows[0]["digest"]


def test_a_day_without_an_answer_keeps_the_interval_of_the_day_before(tmp_path: Path) -> None:
    source = recording(tmp_path / "raw", answered_h=range(48))
    chain = sealed_recording(tmp_path / "days", source)
    assert open_dataset(tmp_path / "days" / chain.rows[2]["day"]).instruments.funding_interval_ns[0] == 4 * NS_PER_HOUR
    assert chain.rows[2]["missing"] == 0
    made = join_days(tmp_path / "days", tmp_path / "set", "joined")
    assert steps_h(made, PERP, START) == [(0, 8), (CHANGE_H, 4)]


def test_a_day_without_an_answer_is_sealed_anew_as_it_was_after_a_later_change(tmp_path: Path) -> None:
    source = recording(tmp_path / "raw", answered_h=(*range(24), *range(48, 72)), change_h=48)
    chain = sealed_recording(tmp_path / "days", source)
    days = [open_dataset(tmp_path / "days" / row["day"]) for row in chain.rows]
    assert [day.instruments.funding_interval_ns[0] // NS_PER_HOUR for day in days] == [8, 8, 4]
    assert sealed_recording(tmp_path / "days", source).head == chain.head


@pytest.mark.parametrize(
    ("answered_h", "expected"),
    [
        (range(72), [(0, 8), (24, 4)]),  # the first answer of the second day has it: since its midnight
        ((0, 23, 30), [(0, 8), (24, 4)]),  # no answer before 06:00: the first says what the day began with
    ],
)
def test_a_change_between_two_days_is_one_at_midnight(
    tmp_path: Path, answered_h: Iterable[int], expected: list[tuple[int, int]]
) -> None:
    source = recording(tmp_path / "raw", answered_h, change_h=24)
    chain = sealed_recording(tmp_path / "days", source)
    made = join_days(tmp_path / "days", tmp_path / "set", "joined")
    assert steps_h(made, PERP, START) == expected
    assert made.instruments_on(DAY).funding_interval_ns[0] == 8 * NS_PER_HOUR
    assert chain.evidence(chain.rows[1])["missing"] == [f"SETTLE {PERP} 2026-12-14T04:00"]  # which was not stored


def test_two_answers_of_one_hour_that_differ_give_the_last(tmp_path: Path) -> None:
    """Restarts poll at once: 32:01 says eight hours, 32:20 one and 32:40 four."""
    segments = hourly_quotes(50)
    for minutes, hours in ((24 * 60 + 1, 8), (32 * 60 + 1, 8), (32 * 60 + 20, 1), (32 * 60 + 40, 4)):
        add_poll(segments, START + minutes * 60 * NS_PER_SECOND, "fundingInfo", [contract(hours)])
    write_recording(tmp_path, segments, subscribed())
    steps = RawSource(tmp_path).read(DAY + 1).funding_steps[PERP]
    assert ((steps.from_ns[1:] - START) // NS_PER_HOUR).tolist() == [32]
    assert (steps.interval_ns // NS_PER_HOUR).tolist() == [8, 4]


def test_the_days_of_a_data_set_with_a_change_are_joined_with_it(tmp_path: Path) -> None:
    """Changes in the first day, at a midnight and in the last: the join has each as the data set had it."""
    name, data = "binance:BTCUSDT", market(tmp_path)
    hours, steps = (0, 8, 24, 64), (8, 4, 1, 8)
    from_ns = np.array([0, *(MARKET_START + hour * NS_PER_HOUR for hour in hours[1:])])
    with DatasetWriter(tmp_path / "dated", "dated", data.grid_ns, True, data.sources) as writer:
        writer.set_instruments(data.instruments)
        writer.set_funding_steps({name: IntervalSteps(from_ns, np.array(steps) * NS_PER_HOUR)})
        for day in data.days("BTC"):
            writer.write_day("BTC", day, day_table(data, day), "test", "none")
        source = CanonicalSource(open_dataset(writer.finish()))
    chain = sealed(tmp_path / "days", source)
    made = join_days(tmp_path / "days", tmp_path / "set", "joined")
    assert steps_h(made, name, MARKET_START) == list(zip(hours, steps, strict=True))
    for day in range(MARKET_DAY, MARKET_DAY + 3):
        assert day_digest(made, day) == day_digest(source.dataset, day)
    # the data have a settlement each eighth hour; others are due and missing
    expected = [sum(hour % 8 != 0 for hour in due) for due in (
        (0, 8, 12, 16, 20), range(24, 48), range(48, 65),
    )]  # fmt: skip
    assert [row["missing"] for row in chain.rows] == expected


def test_the_interval_of_a_day_is_what_holds_after_its_start() -> None:
    hour, eight_four = NS_PER_HOUR, np.array([8, 4, 8]) * NS_PER_HOUR
    steps = IntervalSteps(np.array([0, NS_PER_DAY, NS_PER_DAY + 12 * hour]), eight_four)
    of = [of_day(steps, day) for day in range(3)]
    assert [(day.from_ns.tolist(), (day.interval_ns // hour).tolist()) for day in of] == [
        ([0], [8]), ([0, NS_PER_DAY + 12 * hour], [4, 8]), ([0], [8]),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"code":-1121,"msg":"Invalid symbol."}', "12.0 of rest: expected a list"),
        (b'[["BTCUSDT",4]]', "expected an object with symbol"),
        (b'[{"fundingIntervalHours":4}]', "12.0 of rest, field symbol: expected a value, was missing"),
        (b'[{"symbol":"BTCUSDT"}]', "12.0 of rest, field fundingIntervalHours: expected a value, was missing"),
        (b'[{"symbol":"BTCUSDT","fundingIntervalHours":"x"}]', "field fundingIntervalHours: expected a whole number"),
        (b'[{"symbol":"BTCUSDT","fundingIntervalHours":0}]', "fundingIntervalHours of 'BTCUSDT': .* divides 24, was 0"),
        (b'[{"symbol":"BTCUSDT","fundingIntervalHours":5}]', "fundingIntervalHours of 'BTCUSDT': .* divides 24, was 5"),
        (
            b'[{"symbol":"A","fundingIntervalHours":4},{"symbol":"A","fundingIntervalHours":8}]',
            "field fundingIntervalHours of 'A': expected one interval, was 4 and 8 hours",
        ),
    ],
)
def test_a_malformed_answer_is_refused_with_file_and_field(body: bytes, words: str) -> None:
    with pytest.raises(DataError, match=words) as error:
        read_answer("binance-usdm", 1, INFO, body, MessageRows(), "12.0 of rest")
    assert error.value.exit_code == 4


def test_a_signal_on_record_has_the_instruments_of_its_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """A change after its day alters nothing that its id is made from."""
    on_days = SimpleNamespace(instruments_on=lambda day: f"instruments of {day}", instruments="of the last day")
    monkeypatch.setattr(emit_module, "provenance_of", lambda _signal, instruments, *_: instruments)
    monkeypatch.setattr(emit_module, "signal_record", lambda _signal, provenance: provenance)
    monkeypatch.setattr(emit_module, "plan_at", lambda *_: SimpleNamespace(params=None, judging_hash=""))
    signals = [SimpleNamespace(t_ns=START + NS_PER_DAY - 1), SimpleNamespace(t_ns=START + NS_PER_DAY)]
    emission: Any = SimpleNamespace(signals=signals, history_signals=signals[:1])
    records = emit_module.records_of(emission, cast(Dataset, on_days), ())
    assert records == [f"instruments of {DAY}", f"instruments of {DAY + 1}"]
