"""Twins of extra_costs.py, tiers.py and realised.py: money recounted trade by trade."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.units import MICRO
from hypotheses.capacity_windows import fixed_ev, window_of
from hypotheses.sensitivity import extra_costs, realised, tiers
from hypotheses.statistics.capacity import Book, Demand, best_notional
from tests.hypotheses.cases import leg, signal
from tests.hypotheses.sensitivity.window import T0, busy, judged, trade


def by_series(part, table: int = 0) -> dict:
    return {row["series"]: row for row in part.tables[table].rows}


def test_at_the_break_even_slippage_nothing_is_left(tmp_path: Path) -> None:
    """Every leg pays e bps on its notional, in and out: recounted trade by trade, the window ends at zero."""
    run = judged(tmp_path, busy(start=0))
    found = by_series(extra_costs.build(run))

    for code, row in found.items():
        mine = run.run.trades if code == "all" else run.run.trades[run.run.trades["constraint"] == code]
        left = sum(
            net / MICRO - 2 * row["break_even"] * 1e-4 * notional * 1.0  # one leg of weight 1
            for net, notional in zip(mine["net_usd_micro"], mine["notional_usd"], strict=True)
        )
        assert left == pytest.approx(0.0, abs=1e-6)
        assert row["net_2"] == pytest.approx(row["net"] - 2 * 2e-4 * mine["notional_usd"].sum())
        assert row["after_capital"] < row["break_even"]


def test_a_stranded_package_pays_its_round_trip_and_earns_nothing(tmp_path: Path) -> None:
    """Two trades: net 60 and -20, 40 USD of costs each; at share q the window makes 40 (1 - q) - 80 q."""
    run = judged(tmp_path, [trade("a", "C1", 1.0, 60.0), trade("b", "C1", 2.0, -20.0), trade("c", "C2", 3.0, -5.0)])
    found = by_series(extra_costs.build(run), 1)

    assert found["C1"]["break_even"] == pytest.approx(40 / 120)
    assert found["C1"]["net_25"] == pytest.approx(40 * 0.75 - 80 * 0.25)
    assert found["C2"]["break_even"] is None  # it loses before any leg is stranded
    assert found["C3"]["break_even"] is None
    assert by_series(extra_costs.build(run))["C3"]["break_even"] is None


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**13))
@settings(deadline=None, max_examples=50)
def test_the_closed_forms_are_exact(net: int, exposed: int) -> None:
    """Rational, so putting the answer back gives zero and not nearly zero."""
    bps = extra_costs.break_even_bps(Fraction(net), Fraction(exposed))
    assert bps is not None
    assert Fraction(net) - 2 * extra_costs.BPS * bps * exposed == 0
    share = extra_costs.break_even_share(Fraction(net), Fraction(exposed))
    assert (share is None) == (net <= 0)
    if share is not None:
        assert (1 - share) * net - share * exposed == 0
        assert 0 < share <= 1


BOOK = Book(Decimal(4), Decimal(50_000))


def test_a_lone_signal_at_its_best_notional_earns_its_registered_optimum() -> None:
    """Imposing the notional which the programme would choose gives the same EV; another one gives less."""
    demand = Demand(Decimal(3), {0: Decimal(1)})
    best, value = best_notional(demand, [BOOK])

    (take,) = tiers.in_turn([demand], [BOOK], best)

    assert (take.notional_usd, take.ev_usd) == (best, value)
    for other in (best * 2, best / 2):
        assert tiers.in_turn([demand], [BOOK], other)[0].ev_usd < value


def test_signals_on_one_book_never_take_more_than_its_depth() -> None:
    """Three at 25,000 on 50,000 USD: the third finds nothing; what each pays is the difference of squares."""
    demands = [Demand(Decimal(40), {0: Decimal(1)})] * 3

    takes = tiers.in_turn(demands, [BOOK], Decimal(25_000))

    assert [take.notional_usd for take in takes] == [25_000, 25_000, 0]
    steep = Decimal(4) / 50_000
    for number, take in enumerate(takes[:2]):
        before, after = Decimal(25_000 * number), Decimal(25_000 * (number + 1))
        expected = Decimal("1e-4") * (40 * Decimal(25_000) - 2 * steep * (after**2 - before**2))
        assert take.ev_usd == expected


@given(
    st.lists(st.tuples(st.integers(-20, 60), st.integers(0, 2), st.integers(1, 30)), max_size=8), st.integers(1, 10**6)
)
@settings(deadline=None, max_examples=60)
def test_no_tier_overdraws_a_book_or_takes_a_loss(rows: list[tuple[int, int, int]], tier: int) -> None:
    """For any signals on three books: depth is never passed, no signal takes more than the tier, none loses."""
    books = [Book(Decimal(s), Decimal(d)) for s, d in ((2, 30_000), (5, 500), (1, 0))]
    demands = [Demand(Decimal(edge), {b: Decimal(w) / 10}) for edge, b, w in rows]

    takes = tiers.in_turn(demands, books, Decimal(tier))

    for b, book in enumerate(books):
        drawn = sum(t.notional_usd * d.weight.get(b, 0) for t, d in zip(takes, demands, strict=True))
        assert drawn <= book.depth_usd * (1 + Decimal("1e-40"))
    assert all(0 <= take.notional_usd <= tier and take.ev_usd >= 0 for take in takes)


def test_a_signal_without_depth_keeps_the_cost_of_its_row_at_every_tier() -> None:
    """Its EV is proportional to the notional; one that would lose takes nothing."""
    blind = [leg("x/ask", depth_usd=float("nan"))]
    rows = [signal(T0, "a", blind), signal(T0, "b", blind, net_bps=-5.0, gross_bps=1.0)]

    takes = tiers.at_tier(window_of(rows, Decimal(1)), Decimal(10_000))

    assert takes[0].ev_usd == fixed_ev(rows[0], Decimal(10_000), Decimal(1)) > 0
    assert takes[1].notional_usd == takes[1].ev_usd == 0


def test_tiers_cover_all_signals_of_the_window(tmp_path: Path) -> None:
    """Small notionals are filled in full, large ones are cut by depth; EV a day grows with the notional."""
    rows = tiers.build(judged(tmp_path, busy(start=0))).tables[0].rows

    assert [row["notional"] for row in rows] == [100, 1_000, 10_000, 100_000, 1_000_000]
    assert {row["of"] for row in rows} == {630}
    assert rows[0]["full"] == 630
    assert rows[-1]["full"] == 0
    assert np.all(np.diff([row["ev_a_day"] for row in rows]) >= 0)


def test_modelled_and_realised_add_up(tmp_path: Path) -> None:
    """Each constraint's sums are the trades' own, the whole is their sum, and gross less costs is net."""
    run = judged(tmp_path, busy(start=0))
    found = by_series(realised.build(run))

    for name in ("trades", "modelled", "realised", "gross", "fees"):
        assert found["all"][name] == pytest.approx(sum(row[name] for code, row in found.items() if code != "all"))
    assert found["C1"]["modelled"] == 90 * 120.0
    assert found["C1"]["realised"] == pytest.approx(found["C1"]["gross"] - 90 * 40.0)
    assert found["C1"]["ratio"] == pytest.approx(found["C1"]["realised"] / found["C1"]["modelled"])
    assert found["C1"]["capture"] == (1.0, 1.0)
    assert by_series(realised.build(judged(tmp_path, [trade("a", "C1", 1.0, 60.0)])))["C2"]["ratio"] is None
