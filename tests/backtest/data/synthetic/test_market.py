"""Fair values by brute force, quotes as written, and plants recomputed from the quotes."""

from __future__ import annotations

import subprocess
import sys
from itertools import combinations

import numpy as np
import pytest

from backtest.data.synthetic.chains import chain_relations
from backtest.data.synthetic.expiries import ACCRUAL_NS, NS_PER_DAY, NS_PER_YEAR
from backtest.data.synthetic.fair import fair_prices
from backtest.data.synthetic.fields import SpecError
from backtest.data.synthetic.market import build_market
from backtest.data.synthetic.quotes import RATE_NS
from backtest.data.synthetic.relations import moment_at
from backtest.data.synthetic.spec import read_spec
from backtest.data.synthetic.truth import truth_rows
from backtest.data.synthetic.universe import CALL, FUTURE, OPTION
from tests.helpers.synthetic_market import ROOT, small_table, streams_of


@pytest.fixture(scope="module")
def market():
    return build_market(read_spec(small_table(), "small"), streams_of("market"))


@pytest.fixture(scope="module")
def times(market):
    return np.random.default_rng(5).integers(1, market.spec.points - 1, 25)


def fair_at(market, underlying, step):
    """Return name -> (listing, fair price) of what is alive at ``step``."""
    path, universe = market.paths[underlying], market.universes[underlying]
    day = (int(path.times_ns[step]) - 1) // NS_PER_DAY
    listings = universe.on(day)
    prices = fair_prices(path, listings, np.array([step]), market.spec.smile, ()).fair[0]
    return {x.name: (x, p) for x, p in zip(listings, prices, strict=True) if np.isfinite(p)}


def chains(priced):
    """Yield (coin, expiry, future, strikes, calls, puts) of every chain."""
    groups = {}
    for listing, price in priced.values():
        if listing.kind == OPTION:
            side = groups.setdefault((listing.in_coin, listing.expiry_ns), ({}, {}))
            side[0 if listing.right == CALL else 1][listing.strike] = price
    for (coin, expiry), (calls, puts) in groups.items():
        future = next(
            p for x, p in priced.values() if x.kind == FUTURE and x.expiry_ns == expiry and (x.settle == "USDC") != coin
        )
        strikes = sorted(calls)
        yield coin, expiry, future, strikes, [calls[k] for k in strikes], [puts[k] for k in strikes]


@pytest.mark.parametrize("underlying", ["BTC", "ETH"])
def test_fair_options_admit_no_static_arbitrage(market, times, underlying):
    """Parity to 1e-12 of the forward; every vertical and every butterfly of every chain, calls and puts."""
    seen = 0
    for step in times:
        for coin, _, future, strikes, calls, puts in chains(fair_at(market, underlying, step)):
            unit = 1.0 if coin else future
            for k, c, p in zip(strikes, calls, puts, strict=True):
                assert abs((c - p) / unit - (1 - k / future)) < 1e-12
            for (k1, c1, p1), (k2, c2, p2) in combinations(zip(strikes, calls, puts, strict=True), 2):
                width = (k2 - k1) / future * unit
                assert -1e-9 * unit <= c1 - c2 <= width + 1e-9 * unit
                assert -1e-9 * unit <= p2 - p1 <= width + 1e-9 * unit
            for a, b, c in combinations(range(len(strikes)), 3):
                left = (strikes[c] - strikes[b]) / (strikes[c] - strikes[a])
                for value in (calls, puts):
                    assert left * value[a] + (1 - left) * value[c] - value[b] >= -1e-9 * unit
                seen += 1
    assert seen > 10_000


