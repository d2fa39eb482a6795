"""Market scenarios: agents and their known limits, faults, invariants, one digest, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backtest.simulation.agents import AgentView, arbitrage_orders, joined, maker_quotes, noise_orders, poisson
from backtest.simulation.market import next_tick, ratio_at
from backtest.simulation.market_tables import MarketPath
from backtest.simulation.opening import open_market
from backtest.simulation.result import SimulationResult
from backtest.simulation.scenario import load_scenario, read_scenario
from backtest.simulation.scenario_market import Arbitrage, Makers, MarketScenario, Noise
from backtest.simulation.scenario_run import VENUES, compute, with_options
from engine.errors import DataError
from engine.venue.invariants import ledger_closes, positions_balance

SCENARIOS = Path(__file__).resolve().parents[3] / "configs" / "scenarios"
MARKETS = sorted(p.stem for p in SCENARIOS.glob("*.toml") if 'kind = "market"' in p.read_text())
VENUE_NAMES = sorted(p.stem for p in VENUES.glob("*.toml"))
VIEW = AgentView(book_ticks=100_000, outside_ticks=100_000, move_1min_ppm=0, lots_a_musd=10_000)
MAKERS = Makers(
    count=2, deposit_usd="1000", half_spread_bps=10, levels=3, level_bps=5, level_usd="500", withdraw_bps=100
)
ROWS = np.array([4, 5], dtype=np.int64)


def text(name: str, *changes: tuple[str, str]) -> str:
    given = (SCENARIOS / f"{name}.toml").read_text()
    for old, new in changes:
        assert old in given, old
        given = given.replace(old, new)
    return given


def ran(name: str, *changes: tuple[str, str], venue: str | None = None) -> SimulationResult:
    return compute(with_options(read_scenario(text(name, *changes), name).plan, venue, None), None)


def test_the_scenarios_of_the_law_are_there() -> None:
    """risk.md 14.3 and two twins; more than ten files in all."""
    wanted = {
        "flash-crash", "stair-step", "gap", "funding-spike", "oracle-freeze", "false-print", "depth-98",
        "stablecoin-depeg", "partition",
    }  # fmt: skip
    assert wanted < set(MARKETS)


@pytest.mark.parametrize("name", MARKETS)
def test_every_invariant_holds_in_every_scenario(name: str) -> None:
    assert ran(name).figures["invariants_broken"] == 0


@pytest.mark.parametrize("venue", VENUE_NAMES)
def test_every_venue_runs_the_flash_crash(venue: str) -> None:
    found = ran("flash-crash", venue=venue).figures

    assert found["invariants_broken"] == 0
    assert found["events"] > 0


def test_an_opening_closes_its_ledger() -> None:
    plan = load_scenario(SCENARIOS / "flash-crash.toml").plan
    assert plan.market is not None
    opening = open_market(plan, plan.market, VENUES)

    assert ledger_closes(opening.state) == positions_balance(opening.state) == []
    assert (opening.state.size[0] > 0).sum() >= 150
    # 1 lot = 0.001 at 100,000 USD is 100 USD.
    assert opening.lots_a_musd == 10_000


def test_no_leverage_no_cascade() -> None:
    found = ran("flash-crash", ('most_leverage = "50"', 'most_leverage = "1"')).figures

    assert found["liquidated_usd"] == found["accounts_liquidated"] == 0
    assert found["total_over_first_round"] == 1.0


def test_impact_deepens_the_fall_and_infinite_depth_does_not() -> None:
    calm = (("[market.noise]", "[market.arbitrage]\ngap_bps = 10000\nsize_usd = \"1\"\n\n[market.noise]"),
            ('\n[market.arbitrage]\ngap_bps = 10\nsize_usd = "200000"\n', "\n"))  # fmt: skip
    deep = ran("flash-crash", *calm, ('impact_bps_a_musd = "30"', 'impact_bps_a_musd = "0"')).figures
    thin = ran("flash-crash", *calm, ('impact_bps_a_musd = "30"', 'impact_bps_a_musd = "100"')).figures

    assert deep["book_low_usd"] == deep["outside_low_usd"] == 90_000.0
    assert thin["book_low_usd"] < 89_500.0
    # Bids fall through the bankruptcy prices: what the book cannot take, winners do.
    assert thin["deleveraged_usd"] > deep["deleveraged_usd"] == 0


def test_a_gap_is_deleveraged_and_ends_without_a_deficit() -> None:
    found = ran("gap")

    assert found.figures["deleveraged_usd"] > 0
    assert found.figures["accounts_deleveraged"] == found.tables["haircuts"]["account"].nunique() > 0
    assert found.figures["deficit_end_usd"] == 0.0


def test_a_false_print_halts_before_it_liquidates() -> None:
    """The ladder stands before liquidations: a print 35% away halts, and nobody is closed at it.  [0.4]"""
    found = ran("false-print").figures

    assert found["mark_low_usd"] < 70_000
    assert found["halted_s"] > 0
    assert found["liquidated_usd"] == 0


def test_a_frozen_oracle_stops_liquidations_until_it_is_back() -> None:
    path, events = ran("oracle-freeze").tables["path"], ran("oracle-freeze").tables["events"]
    frozen = path[(path["t_s"] > 160) & (path["t_s"] <= 420)]

    assert frozen["oracle_usd"].nunique() == 1
    assert frozen["outside_usd"].nunique() > 5
    late = events[(events["t_s"] > 160) & (events["t_s"] <= 420)]
    assert "LIQUIDATION" not in set(late["kind"])
    assert "LIQUIDATION" in set(events["kind"])


def test_a_partition_lets_nothing_through() -> None:
    events = ran("partition").tables["events"]
    inside = events[(events["t_s"] > 130) & (events["t_s"] <= 240)]

    assert not set(inside["kind"]) & {"FILL", "LIQUIDATION"}
    plan = load_scenario(SCENARIOS / "partition.toml").plan
    assert plan.market is not None
    opening = open_market(plan, plan.market, VENUES)
    calm = np.full(151, 0.999)
    for k, is_cut in ((11, False), (12, True), (23, True), (24, False)):
        tick = next_tick(opening, plan.market, opening.state, MarketPath(last_ticks=1), k, calm)
        assert (len(tick.quotes.lots) == len(tick.orders.lots) == 0) is is_cut
        assert (int(tick.source_bid_ticks.max()) == 0) is is_cut


def test_a_seed_is_one_digest() -> None:
    assert ran("flash-crash").files() == ran("flash-crash").files()
    assert ran("flash-crash").files() != ran("flash-crash", ("seed = 1", "seed = 2")).files()


def test_truncating_a_scenario_leaves_what_came_before() -> None:
    """I11: the first forty events do not know how many follow."""
    long, short = ran("flash-crash").tables["path"], ran("flash-crash", ("steps = 120", "steps = 40")).tables["path"]

    assert long.head(40).equals(short)


def test_makers_quote_around_the_book_and_withdraw() -> None:
    quotes = maker_quotes(VIEW, MAKERS, ROWS, 1.0)

    assert quotes.limit_ticks.tolist() == [99_900, 100_100, 99_850, 100_150, 99_800, 100_200]
    assert quotes.lots.tolist() == [5, -5] * 3
    assert quotes.account.tolist() == [4, 4, 5, 5, 4, 4]
    fast = AgentView(100_000, 100_000, -5_000, 10_000)
    # Half of the withdrawal's 100 bps: half the depth; 5 lots become 2.5, half-even 2.
    assert abs(maker_quotes(fast, MAKERS, ROWS, 1.0).lots).tolist() == [2] * 6
    assert len(maker_quotes(VIEW, MAKERS, ROWS, 0.0).lots) == 0


def test_arbitrage_trades_toward_the_price_elsewhere() -> None:
    given = Arbitrage(gap_bps=10, size_usd="1000")
    near, dear, cheap = (AgentView(book, 100_000, 0, 10_000) for book in (100_100, 100_200, 99_800))

    assert len(arbitrage_orders(near, given, 9).lots) == 0
    assert arbitrage_orders(dear, given, 9).lots.tolist() == [-10]
    assert arbitrage_orders(cheap, given, 9).lots.tolist() == [10]
    assert arbitrage_orders(cheap, given, 9).limit_ticks.tolist() == [100_000]


def test_noise_is_poisson_and_log_normal() -> None:
    grid = (np.arange(2000) + 0.5) / 2000
    counts = np.array([poisson(float(u), 1.5) for u in grid])
    assert counts.mean() == pytest.approx(1.5, abs=0.01)
    assert counts.var() == pytest.approx(1.5, abs=0.03)
    given = Noise(traders=2, orders_a_step="9", median_usd="10000", sigma="1")
    u = np.concatenate([[1e-6], [0.1, 0.2, 0.5]])
    assert len(noise_orders(VIEW, given, ROWS, u).lots) == 0
    u[0] = 0.9
    assert noise_orders(VIEW, given, ROWS, u).lots.tolist() == [100]
    u[3] = 0.8413447460685429
    # One standard deviation above: times e.
    assert noise_orders(VIEW, given, ROWS, u).lots.tolist() == [272]
    assert noise_orders(VIEW, given, ROWS, np.concatenate([[0.9], [0.7, 0.7, 0.5]])).account.tolist() == [5]
    assert len(joined(noise_orders(VIEW, given, ROWS, u), maker_quotes(VIEW, MAKERS, ROWS, 1.0)).lots) == 7


def test_prices_are_linear_between_points() -> None:
    plan = read_scenario(text("flash-crash"), "x").plan
    given: Any = plan.market

    assert isinstance(given, MarketScenario)
    assert [ratio_at(given, t) for t in (0, 60, 360, 660, 9999)] == [1.0, 1.0, 0.9, 0.98, 0.98]
    assert ratio_at(given, 210) == pytest.approx(0.95)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("at_s = 360", "at_s = 50", r"market.prices\[2\].at_s: expected a time after 60 s, was 50: prices must not go"),
        (
            "[market.traders]",
            '[[market.accounts]]\ndeposit_usd = "1000"\nlots = 5\n\n[market.traders]',
            r"market.accounts: expected positions that add up to 0 lots, was 5",
        ),
        (
            "[market.traders]",
            '[[market.faults]]\nkind = "freeze"\nfrom_s = 9\nto_s = 9\nvalue = "1"\n\n[market.traders]',
            r"market.faults\[0\].to_s: expected a time after from_s 9, was 9",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_4(old: str, new: str, words: str) -> None:
    with pytest.raises(DataError, match=words) as refused:
        read_scenario(text("flash-crash", (old, new)), "made.toml")

    assert refused.value.exit_code == 4


def test_listed_accounts_take_part() -> None:
    account = '[[market.accounts]]\ndeposit_usd = "{}"\nlots = {}\n\n'
    listed = account.format(600, 100) + account.format(9000, -100)
    table = ran("flash-crash", ("[market.traders]", listed + "[market.traders]")).tables["accounts"]
    rows = table[table["role"] == "listed"]

    assert rows["start_usd"].tolist() == [600.0, 9000.0]
    # Sixteen times levered, it does not outlive a fall of 10%.
    assert rows["end_lots"].tolist()[0] == 0


def test_breakers_off_never_slow_or_halt() -> None:
    on = ran("flash-crash").figures
    off = ran("flash-crash", ("[market.traders]", 'breakers = "off"\n\n[market.traders]')).figures

    assert on["slow_s"] > 0
    assert (off["slow_s"], off["halted_s"]) == (0, 0)


def test_a_module_raises_margin_and_lets_it_down() -> None:
    """The liquidation monitor tightens at once and loosens with the registry's delay; without it nothing moves."""
    quiet = ran("flash-crash")
    watched = ran("flash-crash", ("[market.traders]", 'modules = ["liquidation_monitor"]\n\n[market.traders]'))

    assert (quiet.figures["initial_multiplier_most"], quiet.figures["recovery_s"]) == (1.0, None)
    # 20% an hour at most: a few events raise it by less than 5%.
    assert 1.0 < watched.figures["initial_multiplier_most"] < 1.05
    assert watched.figures["recovery_s"] == 0
    assert watched.figures["invariants_broken"] == 0
    raised = watched.tables["path"]["initial_multiplier"]
    first = watched.tables["path"].index[watched.tables["path"]["liquidated_usd"] > 0][0]
    assert (raised.iloc[: first + 1] == 1.0).all()
