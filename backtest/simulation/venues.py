"""From a venue's file to the engine's parameters: what it does not state comes from ``harness.toml``, labelled ours."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from backtest.simulation.venue_schema import SECTIONS, Bracket, Market, VenueFile, VenueNumber
from backtest.toml_tables import TableError, read_table
from engine.errors import MissingError, UsageError
from engine.venue.base import Brackets, MarketParams, VenueParams

DEFAULTS = "harness"
_SCALE = {
    "s": 1_000_000_000,
    "h": 3_600_000_000_000,
    "share": 1_000_000,
    "ratio": 1_000_000,
    "count": 1,
    # 1 bps is 100 ppm, the engine's unit of every share.
    "bps": 100,  # to ppm
    "per_8h": 1_000_000_000,
}
_MARKET_FIELDS = {
    "oracle.max_age": ("source_max_age_ns", "s"),
    "oracle.max_spread": ("source_max_spread_ppm", "share"),
    "oracle.min_sources": ("min_sources", "count"),
    "oracle.stale_margin": ("stale_margin_ns", "s"),
    "oracle.stale_amm": ("stale_amm_ns", "s"),
    "oracle.volatility_limit": ("volatility_limit_ppm", "ratio"),
    "oracle.twap_window": ("twap_window_ns", "s"),
    "mark.rule": ("mark_rule", ""),
    "mark.average": ("mark_ema_ns", "s"),
    "funding.rule": ("funding_rule", ""),
    "funding.paid_on": ("funding_on", ""),
    "funding.premium": ("premium_rule", ""),
    "funding.interval": ("funding_interval_ns", "h"),
    "funding.interest": ("funding_interest_ppb_8h", "per_8h"),
    "funding.band": ("funding_band_ppb_8h", "per_8h"),
    "funding.cap": ("funding_cap_ppb_8h", "per_8h"),
    "funding.impact_notional": ("impact_notional_quanta", "USD"),
    "fees.maker": ("maker_fee_ppm", "bps"),
    "fees.taker": ("taker_fee_ppm", "bps"),
    "liquidation.fee": ("liquidation_fee_ppm", "share"),
    "bands.up": ("band_up_ppm", "share"),
    "bands.down": ("band_down_ppm", "share"),
    "breakers.sigma_1min": ("sigma_1min_ppm", "share"),
}
_VENUE_FIELDS = {
    "liquidation.limit_price": ("limit_price_rule", ""),
    "liquidation.portion": ("liquidation_portion_ppm", "share"),
    "liquidation.minimum": ("liquidation_min_quanta", "USD"),
    "liquidation.per_step": ("liquidations_per_step", "count"),
    "liquidation.spread_to_maintenance": ("spread_to_maintenance_ppm", "share"),
    "liquidation.bankruptcy_adjustment": ("bankruptcy_adjustment_ppm", "share"),
    "deleveraging.rank": ("deleveraging_rule", ""),
    "deleveraging.price": ("deleveraging_price", ""),
    "deleveraging.fund_first": ("fund_before_deleveraging", "flag"),
    "breakers.sigmas": ("slow_return_1min_sigmas", "count"),
    "breakers.divergence": ("slow_divergence_ppm", "share"),
    "breakers.return_5min": ("halt_return_5min_ppm", "share"),
    "breakers.halt_dwell": ("halt_dwell_ns", "s"),
    "breakers.slow_dwell": ("slow_dwell_ns", "s"),
    "withdrawals.period": ("withdrawal_period_ns", "h"),
    "withdrawals.minimum": ("withdrawal_min_quanta", "USD"),
    "withdrawals.tvl": ("withdrawal_tvl_ppm", "share"),
    "withdrawals.transfer_notional": ("transfer_min_notional_ppm", "share"),
}
UNUSED = (
    "oracle.weights", "oracle.weights_from", "liquidation.portion_above", "liquidation.pause",
    "liquidation.backstop_share", "deleveraging.pool_drawdown", "deleveraging.pool_stop",
)  # fmt: skip
"""Numbers that a file may state and the order-book simulator does not use yet; formulas for them are in the engine."""


@dataclass(frozen=True, slots=True)
class VenueGrid:
    """Units of a simulated market: USD a tick, base units a lot, quanta a USD."""

    tick_usd: Decimal
    lot: Decimal
    quanta_per_usd: int = 1_000_000

    def quanta_per_lot_tick(self) -> int:
        """Return the quanta of one lot times one tick.  Raises `UsageError` where that is not a whole number."""
        exact = self.tick_usd * self.lot * self.quanta_per_usd
        if exact != exact.to_integral_value() or exact <= 0:
            raise UsageError(f"grid: expected tick x lot to be whole quanta, was {exact}: use a larger tick or lot")
        return int(exact)


def load_file(path: Path) -> VenueFile:
    """Return a venue's file.  Raises `MissingError` where there is none, `UsageError` for what the schema refuses."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise MissingError(f"{path}: expected a venue's parameters, was: {error.strerror or error}") from error
    try:
        return read_table(VenueFile, tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: expected TOML, was: {error}") from error
    except TableError as problem:
        raise UsageError(f"{path}: {problem}") from problem


def load_venue(folder: Path, name: str, markets: tuple[str, ...], grid: VenueGrid) -> VenueParams:
    """Return the engine's parameters of the venue ``name`` for the named markets, all on one grid.

    Raises `UsageError` for a market that the file does not have, brackets out of order, or a unit that does not fit.
    """
    given = load_file(folder / f"{name}.toml")
    defaults = given if name == DEFAULTS else load_file(folder / f"{DEFAULTS}.toml")
    rows = {m.name: m for m in given.markets}
    missing = [m for m in markets if m not in rows]
    if missing:
        raise UsageError(f"{name}: expected markets among {', '.join(sorted(rows))}, was {missing}")
    values = _values(name, given, defaults, grid)
    weights = tuple(int(w) for w in (given.oracle.weights or {"index": "1"}).values())
    base = MarketParams("", grid.quanta_per_lot_tick(), Brackets((0,), (0,), (0,)))
    table = [
        replace(base, name=m, brackets=brackets_of(name, rows[m], grid), source_weights=weights, **values["market"])
        for m in markets
    ]
    return VenueParams(tuple(table), **values["venue"])


def provenance(folder: Path, name: str) -> list[tuple[str, VenueNumber]]:
    """Return (key, number) of every number of a venue's own file, in the order of the file's sections."""
    given, found = load_file(folder / f"{name}.toml"), []
    for section in SECTIONS:
        table: BaseModel = getattr(given, section)
        for key in type(table).model_fields:
            value = getattr(table, key)
            if isinstance(value, VenueNumber):
                found.append((f"{section}.{key}", value))
    return found


def brackets_of(venue: str, market: Market, grid: VenueGrid) -> Brackets:
    """Return a market's brackets in quanta and ppm; rates that are not whole ppm round up, against the account.

    Raises `UsageError` where bounds do not rise from 0, a rate falls, or a bracket states neither leverage nor rates.
    """
    where = f"{venue}: markets.{market.name}"
    lower = [int(b.lower_usd) for b in market.brackets]
    # A gap or an overlap would make margin jump or be undefined at a size.
    if lower[0] != 0 or any(b <= a for a, b in pairwise(lower)):
        raise UsageError(f"{where}: expected bounds that rise from 0, was {lower}: the brackets must be continuous")
    # Counted from 1, as venues count their tiers.
    rates = [_rates(where, i, b) for i, b in enumerate(market.brackets, 1)]
    for column, what in ((0, "maintenance"), (1, "initial")):
        numbers = [r[column] for r in rates]
        if numbers != sorted(numbers):
            raise UsageError(f"{where}: expected {what} rates that do not fall, was {numbers} ppm")
    quanta = tuple(b * grid.quanta_per_usd for b in lower)
    return Brackets(quanta, tuple(r[0] for r in rates), tuple(r[1] for r in rates))


def _rates(where: str, rank: int, bracket: Bracket) -> tuple[int, int]:
    if bracket.max_leverage is not None and bracket.initial is None and bracket.maintenance is None:
        leverage = int(bracket.max_leverage)
        # Maintenance is half the initial rate at the tier's leverage; both round up, against the account.
        return -(-1_000_000 // (2 * leverage)), -(-1_000_000 // leverage)
    if bracket.max_leverage is None and bracket.initial is not None and bracket.maintenance is not None:
        maintenance, initial = Decimal(bracket.maintenance), Decimal(bracket.initial)
        if maintenance > initial:
            raise UsageError(f"{where}: bracket {rank}: expected maintenance <= initial, was {maintenance} > {initial}")
        return _up(maintenance * 1_000_000), _up(initial * 1_000_000)
    raise UsageError(f"{where}: bracket {rank}: expected max_leverage, or initial and maintenance")


def _up(value: Decimal) -> int:
    return -int(-value // 1)


def _values(name: str, given: VenueFile, defaults: VenueFile, grid: VenueGrid) -> dict[str, dict[str, Any]]:
    result: dict[str, dict[str, Any]] = {}
    for kind, fields in (("market", _MARKET_FIELDS), ("venue", _VENUE_FIELDS)):
        result[kind] = {}
        for key, (field, unit) in fields.items():
            section, part = key.split(".")
            value = getattr(getattr(given, section), part)
            if value is None:
                value = getattr(getattr(defaults, section), part)
            if value is None:
                raise UsageError(f"{DEFAULTS}: {key}: expected this key, was missing: every number needs a default")
            result[kind][field] = _converted(f"{name}: {key}", value, unit, grid)
    return result


def _converted(where: str, value: Any, unit: str, grid: VenueGrid) -> Any:
    if not isinstance(value, VenueNumber):
        return value == "yes" if unit == "flag" else value
    if value.unit != unit:
        raise UsageError(f"{where}: expected the unit {unit!r}, was {value.unit!r}")
    exact = value.decimal() * (grid.quanta_per_usd if unit == "USD" else _SCALE[unit])
    if exact != exact.to_integral_value():
        raise UsageError(f"{where}: expected a number that is whole in the engine's unit, was {value.value} {unit}")
    return int(exact)