def test_total_variance_rises_along_the_expiries(market, times):
    """At equal K/F, no nearer call is worth more than a farther one: each against the interpolated farther chain."""
    for step in times:
        held = sorted((e, f, k, c) for coin, e, f, k, c, _ in chains(fair_at(market, "BTC", step)) if coin)
        for (_, f1, k1, c1), (_, f2, k2, c2) in combinations(held, 2):
            inside = [n for n, k in enumerate(k1) if k2[0] / f2 <= k / f1 <= k2[-1] / f2]
            far = np.interp([k1[n] / f1 for n in inside], np.array(k2) / f2, c2)  # convex: a chord lies above
            assert (far - np.array(c1)[inside] > -1e-9).all()


def test_a_day_is_priced_as_its_moments_are(market):
    """A hundred grid times together have the bits of each by itself, moves of quotes and of forwards in them."""
    for underlying in ("BTC", "ETH"):
        path, moves = market.paths[underlying], market.moves[underlying]
        first = next(move.from_step for move in moves if move.forward)
        steps = np.arange(first - 50, first + 50)
        listings = market.universes[underlying].on((int(path.times_ns[first]) - 1) // NS_PER_DAY)
        day = fair_prices(path, listings, steps, market.spec.smile, moves)
        for row, step in enumerate(steps):
            moment = fair_prices(path, listings, np.array([step]), market.spec.smile, moves)
            assert moment.fair.tobytes() == day.fair[row].tobytes()
            assert moment.moved.tobytes() == day.moved[row].tobytes()


def test_a_moment_under_moves_is_what_is_looked_at_anew(market):
    """Every quote and every raw mid, for each plant's moves, to the last bit."""
    moved = set()
    for underlying, plants in market.plants.items():
        path, universe = market.paths[underlying], market.universes[underlying]
        for plant in plants:
            step = plant.window.from_step
            t_ns = int(path.times_ns[step])
            listings = [
                x for x in universe.on((t_ns - 1) // NS_PER_DAY) if x.expiry_ns > t_ns
            ]  # no NaN: it equals none
            before = moment_at(market.spec, path, listings, step, ())
            assert before.under(plant.moves) == moment_at(market.spec, path, listings, step, plant.moves)
            assert before.under(plant.moves) != before
            moved.add(plant.relation.constraint)
    assert len(moved) == 7


def test_one_constraint_of_a_chain_is_what_all_of_them_have_of_it(market):
    """The relations of C3, C4 and C7 alone, and together."""
    path, universe = market.paths["ETH"], market.universes["ETH"]
    step = market.spec.points // 2
    day = (int(path.times_ns[step]) - 1) // NS_PER_DAY
    moment = moment_at(market.spec, path, universe.on(day), step, ())
    for chain in universe.chains:
        if chain.listed(day) and chain.expiry_ns > moment.t_ns:
            found = [chain_relations(moment, chain, chain.listed(day), code) for code in ("C3", "C4", "C7")]
            assert [one for held in found for one in held] == chain_relations(moment, chain, chain.listed(day))


def test_a_forward_is_spot_and_carry(market, times):
    """Futures of one expiry agree, and their basis is the curve of the moment times their time to expiry."""
    path = market.paths["BTC"]
    for step in times:
        priced = fair_at(market, "BTC", step)
        by_expiry = {}
        for listing, price in priced.values():
            if listing.kind == FUTURE:
                by_expiry.setdefault(listing.expiry_ns, set()).add(price)
        assert all(len(prices) == 1 for prices in by_expiry.values())
        for expiry, (price,) in by_expiry.items():
            tau = expiry - int(path.times_ns[step])
            left = np.exp(-tau / (60 * NS_PER_DAY))
            carry = path.level[step] + path.slope[step] * (1 - 2 * left) + path.curvature[step] * 4 * left * (1 - left)
            assert price == pytest.approx(path.spot[step] * (1 + carry * tau / NS_PER_YEAR), rel=1e-12)


def test_quotes_are_whole_ticks_around_what_is_fair(market):
    """Bid and ask are decimals of the tick; where nothing is planted the mid is within half a tick of fair."""
    day = market.spec.first_day + 3
    columns, path = market.day("BTC", day), market.paths["BTC"]
    moved = {move.name for move in market.moves["BTC"]}
    rows = np.flatnonzero((columns["channel"] == 0) & np.isfinite(columns["bid"]))
    names = market.listings
    for row in np.random.default_rng(1).choice(rows, 400, replace=False):
        listing = names[columns["code"][row]]
        bid, ask = columns["bid"][row], columns["ask"][row]
        assert 0 < bid < ask
        assert bid == round(bid / listing.tick) / round(1 / listing.tick)
        if listing.name in moved:
            continue
        step = int(np.searchsorted(path.times_ns, columns["t_ns"][row]))
        assert 0 < path.times_ns[step] - columns["t_ns"][row] <= 1_500_000_000
        _, fair = fair_at(market, "BTC", step)[listing.name]
        assert abs((bid + ask) / 2 - fair) <= listing.tick / 2 * (1 + 1e-9)


def test_rows_are_sorted_and_lie_in_their_day(market):
    """By (channel, t_ns, code), no two alike, every time inside the UTC day."""
    for underlying in ("BTC", "ETH", "FX"):
        for day in list(market.days)[:3]:
            columns = market.day(underlying, day)
            keys = list(zip(columns["channel"], columns["t_ns"], columns["code"], strict=True))
            assert keys == sorted(set(keys))
            assert set(columns["t_ns"] // NS_PER_DAY) == {day}


def test_funding_is_published_before_it_is_settled(market):
    """The rate settled at the end of an interval is the one that was in force, to the last bit."""
    columns = market.day("BTC", market.spec.first_day + 2)
    by_channel = {
        c: {
            (code, t_ns): rate
            for channel, code, t_ns, rate in zip(
                *(columns[n] for n in ("channel", "code", "t_ns", "rate")), strict=True
            )
            if channel == c
        }
        for c in (2, 3)
    }
    checked = shares = 0
    for (code, t_ns), rate in by_channel[3].items():
        interval = market.listings[code].funding_interval_ns
        if interval == ACCRUAL_NS:
            # what accrues pays each minute its share of the eight hours in force
            begun = (t_ns - interval) // RATE_NS * RATE_NS
            shares += (code, begun) in by_channel[2]
            assert by_channel[2].get((code, begun), rate * 480) == pytest.approx(rate * 480, rel=1e-12)
        elif (code, t_ns - interval) in by_channel[2]:
            assert rate == by_channel[2][code, t_ns - interval]
            checked += 1
    assert checked >= 23 + 2 * 2
    assert shares >= 24 * 60 - 1


def quotes_at(market, underlying, t_ns):
    """Return name -> mid at grid time ``t_ns``, from the rows as written."""
    mids = {}
    for column in (market.day(underlying, (t_ns - 1) // NS_PER_DAY), market.day("FX", (t_ns - 1) // NS_PER_DAY)):
        rows = (column["channel"] == 0) & (column["t_ns"] <= t_ns) & (column["t_ns"] > t_ns - 2_000_000_000)
        for code, bid, ask in zip(*(column[n][rows] for n in ("code", "bid", "ask")), strict=True):
            mids[market.listings[code].name] = (bid + ask) / 2
    return mids


def gross_of(row, mids, spot, listings):
    """Return the gross of a planted package from mids alone, in bps of the index."""
    legs = [(leg["instrument"], leg["quantity"]) for leg in row["legs"]]
    if row["constraint"] == "C1":
        (perp, q), (spot_name, _) = legs
        return 1e4 * -q * (mids[perp] / mids[spot_name] - 1)
    if row["constraint"] == "C2":
        (usdt, q), (usdc, _), (fx, _) = legs
        return 1e4 * -q * (mids[usdt] / (mids[usdc] * mids[fx]) - 1)
    options = [(listings[name], q) for name, q in legs if listings[name].kind == OPTION]
    coin = options[0][0].in_coin
    value = 1e4 * -sum(q * mids[x.name] for x, q in options) / (1 if coin else spot)
    strikes = [x.strike for x, _ in options]
    if row["constraint"] == "C3":
        future = mids[legs[2][0]]
        owed = 1 - strikes[0] / future if coin else (future - strikes[0]) / spot
        return value - 1e4 * row["side"] * owed
    if row["constraint"] == "C7" and row["side"] < 0:
        width = abs(strikes[1] - strikes[0])
        return value - 1e4 * width / (mids[legs[2][0]] if coin else spot)
    return value


def test_every_plant_has_its_gross_in_the_quotes_as_written(market):
    """C1 to C4 and C7, recomputed from bids and asks, to the rounding of the legs to ticks."""
    listings = {x.name: x for x in market.listings}
    checked = set()
    for row in truth_rows(market):
        if row["side_effect"] or row["constraint"] in ("C5", "C6"):
            continue
        path = market.paths[row["underlying"]]
        spot = float(path.spot[np.searchsorted(path.times_ns, row["from_ns"])])
        found = gross_of(row, quotes_at(market, row["underlying"], row["from_ns"]), spot, listings)
        ticks = 0.0
        for leg in row["legs"]:
            listing = listings[leg["instrument"]]
            price = 1.0 if listing.in_coin or listing.underlying == "FX" else spot
            ticks += abs(leg["quantity"]) * listing.tick / (2 * price) if listing.underlying != "FX" else 1e-5
        assert abs(found - row["gross_bps"]) <= 1e4 * ticks * 1.01 + 0.05, row
        checked.add((row["constraint"], row["underlying"]))
    assert len(checked) == 10


def test_both_orders_are_planted_wherever_there_are_two(market):
    """Both sides, but for a belly, which is only ever dear; of the corners the DEX perp is the dearest or cheapest."""
    plants = [row for row in truth_rows(market) if not row["side_effect"]]
    sides = {
        code: {row["side"] for row in plants if row["constraint"] == code} for code in ("C1", "C2", "C3", "C4", "C7")
    }
    sold = {leg["instrument"].split(":")[0] for row in plants if row["constraint"] == "C6" for leg in row["legs"] if
            leg["quantity"] < 0 and leg["instrument"].endswith("-PERP")}  # fmt: skip

    assert sides == {"C1": {1, -1}, "C2": {1, -1}, "C3": {1, -1}, "C4": {1}, "C7": {1, -1}}
    assert sold == {"hyperliquid", "binance"}


def test_a_plant_of_the_curve_bends_all_forwards(market):
    """Each future leaves its fair price by one multiple of tau g2(tau); the package has no level, slope or coin."""
    rows = [row for row in truth_rows(market) if row["constraint"] == "C5"]
    assert rows
    listings = {x.name: x for x in market.listings}
    for row in rows:
        path, underlying = market.paths[row["underlying"]], row["underlying"]
        step = int(np.searchsorted(path.times_ns, row["from_ns"]))
        mids, spot = quotes_at(market, underlying, row["from_ns"]), path.spot[step]
        fair = fair_at(market, underlying, step)
        legs = [(leg["instrument"], leg["quantity"]) for leg in row["legs"]]
        futures, perp = legs[:3], legs[3]
        years = [(listings[name].expiry_ns - row["from_ns"]) / (365 * NS_PER_DAY) for name, _ in futures]
        left = [np.exp(-y * 365 * NS_PER_DAY / path.decay_ns) for y in years]
        moved = [1e4 * (mids[name] - fair[name][1]) / spot for name, _ in futures]
        size = [m / (y * 4 * e * (1 - e)) for m, y, e in zip(moved, years, left, strict=True)]
        assert np.sign(size) == pytest.approx([row["side"]] * 3)
        assert size == pytest.approx([size[1]] * 3, rel=0.01, abs=20)  # of thousands; prices are rounded to ticks
        gross = -sum(w * m for (_, w), m in zip(futures, moved, strict=True))
        assert gross == pytest.approx(row["gross_bps"], abs=0.2)
        assert sum(abs(w) for _, w in legs) == pytest.approx(2.0)
        weights = [w for _, w in futures]
        assert sum(w * y for w, y in zip(weights, years, strict=True)) == pytest.approx(0, abs=1e-12)
        assert sum(w * y * e for w, y, e in zip(weights, years, left, strict=True)) == pytest.approx(0, abs=1e-9)
        assert perp[1] == pytest.approx(-sum(w * fair[name][1] / spot for name, w in futures), abs=1e-12)


def test_plants_end(market):
    """At the first grid time after its life a plant's gross is that of a fair market: far below any threshold."""
    listings = {x.name: x for x in market.listings}
    for row in [r for r in truth_rows(market) if not r["side_effect"] and r["constraint"] in ("C1", "C2", "C3")][::4]:
        path = market.paths[row["underlying"]]
        mids = quotes_at(market, row["underlying"], row["to_ns"])
        if all(leg["instrument"] in mids for leg in row["legs"]):
            spot = float(path.spot[np.searchsorted(path.times_ns, row["to_ns"])])
            assert abs(gross_of(row, mids, spot, listings)) < 20


def test_plants_without_depth_have_no_sizes(market):
    """Null sizes during the life, on the moved quotes only."""
    plant = next(p for plants in market.plants.values() for p in plants if not p.depth)
    move = plant.moves[0]
    t_ns = int(market.paths[plant.underlying].times_ns[move.from_step])
    columns = market.day(plant.underlying, (t_ns - 1) // NS_PER_DAY)
    mine = (columns["channel"] == 0) & (columns["code"] == market.codes[move.name])
    inside = mine & (columns["t_ns"] <= t_ns) & (columns["t_ns"] > t_ns - 2_000_000_000)
    assert inside.sum() == 1
    assert np.isnan(columns["bid_size"][inside]).all()
    assert np.isnan(columns["ask_size"][inside]).all()
    others = (columns["channel"] == 0) & (columns["code"] == market.codes[f"binance:{plant.underlying}USDC"])
    assert np.isfinite(columns["ask_size"][others]).all()


def test_near_plants_lie_within_five_bps_of_their_threshold(market):
    """And all others at least eight above: nothing else is planned."""
    for row in truth_rows(market):
        if not row["side_effect"]:
            above = row["expected_net_bps"] - row["threshold_bps"]
            assert abs(above) <= 5 + 1e-6 or above >= 8 - 1e-6


def test_the_same_streams_give_the_same_days_in_any_order(market):
    """A second market, read backwards, is byte-equal; other streams give other prices."""
    again = build_market(market.spec, streams_of("market"))
    other = build_market(market.spec, streams_of("another"))
    for day in reversed(market.days[5:8]):
        one, two, three = (m.day("ETH", day) for m in (market, again, other))
        assert all(one[name].tobytes() == two[name].tobytes() for name in one)
        assert one["bid"].tobytes() != three["bid"].tobytes()
    assert truth_rows(market) == truth_rows(again)


def test_too_many_plants_are_refused_with_a_reason():
    """A market without room says which count, and what to do."""
    table = small_table(days=3)
    table["plants"]["constraints"] = {"C2": table["plants"]["constraints"]["C2"] | {"count": 500}}
    with pytest.raises(SpecError, match=r"constraints\.C2\.count: expected room for 500 plants"):
        build_market(read_spec(table, "small"), streams_of("market"))


def test_the_generator_imports_nothing_of_ours():
    """In a fresh interpreter: no engine, nothing else of backtest but the reader of tables, which knows no market."""
    code = (
        "import sys, backtest.data.synthetic.truth\n"
        "ours = [m for m in sys.modules if m.split('.')[0] in ('engine', 'hypotheses', 'reports', 'scipy', 'pandas')]\n"
        "ours += [m for m in sys.modules if m.startswith('backtest.') and m not in ('backtest.data',)"
        " and not m.startswith('backtest.data.synthetic') and m != 'backtest.toml_tables']\n"
        "sys.exit(str(ours) if ours else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
