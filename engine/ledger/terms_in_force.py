"""The numbers in force at a decision, leg by leg: all that the net of a signal follows from beside its inputs.  [L0.2]

A row proves itself: fees, fallbacks, terms of the contracts, settlements and rates stand in it as they were applied, so
that the net is computed again without the plan and its dated tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from engine.costs.borrow import annual_rate, pays_with, started_hours
from engine.costs.expected_funding import settlements
from engine.ledger.format.canonical_json import decimal_text
from engine.market.dollars import is_quanto
from engine.market.funding import funding_rule
from engine.market.steps import lot_sizes, option_ticks
from engine.params import Params
from engine.positions.base import LegQuote, Signal
from engine.records import ACCRUAL_NS, Instruments, Kind
from engine.units import BPS, NEVER_NS, NS_PER_DAY, NS_PER_HOUR, NS_PER_US

PLACES: Final = 18
MARGIN_OF: Final = {Kind.SPOT: "spot", Kind.PERP: "perp", Kind.FUTURE: "future"}


def terms_in_force(signal: Signal, instruments: Instruments, params: Params, roles: Sequence[str]) -> dict[str, str]:
    """Return name -> quantity for the legs of ``signal`` under ``roles``; role i is that of leg i.

    Of each leg: ``multiplier`` (base units or price currency a contract), ``fee`` and ``exit_fee`` of one side as
    shares of the leg's notional, ``fallback_bps`` where its depth is not known (of an option with a registered tick
    ``fallback_tick``, price currency), ``margin_share`` of its notional; where lots are registered the base units of
    one as ``lot`` or, of an inverse contract, its dollars as ``lot_<role>_usd``, and ``lots``, how many are traded.
    Where they apply: ``money`` of a quanto, USDC per unit of price as it is paid; ``expiry_us``, ``strike``,
    ``margin_underlying`` of a sold option as a share of the coin, ``settlements`` of funding within the life, or
    ``hours_accrued`` where it accrues (its rate is for eight hours); of a spot leg that pays with another currency than
    the capital's, ``borrow_rate`` a year and ``borrow_hours``, the hours of the planned life that start.
    [venues V1, V3, V4, V6]

    Raises ``UsageError`` if the borrow rate of such a leg is not registered.
    """
    life_ns = params.rules[signal.constraint].life_ns
    day = str(np.datetime64(signal.t_ns // NS_PER_DAY, "D"))
    ends_ns = [int(instruments.expiry_ns[leg.code]) - signal.t_ns for leg in signal.legs]
    planned_ns = min([life_ns, *ends_ns])
    terms: dict[str, float] = {}
    for number, (role, leg) in enumerate(zip(roles, signal.legs, strict=True)):
        of_leg = _leg(leg, signal.t_ns, life_ns, instruments, params)
        of_leg |= _steps(leg, day, instruments, params)
        if signal.lots:
            of_leg["lots"] = signal.lots[number]
        of_leg |= _borrow(leg, planned_ns, instruments, params)
        terms |= {_named(term, role): value for term, value in of_leg.items()}
    return {
        name: decimal_text(value, 6 if name.endswith(("_bps", "_usd")) else PLACES) for name, value in terms.items()
    }


def _named(term: str, role: str) -> str:
    """Return ``term_role``; a term in bps or USD keeps its unit at the end, which limits its places.  [audit 2.2]"""
    return f"{term[:-4]}_{role}{term[-4:]}" if term.endswith(("_bps", "_usd")) else f"{term}_{role}"


def _leg(leg: LegQuote, t_ns: int, life_ns: int, instruments: Instruments, params: Params) -> dict[str, float]:
    kind, expiry_ns = Kind(instruments.kind[leg.code]), int(instruments.expiry_ns[leg.code])
    sold = leg.quantity < 0.0
    terms = {
        "multiplier": float(instruments.contract_size[leg.code]),
        "fee": leg.fee_bps / BPS,
        "exit_fee": leg.exit_fee_bps / BPS,
        "margin_share": params.margin_share[MARGIN_OF[kind]] if kind in MARGIN_OF else 1.0,
    }
    # A quanto pays another dollar than its price is in.  [venues V1]
    if is_quanto(instruments, leg.code):
        terms["money"] = leg.money
    if expiry_ns != NEVER_NS:
        terms["expiry_us"] = expiry_ns // NS_PER_US
    if kind == Kind.OPTION:
        terms["strike"] = float(instruments.strike[leg.code])
        if sold:
            terms["margin_underlying"] = params.margin_share["short_option"]
    if kind == Kind.PERP:
        day = str(np.datetime64(t_ns // NS_PER_DAY, "D"))
        interval_ns = int(instruments.funding_interval_ns[leg.code])
        rule = funding_rule(params.funding, instruments, leg.code, day) if interval_ns else None
        if rule.accrues if rule else interval_ns == ACCRUAL_NS:
            terms["hours_accrued"] = life_ns / NS_PER_HOUR
        else:
            every_ns = np.array([rule.interval_ns if rule else interval_ns])
            terms["settlements"] = float(settlements(np.array([t_ns]), every_ns, life_ns)[0])
    return terms


def _steps(leg: LegQuote, day: str, instruments: Instruments, params: Params) -> dict[str, float]:
    """Return the lot of a leg and the fallback that it was charged, where its depth was not known.  [S3.3, V4]"""
    code, terms = np.array([leg.code], dtype=np.int32), {}
    if params.lots:
        unit = "lot_usd" if instruments.inverse[leg.code] else "lot"
        terms[unit] = float(lot_sizes(params.lots, instruments, code, day)[0])
    # NaN: its depth was not known, so the fallback was charged.
    if leg.depth_usd != leg.depth_usd:
        tick = option_ticks(params.ticks, instruments, code, day).at(np.array([leg.mid]), np.array([0]))[0]
        if tick == tick:
            terms["fallback_tick"] = float(tick)
        else:
            terms["fallback_bps"] = params.fallback_bps[Kind(instruments.kind[leg.code])]
    return terms


def _borrow(leg: LegQuote, planned_ns: int, instruments: Instruments, params: Params) -> dict[str, float]:
    if instruments.kind[leg.code] != Kind.SPOT:
        return {}
    rate = annual_rate(params.borrow_rate, pays_with(instruments, leg.code, sold=leg.quantity < 0.0))
    return {"borrow_rate": rate, "borrow_hours": started_hours(planned_ns)} if rate > 0.0 else {}
