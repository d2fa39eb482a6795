"""A contract whose venue changes its funding interval: from Binance's archive to what a position is paid.  [venues V3]

The file is made by hand: eight hours, four after 08:00 of 10 August, one after 12:00 of the 11th, eight after 16:00.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from backtest.data.adapters.base import SourceSpec
from backtest.data.build.assemble import build
from backtest.data.checks.check import check
from backtest.data.format.dataset import Dataset, open_dataset
from backtest.data.format.funding_intervals import IntervalSteps, intervals_of_gaps
from backtest.data.panels.reader import panels
from backtest.pipeline.check_conventions import check_conventions
from backtest.registration.load import load_registration
from engine.convention_rows import FundingRule
from engine.costs.expected_funding import count_at, rate_at
from engine.errors import DataError, UsageError
from engine.ledger.terms_in_force import terms_in_force
from engine.market.view import PreparedPanel, prepare
from engine.records import Kind
from engine.repricing.funding_payments import all_payments
from engine.repricing.window import price_window
from engine.units import NS_PER_DAY, NS_PER_HOUR
from tests.engine.positions.test_settlement import money
from tests.helpers.builders import curves, market, params, row_keys, rules
from tests.helpers.positions import resolved, signal

NAME, SPOT = "binance:BTCUSDC-PERP", "binance:BTCUSDC"
START = int(np.datetime64("2025-08-10", "ns").astype(np.int64))
ENDED = ((0, 8), (8, 8), (12, 4), (16, 4), (20, 4), (24, 4), (28, 4), (32, 4), (36, 4),
         (37, 1), (38, 1), (39, 1), (40, 1), (48, 8), (56, 8))  # fmt: skip
"""Hours after the start at which a rate was settled, and the hours that it was for: reckoned by hand."""
RATE = {hour: (number + 1) * 1e-5 for number, (hour, _) in enumerate(ENDED)}
BEGINS = tuple((hour, after) for (hour, _), (_, after) in zip(ENDED, (*ENDED[1:], ENDED[-1]), strict=True))
"""The same where a row states the interval that begins with it."""
HOURS = 72


def archive(folder: Path, rows: tuple[tuple[int, int], ...] = ENDED, **options: object) -> list[SourceSpec]:
    """The three files of a study, and their sources."""
    lines = ["calc_time,funding_interval_hours,last_funding_rate"]
    lines += [f"{(START + hour * NS_PER_HOUR) // 10**6 + 3},{every},{RATE[hour]:.8f}" for hour, every in rows]
    (folder / "BTCUSDC-fundingRate-2025-08.csv").write_text("\n".join(lines) + "\n")
    for name, price in (("spot.csv", 99_500), ("perp.csv", 100_000)):
        bars = [f"{(START + (h - 3) * NS_PER_HOUR) // 10**6},{price}" for h in range(HOURS)]
        (folder / name).write_text("ts,close\n" + "\n".join(bars) + "\n")
    declared = {"venue": "binance", "base": "BTC", "quote": "USDC", "feed": "bar", "bar": "1h"}
    bars_of = declared | {"label": "ms", "drop_zero_volume": False, "drop_last": False}
    perp = {"kind": "linear_perp", "funding_h": options.get("funding_h", 8)}
    return [
        SourceSpec("candles_csv", "spot.csv", bars_of | {"kind": "spot"}, "by hand", "none"),
        SourceSpec("candles_csv", "perp.csv", bars_of | perp, "by hand", "none"),
        SourceSpec("binance_archive", "*fundingRate*", declared | perp | {"table": "fundingRate"}, "by hand", "none"),
    ]


def made(folder: Path, rows: tuple[tuple[int, int], ...] = ENDED) -> Dataset:
    return open_dataset(build(archive(folder, rows), folder, folder / "set", "by-hand", NS_PER_HOUR))


def paid_at(data: Dataset, grid_h: int = 1) -> dict[int, float]:
    """Hours after the start -> what the panels say was settled up to them, where it is not 0."""
    result: dict[int, float] = {}
    for panel in panels(data, "BTC", START, START + HOURS * NS_PER_HOUR, grid_ns=grid_h * NS_PER_HOUR):
        column = panel.funding_paid[:, panel.column(data.instruments.code_of(NAME))]
        at = ((panel.times_ns - START) // NS_PER_HOUR).tolist()
        result |= {hour: value for hour, value in zip(at, column.tolist(), strict=True) if value != 0.0}
    return result


@pytest.mark.parametrize("rows", [ENDED, BEGINS])
@pytest.mark.parametrize("grid_h", [1, 6])
def test_every_settlement_is_paid_once_and_none_is_missed(
    tmp_path: Path, rows: tuple[tuple[int, int], ...], grid_h: int
) -> None:
    """On each grid the sum of what the file has since the time before, whichever interval a row states."""
    by_hand: dict[int, float] = {}
    for hour, rate in RATE.items():
        if hour:
            after = -(-hour // grid_h) * grid_h
            by_hand[after] = by_hand.get(after, 0.0) + rate
    paid = paid_at(made(tmp_path, rows), grid_h)
    paid.pop(0, None)
    # After the last row of the file the next is due at 16:00.
    assert {hour: value for hour, value in paid.items() if hour <= 56 + grid_h - 1} == pytest.approx(by_hand)
    assert [hour for hour, value in paid.items() if np.isnan(value)] == [64 + (-64) % grid_h]


def test_a_settlement_that_lacks_is_missed_by_the_interval_of_its_time(tmp_path: Path) -> None:
    """20:00 is due while the interval is four hours."""
    paid = paid_at(made(tmp_path, tuple(row for row in ENDED if row[0] != 20)))
    assert [hour for hour, value in paid.items() if np.isnan(value)] == [20, 64]
    checked = check(open_dataset(tmp_path / "set"))
    (perp,) = [each for each in checked.instruments if each.name == NAME]
    # The last bar closes at 70 h: 64 h is due too.
    assert (perp.settlements, perp.settlements_missing, perp.settlements_off_schedule) == (14, 2, 0)


def test_the_interval_of_a_day_is_that_at_its_end(tmp_path: Path) -> None:
    """A rate of eight hours at 08:00 is half as much for the four hours that follow."""
    data = made(tmp_path)
    code = data.instruments.code_of(NAME)
    every = [int(data.instruments_on(START // NS_PER_DAY + day).funding_interval_ns[code]) for day in (-9, 0, 1, 2, 9)]
    assert [ns // NS_PER_HOUR for ns in every] == [8, 4, 8, 8, 8]
    days = list(panels(data, "BTC", START, START + 2 * NS_PER_DAY))
    first = days[0].funding_rate[:, days[0].column(code)]
    # Known a few milliseconds after the settlement, hence at the next grid time.
    assert [first[9], first[13]] == pytest.approx([RATE[8] * 4 / 8, RATE[12]])
    second = days[1].funding_rate[:, days[1].column(code)]
    assert [second[13], second[14]] == pytest.approx([RATE[36] * 8 / 4, RATE[37] * 8])


def dated(*rows: tuple[str, int]) -> tuple[FundingRule, ...]:
    return tuple(
        FundingRule(
            **row_keys("binance", Kind.PERP, day, symbol="BTCUSDC-PERP"), accrues=False, interval_ns=h * NS_PER_HOUR
        )
        for day, h in rows
    )


RULES = dated(("2019-09-01", 8), ("2025-08-10", 4), ("2025-08-11", 8))


def views(data: Dataset, grid_h: int) -> list[PreparedPanel]:
    coin = replace(market("BTC"), reference=SPOT)
    registered = params(
        grid_ns=grid_h * NS_PER_HOUR, rules=rules(life_ns=50 * NS_PER_HOUR), funding=RULES, underlyings={"BTC": coin},
        stop_multiple=1e9, max_age_ns=dict.fromkeys(Kind, NS_PER_DAY),
    )  # fmt: skip
    spans = panels(data, "BTC", START, START + 64 * NS_PER_HOUR, grid_ns=grid_h * NS_PER_HOUR)
    return [prepare(panel, registered, curves()) for panel in spans]


@pytest.mark.parametrize("grid_h", [1, 6])
def test_a_short_perp_is_paid_each_settlement_of_its_life(tmp_path: Path, grid_h: int) -> None:
    """Open from 06:00 of the first day over 50 hours: 08:00 to 08:00 of the third, on the close of 100,000 USD."""
    data = made(tmp_path)
    blocks = views(data, grid_h)
    made_signal = signal(blocks[0], 6 // grid_h, {NAME: -1.0, SPOT: 1.0}, gross_bps=50.0)
    position = resolved(made_signal, *blocks)
    hours = [h for h in RATE if position.entry_ns < START + h * NS_PER_HOUR < position.exit_ns]

    assert (hours[0], hours[-1]) == ((8, 48) if grid_h == 1 else (16, 56))
    got = [(p.t_ns - START) / NS_PER_HOUR for p in position.funding]
    if grid_h == 1:
        assert got == hours
        assert [p.rate for p in position.funding] == pytest.approx([RATE[h] for h in hours])
    # Between coarse grid times shares are equal; what is paid in all is the same.
    trade = money(position, blocks[0])
    base = 25_000 / 99_500 * 100_000 * sum(RATE[h] for h in hours)
    assert trade.funding == pytest.approx(base * 1e6, abs=3.0)
    payments = all_payments(price_window(blocks, np.array([data.instruments.code_of(NAME)], dtype=np.int32)))[0]
    within = (payments.t_ns > position.entry_ns) & (payments.t_ns < position.exit_ns)
    assert payments.t_ns[within].tolist() == [p.t_ns for p in position.funding]


def test_the_row_of_a_signal_has_the_settlements_of_its_day(tmp_path: Path) -> None:
    """Over 24 hours from 06:00: six by four hours on the 10th, three by eight on the 12th."""
    data = made(tmp_path)
    blocks = views(data, 1)
    for day, count in ((0, 6), (2, 3)):
        view = blocks[day]
        life = replace(view.params, rules=rules(life_ns=24 * NS_PER_HOUR))
        given = signal(replace_params(view, life), 6, {NAME: -1.0, SPOT: 1.0})
        terms = terms_in_force(given, data.instruments, life, ("perp", "spot"))
        assert terms["settlements_perp"] == str(count)
        cell = np.array([6]), np.array([view.panel.column(data.instruments.code_of(NAME))])
        assert count_at(view, *cell, 24 * NS_PER_HOUR).tolist() == [count]
    # 06:00 of the 12th: what was settled at 00:00, of eight hours.
    assert rate_at(blocks[2], *cell).tolist() == pytest.approx([RATE[48]])


def replace_params(view: PreparedPanel, changed: object) -> PreparedPanel:
    return prepare(view.panel, changed, curves())  # type: ignore[arg-type]


def test_a_plan_says_of_each_day_what_the_file_says(tmp_path: Path) -> None:
    """Without the rows of its symbol it is refused, with the day of the change."""
    data = made(tmp_path)
    plan = load_registration(Path("configs/demo.toml"))
    own = plan.params.underlyings["BTC"]
    coin = replace(own, cash_carry=tuple(replace(pair, perp=NAME) for pair in own.cash_carry))
    registered = replace(plan.params, underlyings={"BTC": coin}, funding=RULES)
    check_conventions(data, replace(plan, params=registered))
    for wrong in (RULES[:1], RULES[:2]):
        with pytest.raises(UsageError, match=r"BTCUSDC-PERP that agrees .* in the data set on 2025-08-1[01]: "):
            check_conventions(data, replace(plan, params=replace(registered, funding=wrong)))


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (((0, 8), (4, 8), (8, 8)), "row 3, column funding_interval_hours: expected the hours since the settlement"),
        (
            ((0, 4), (8, 4), (16, 4), (24, 4)),
            "row 3, column funding_interval_hours: expected the hours since the settl",
        ),
        (((0, 8), (8, 0)), "row 3, column funding_interval_hours: expected whole hours that divide a day, was 0"),
        (((0, 8), (8, 5)), "row 3, column funding_interval_hours: expected whole hours that divide a day, was 5"),
        (((0, 8), (12, 8)), "expected settlements of binance:BTCUSDC-PERP each 8 h from 00:00 UTC on"),
        (((0, 4), (4, 4)), "expected 8 h between settlements of binance:BTCUSDC-PERP as option funding_h says, was 4"),
    ],
)
def test_intervals_that_contradict_their_times_are_refused(
    tmp_path: Path, rows: tuple[tuple[int, int], ...], words: str
) -> None:
    """With file, row and column; nothing is guessed."""
    for hour, _ in rows:
        RATE.setdefault(hour, 1e-5)
    with pytest.raises(DataError, match="BTCUSDC-fundingRate-2025-08.csv.*" + words):
        made(tmp_path, rows)


def test_rates_without_an_interval_take_that_of_the_dated_option(tmp_path: Path) -> None:
    """The same settlements as the API gives them, with the changes in ``funding_changes``."""
    sources = archive(tmp_path)
    rows = [f"{(START + h * NS_PER_HOUR) // 10**6 + 3},{RATE[h]:.8f}" for h, _ in ENDED]
    (tmp_path / "BTCUSDC-rates.csv").write_text("fundingTime,fundingRate\n" + "\n".join(rows) + "\n")
    options = {key: value for key, value in sources[2].options.items() if key != "table"}
    changes = ["2025-08-10T08:00:00 4", "2025-08-11T12:00:00 1", "2025-08-11T16:00:00 8"]

    def data(given: list[str], name: str) -> Dataset:
        own = SourceSpec(
            "funding_history", "*rates.csv", options | ({"funding_changes": given} if given else {}), "", ""
        )
        return open_dataset(build([*sources[:2], own], tmp_path, tmp_path / name, "by-hand", NS_PER_HOUR))

    assert paid_at(data(changes, "a")) == pytest.approx(paid_at(made(tmp_path)), nan_ok=True)
    with pytest.raises(DataError, match=r"each 8h, was each 4h from 2025-08-10T08.*funding_changes"):
        data([], "b")
    for wrong in (["2025-08-10T08:00:00 5"], ["2025-08-10T08:00:00 8"], ["10 August 4"], changes[::-1]):
        with pytest.raises(UsageError, match="expected funding_changes = a list of texts like"):
            data(wrong, "c")


def test_times_due_of_changing_intervals_by_a_slow_loop() -> None:
    """Every minute is asked for itself."""
    steps = IntervalSteps(np.array([0, 8, 36, 40]) * NS_PER_HOUR, np.array([8, 4, 1, 8]) * NS_PER_HOUR)
    slow = []
    for hour in range(1, 64):
        every = 8 if hour <= 8 or hour > 40 else 4 if hour <= 36 else 1
        slow += [hour] if hour % every == 0 else []
    assert (steps.due(0, 63 * NS_PER_HOUR) // NS_PER_HOUR).tolist() == slow
    assert intervals_of_gaps(np.array([], np.int64), np.array([], np.int64)).tolist() == []
