"""What a plan states twice must agree: the market it draws and the rules it is judged by.

A synthetic market has a grid, coins, days, lives and costs of its own, because it imports nothing of the engine.  Where
they differ from the plan's, what was planted is not what the run looks for, and zero signals would be explained by
nothing that is true.  The threshold of a plant is no second statement: it says where the plant lies.  Decision 0440.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from backtest.data.synthetic.spec import SynthSpec
from backtest.registration import schema
from backtest.registration.fields import is_relative, time_ns
from engine.units import NS_PER_DAY


def contradictions(document: schema.Document, market: SynthSpec | None) -> Iterator[str]:
    """Yield one sentence for each thing that a plan says twice and differently; ``market`` is the synthetic one."""
    yield from _names(document)
    for number, source in enumerate(document.data.sources):
        if "grid" in source.options and document.grid.step_s != "0":
            yield (
                f"data.sources[{number}].options.grid: expected none where grid.step_s is {document.grid.step_s}: "
                f"a regular grid takes no times from a source"
            )
    if market is not None:
        yield from _span(document, market)
        for ours, value, theirs, other in _pairs(document, market):
            # By value, not by text: the market's table holds floats where the plan holds decimal text.
            if Decimal(str(value)) != Decimal(str(other)):
                yield f"{theirs}: expected {value} as in {ours}, was {_plain(other)}: both state one thing"


def _names(document: schema.Document) -> Iterator[str]:
    """Yield each name that two entries of one array have: the second would silently count, or both."""
    arrays = {
        "venues": [venue.name for venue in document.venues],
        "choices": [choice.item for choice in document.choices],
        # In upper case: two spellings of one coin are one rate to the engine.
        "costs.borrow_rate_annual": [coin.upper() for coin in document.costs.borrow_rate_annual],
        "venue_files": document.venue_files,
        "families": document.families,
    }
    for table in document.underlyings:
        arrays[f"underlyings[{table.name}].cash_carry"] = [f"{pair.perp} {pair.spot}" for pair in table.cash_carry]
        arrays[f"underlyings[{table.name}].triangle"] = [f"{t.perp_usdc} {t.perp_usdt}" for t in table.triangle]
        for name in ("put_call_venues", "butterfly_venues", "vertical_venues"):
            arrays[f"underlyings[{table.name}].{name}"] = getattr(table, name)
    for where, names in arrays.items():
        for name in sorted({name for name in names if names.count(name) > 1}):
            yield f"{where}: expected each entry once, was {name} twice"


def _span(document: schema.Document, market: SynthSpec) -> Iterator[str]:
    """Yield where the coins of plan and market differ, or no day of a window is in the market."""
    coins, drawn = sorted(table.name for table in document.underlyings), sorted(market.underlyings)
    if coins != drawn:
        yield f"data.synthetic.underlyings: expected {', '.join(coins)} as in underlyings, was {', '.join(drawn)}"
    end_ns = market.start_ns + market.days * NS_PER_DAY
    for number, window in enumerate(document.split.windows):
        # days that a window has and the market lacks are days without quotes, as in any recording; they are counted
        if is_relative(window.start) or max(time_ns(window.history_start), market.start_ns) < min(
            time_ns(window.end), end_ns
        ):
            continue
        yield (
            f"data.synthetic.start: expected days of split.windows[{number}] ({window.history_start[:10]} to "
            f"{window.end[:10]}), was {market.days} days from {market.start}: no day of the market is in the window"
        )


def _pairs(document: schema.Document, market: SynthSpec) -> Iterator[tuple[str, object, str, object]]:
    """Yield (key of the plan, its value, key of the market, its value) of everything that both state."""
    section, costs, plan = "data.synthetic", market.costs, document.model_dump(by_alias=True)
    yield "grid.step_s", plan["grid"]["step_s"], f"{section}.grid_s", market.grid_s
    yield "grid.persistence", plan["grid"]["persistence"], f"{section}.plants.persistence", market.plants.persistence
    rules = plan["constraints"]
    for code, life in costs.life_h.items():
        yield (
            f"constraints.{code.lower()}.life_h",
            rules[code.lower()]["life_h"],
            f"{section}.costs.life_h.{code}",
            life,
        )
    capital, margin, rates = plan["capital"], plan["capital"]["margin_share"], plan["costs"]["borrow_rate_annual"]
    yield "capital.target_notional_usd", capital["target_notional_usd"], f"{section}.costs.target_usd", costs.target_usd
    yield "capital.depth_share", capital["depth_share"], f"{section}.costs.depth_share", costs.depth_share
    rate = plan["costs"]["capital_rate_annual"]
    yield "costs.capital_rate_annual", rate, f"{section}.costs.capital_rate", costs.capital_rate
    for coin in rates:
        yield f"costs.borrow_rate_annual.{coin}", rates[coin], f"{section}.costs.borrow_rate", costs.borrow_rate
    short = ("short_option", "short_option_margin", costs.short_option_margin)
    for ours, theirs, value in (short, *((kind, "perp_margin", costs.perp_margin) for kind in ("perp", "future"))):
        yield f"capital.margin_share.{ours}", margin[ours], f"{section}.costs.{theirs}", value
    for kind, bps in plan["costs"]["fallback_bps"].items():
        yield (
            f"costs.fallback_bps.{kind}",
            bps,
            f"{section}.costs.fallback_bps.{kind}",
            getattr(costs.fallback_bps, kind),
        )
    # In order of time, so that the latest row of a product stays.
    fees = {_product(v["name"], fee): fee for v in plan["venues"] for fee in sorted(v["fees"], key=_first_day)}
    for product, bps in costs.fee_bps.items():
        if product in fees:
            name = product.replace(".", "].fees[", 1)
            yield f"venues[{name}].taker_bps", fees[product]["taker_bps"], f"{section}.costs.fee_bps.{product}", bps
    yield from _steps(plan, market)
    caps = {str(fee["cap_share"]) for fee in fees.values() if fee["cap_share"] is not None}
    # The market has one cap; venues with different caps are no second statement of it.
    if len(caps) == 1:
        yield "venues.fees.cap_share", caps.pop(), f"{section}.costs.option_cap", costs.option_cap


def _steps(plan: dict[str, Any], market: SynthSpec) -> Iterator[tuple[str, object, str, object]]:
    """Yield lots and ticks of a product that both state; the plan's latest row of the same keys."""
    own = "data.synthetic"
    for venue in plan["venues"]:
        for row in sorted(venue["lots"], key=_first_day):
            if (key := _step_of(venue["name"], row)) in market.lots:
                lot = Decimal(row["lot"]) * Decimal(row["multiplier"] or "1")
                yield f"venues[{venue['name']}].lots[{row['kind']}].lot", lot, f"{own}.lots.{key}", market.lots[key]
        for row in sorted(venue["ticks"], key=_first_day):
            steps = market.costs.fallback_ticks.get(_step_of(venue["name"], row), [])
            ours = [("0", row["tick"]), *((step["price"], step["tick"]) for step in row["above"])]
            theirs = f"{own}.costs.fallback_ticks.{_step_of(venue['name'], row)}"
            for (price, tick), step in zip(ours, steps, strict=False):
                where = f"venues[{venue['name']}].ticks[{row['kind']}]"
                yield from ((where, price, theirs, step.price), (where, tick, theirs, step.tick))


def _step_of(venue: str, row: dict[str, Any]) -> str:
    """Return the name of a lot's or tick's product: venue.symbol, venue.kind.base.settle or venue.kind.base."""
    if row["symbol"]:
        return f"{venue}.{row['symbol']}"
    return ".".join([venue, *(row[key] for key in ("kind", "base", "settle") if row[key])])


def _product(venue: str, fee: dict[str, object]) -> str:
    """Return the name of a fee row's product: venue.symbol, venue.kind.settle or venue.kind, with its period."""
    if fee.get("symbol"):
        return f"{venue}.{fee['symbol']}"
    return ".".join([venue, *(str(fee[key]) for key in ("kind", "settle", "settlement_period") if fee.get(key))])


def _first_day(fee: dict[str, object]) -> str:
    return str(fee["from"] or fee.get("as_of"))


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
