"""What no single key can say: sums, order, and that the parts of a registration agree with each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

from backtest import limits
from backtest.registration import market, schema
from backtest.registration.fields import days, hours, is_relative, time_ns
from backtest.registration.named import used_by
from engine.market.curve import CURVES_PER_TENOR

_COMPONENTS = 3  # level, slope and curvature: fewer tenors or days have no third component
_DOLLAR_PAIRS = {"fx.usdc_usd": "the spot pair USDC/USD", "fx.usdt_usd": "the spot pair USDT/USD"}
_DATA_NEEDS = {"sources": "sources", "synthetic": "synthetic", "path": "path"}


def disagreements(document: schema.Document) -> Iterator[str]:
    """Yield one sentence for each thing that does not fit; none where the registration holds together."""
    yield from _windows(document.split)
    yield from _data(document)
    yield from _dollars(document)
    yield from _known_missing(document)
    yield from _underlyings(document)
    yield from _venues(document)
    if sum(document.capital.sleeve_parts.model_dump().values()) == 0:
        yield "capital.sleeve_parts: expected at least one part, was none"
    if Decimal(document.fitting.default_z) not in [Decimal(z) for z in document.fitting.z_grid]:
        yield f"fitting.default_z: expected one of z_grid, was {document.fitting.default_z}"
    window = document.split.folds * Decimal(document.split.fold_d)
    for code, expected in document.power.expected_active_days.model_dump().items():
        if expected > window:
            yield f"power.expected_active_days.{code}: expected at most the {window} days of a window, was {expected}"
    if document.statistics.n2_extended < document.statistics.n2_draws:
        yield f"statistics.n2_extended: expected at least n2_draws, was {document.statistics.n2_extended}"
    yield from _moves(document.statistics)
    yield from _assumptions(document)
    if (document.covenants is not None) != ("covenants" in document.families):
        yield (
            "families: expected covenants among them where the plan has a table covenants, and only there, was "
            f"{', '.join(document.families)}"
        )


def _assumptions(document: schema.Document) -> Iterator[str]:
    """Yield each assumption that the engine does not share: it would stand in the plan and count for nothing."""
    table = document.assumptions
    if table is None:
        return
    for name, value, ours in (("transfer_cost_usd", table.transfer_cost_usd, 0), ("discount", table.discount, 1)):
        if Decimal(value) != ours:
            yield f"assumptions.{name}: expected {ours}, the only value that the engine computes with, was {value}"
    wanted = sorted(_venues_used(document))
    if sorted(table.latency_ms) != wanted:
        given = ", ".join(sorted(table.latency_ms)) or "none"
        yield f"assumptions.latency_ms: expected a value of each venue ({', '.join(wanted)}), was of {given}"
    for venue, latency in table.latency_ms.items():
        if Decimal(latency) != Decimal(document.grid.latency_ms):
            yield (
                f"assumptions.latency_ms.{venue}: expected grid.latency_ms ({document.grid.latency_ms}), which the "
                f"engine takes for every venue, was {latency}"
            )


def _moves(table: schema.Statistics) -> Iterator[str]:
    """Yield what is wrong with the distances by which N3 moves signals."""
    step, least, most = hours(table.n3_step_h), days(table.n3_min_d), days(table.n3_max_d)
    if least > most:
        yield f"statistics.n3_max_d: expected at least n3_min_d ({table.n3_min_d} days), was {table.n3_max_d}"
    elif (most - least) // step > limits.PLAN_MOVES:
        yield (
            f"statistics.n3_step_h: expected at most {limits.PLAN_MOVES} distances from n3_min_d to n3_max_d, was "
            f"{(most - least) // step}"
        )


def _windows(split: schema.SplitSpec) -> Iterator[str]:
    if not split.windows or split.folds == 0:
        yield "split: expected at least one window and one fold"
    times = [text for window in split.windows for text in (window.history_start, window.start, window.end)]
    if len({is_relative(text) for text in times}) > 1:
        yield f"split.windows: expected dates everywhere or recording_start everywhere, was both: {', '.join(times)}"
        return
    length = split.folds * days(split.fold_d)
    before = None
    for number, window in enumerate(split.windows):
        start, end = time_ns(window.start), time_ns(window.end)
        if end - start != length:
            yield f"split.windows[{number}].end: expected start + folds x fold_d, was {window.end}"
        if time_ns(window.history_start) > start:
            yield f"split.windows[{number}].history_start: expected a time not after start, was {window.history_start}"
        if before is not None and start < before:
            yield f"split.windows[{number}].start: expected the end of the window before or later, was {window.start}"
        before = end


def _data(document: schema.Document) -> Iterator[str]:
    data = document.data
    filled = [name for name in ("sources", "synthetic", "path") if getattr(data, name)]
    if filled != [_DATA_NEEDS[data.kind]]:
        yield f"data: kind {data.kind} expects data.{_DATA_NEEDS[data.kind]} and nothing else, was {filled or 'empty'}"
    snapshots = document.grid.step_s == "0"
    if data.kind == "sources" and bool(data.grid_from) != snapshots:
        yield f"data.grid_from: expected an adapter where grid.step_s is 0, only there, was {data.grid_from!r}"
    if data.kind != "sources" and data.grid_from:
        yield f"data.grid_from: expected none with data.kind {data.kind}, was {data.grid_from!r}"
    if document.synthetic != (data.kind == "synthetic"):
        yield f"synthetic: expected {data.kind == 'synthetic'} with data.kind {data.kind}, was {document.synthetic}"
    # A verdict on drawn data says nothing of a market.
    if document.mode == "confirmatory" and document.synthetic:
        yield "mode: expected exploratory on a synthetic market, was confirmatory"


def _dollars(document: schema.Document) -> Iterator[str]:
    """Yield what is wrong with the pairs that convert the dollars.  [S1.6, venues V1]"""
    table, older = document.fx, document.data.fx
    if (table is None) == (older == ""):
        was = "neither" if table is None else "both"
        yield f"fx: expected the table fx, or data.fx of the older form, one of them, was {was}"
        return
    pairs = _pairs_of_dollars(document)
    triangles = {f"underlyings[{coin.name}].triangle.fx": t.fx for coin in document.underlyings for t in coin.triangle}
    for name, pair in (pairs | triangles).items():
        # A perp has a basis; dollars are converted at the spot pair.  [S1.6]
        if "-PERP" in pair:
            yield f"{name}: expected {_DOLLAR_PAIRS.get(name, 'the spot pair USDC/USDT')}, was the perp {pair}"
    ours = next(iter(pairs.values()))
    for name, pair in triangles.items():
        if pair != ours and "-PERP" not in pair + ours:
            yield f"{name}: expected {ours}, the pair that converts everything else, was {pair}"
    if table is None:
        return
    with_usd = [name for name in ("usdc_usd", "usdt_usd") if getattr(table, name)]
    if len(with_usd) + (table.usd_is is not None) != 1:
        yield (
            "fx: expected one of usdc_usd, usdt_usd (a stored pair with USD) and usd_is (where none is stored), was "
            f"{', '.join([*with_usd, *(['usd_is'] if table.usd_is else [])]) or 'none'}"
        )
    if with_usd and "USD" not in {coin.upper() for coin in document.costs.borrow_rate_annual}:
        yield "costs.borrow_rate_annual: expected a rate of usd, which is not own where a pair converts it, was missing"


def _pairs_of_dollars(document: schema.Document) -> dict[str, str]:
    """Return key -> spot pair of the dollars, USDC/USDT first."""
    if document.fx is None:
        return {"data.fx": document.data.fx}
    keys = ("usdc_usdt", "usdc_usd", "usdt_usd")
    return {f"fx.{key}": pair for key in keys if (pair := getattr(document.fx, key))}


def _known_missing(document: schema.Document) -> Iterator[str]:
    names = [entry.instrument for entry in document.data.known_missing]
    if len(set(names)) != len(names):
        yield f"data.known_missing: expected each instrument once, was {', '.join(names)}"
    for name in sorted(set(names) - _names_used(document)):
        yield f"data.known_missing: expected an instrument that the plan names, was {name}"


def _underlyings(document: schema.Document) -> Iterator[str]:
    names = [table.name for table in document.underlyings]
    if not names or len(set(names)) != len(names):
        yield f"underlyings: expected different coins, at least one, was {names}"
    borrowed = {coin.upper() for coin in document.costs.borrow_rate_annual}
    for table in document.underlyings:
        where = f"underlyings[{table.name}]"
        if table.name not in borrowed:
            yield f"costs.borrow_rate_annual: expected a rate of {table.name.lower()}, was missing"
        if len(table.four_corner) > 1 or len(table.curve) > 1:
            yield f"{where}: expected at most one four_corner and one curve"
        for curve in table.curve:
            tenors = [Decimal(tenor) for tenor in curve.tenor_d]
            if tenors != sorted(set(tenors)) or len(curve.wing_d) != 2:
                yield f"{where}.curve: expected ascending tenor_d and two wing_d, was {curve.tenor_d}, {curve.wing_d}"
            if not _COMPONENTS <= len(tenors) <= limits.PLAN_TENORS:
                yield f"{where}.curve.tenor_d: expected {_COMPONENTS} to {limits.PLAN_TENORS} tenors, was {len(tenors)}"
            for name in ("z_window_d", "min_curves"):
                if getattr(curve, name) < _COMPONENTS:
                    yield f"{where}.curve.{name}: expected at least {_COMPONENTS}, was {getattr(curve, name)}"
            # A shorter window never holds the curves that a score needs: C5 would be silent for ever, without a word.
            least = CURVES_PER_TENOR * len(tenors)
            if _COMPONENTS <= curve.z_window_d < least and len(tenors) <= limits.PLAN_TENORS:
                yield (
                    f"{where}.curve.z_window_d: expected at least {least} days, {CURVES_PER_TENOR} a tenor, as a score "
                    f"needs so many curves, was {curve.z_window_d}"
                )


def _venues(document: schema.Document) -> Iterator[str]:
    seen: set[tuple[str | None, ...]] = set()
    for venue in document.venues:
        for fee in venue.fees:
            where = f"venues[{venue.name}].fees[{fee.kind}]"
            day = fee.first_day or fee.as_of
            if (fee.first_day is None) == (fee.as_of is None) or (fee.verified is None) != (fee.first_day is None):
                yield (
                    f"{where}: expected from and verified (false, or by what), was from {fee.first_day!r}, as_of "
                    f"{fee.as_of!r}, verified {fee.verified!r}"
                )
            key = (venue.name, fee.kind, fee.symbol, fee.settle, fee.settlement_period, day)
            if key in seen:
                yield f"{where}: expected one fee a venue, kind and date, was two of {day}"
            seen.add(key)
            caps = (fee.cap_share is not None, fee.delivery_cap_share is not None)
            if caps != (fee.kind == "option",) * 2:
                yield f"{where}: cap_share and delivery_cap_share belong to options, and to all of them"
        yield from _conventions(venue)
    known = {venue.name for venue in document.venues}
    for name in sorted(_venues_used(document) - known):
        yield f"venues: expected the fees of {name}, which the plan trades; name its file in venue_files"


def _conventions(venue: market.Venue) -> Iterator[str]:
    """Yield the rows of a venue's conventions of the same keys and day as one before them, and those of no sense."""
    for row in venue.funding:
        if row.kind != "perp" or (row.interval_h is None) != (row.mode == "accrues"):
            yield (
                f"venues[{venue.name}].funding[{row.first_day}]: expected kind perp, and interval_h where it settles "
                f"and only there, was kind {row.kind}, mode {row.mode}, interval_h {row.interval_h}"
            )
    tables: dict[str, Sequence[market.ConventionTable]] = {
        "delivery": venue.delivery,
        "money": venue.money,
        "funding": venue.funding,
        "lots": venue.lots,
        "ticks": venue.ticks,
    }
    for table, rows in tables.items():
        keys = [(row.kind, row.symbol, row.base, row.settle, row.settlement_period, row.first_day) for row in rows]
        for key in sorted({key for key in keys if keys.count(key) > 1}, key=str):
            yield f"venues[{venue.name}].{table}[{key[0]}]: expected one row of its keys and date, was two of {key[-1]}"
    for tick in venue.ticks:
        prices = [Decimal(step.price) for step in tick.above]
        if prices != sorted(set(prices)):
            yield f"venues[{venue.name}].ticks[{tick.kind}].above: expected ascending prices, was {prices}"


def _names_used(document: schema.Document) -> set[str]:
    return {name for name, _ in used_by(_pairs_of_dollars(document).values(), document.underlyings)}


def _venues_used(document: schema.Document) -> set[str]:
    used = _names_used(document)
    for table in document.underlyings:
        used.update([*table.put_call_venues, *table.butterfly_venues, *table.vertical_venues])
        used.update(corner.option_venue for corner in table.four_corner)
        used.update(curve.futures_venue for curve in table.curve)
    return {name.split(":")[0] for name in used}
