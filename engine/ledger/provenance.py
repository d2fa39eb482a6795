"""The ledger's records of a signal and its trade: inputs, result and settlement.  [audit 4.1-4.3]

Provenance is what the engine read and the parameters it decided by; computed numbers are in ``result``.  Numbers come
from float64 through their shortest text, so the same inputs give the same bytes on any machine.  [audit 2.2, 3.3]
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from engine.ledger.format.canonical_json import canonical, decimal_text, tagged_hash
from engine.ledger.format.ids import resolution_id
from engine.ledger.terms_in_force import terms_in_force
from engine.params import Params
from engine.positions.base import LegQuote, Position, Series, Signal, Trade
from engine.records import Instruments
from engine.units import MICRO, NS_PER_US

ENGINE_NAME: Final = "cme_v0_2_perps"
RULE_ID: Final = "registered"
"""The only resolution rule of the registration; the analysis reads revision 0."""

THRESHOLDS: Final = ("z_threshold",)
"""Readings that are thresholds which a fold chose: parameters of the record, to nine places.  [R9.7]"""

SIDES: Final = {1: "positive", -1: "negative"}
"""The sign of the deviation that is sold; each constraint's docstring names the legs."""


def provenance(
    signal: Signal,
    instruments: Instruments,
    params: Params,
    *,
    name: str,
    version: int,
    roles: Sequence[str],
    judging_hash: str,
) -> dict[str, Any]:
    """Return the ``prov/1`` object of ``signal``: its legs as quotes under ``roles``, its other inputs as scalars.

    ``name`` and ``version`` are the constraint's in records; role i is that of leg i.  A leg priced with a conversion
    adds it as a scalar ``usd_<role>``; ``quantity_<role>`` is its signed base units a unit of the package, before lots:
    what is traded follows from the lots in ``params``.  ``signal.detail`` gives the constraint's other inputs, NaN left
    out, those of leg i as ``<name>_<i>``;
    ``signal.series`` what the rule read of the past.  ``judging_hash`` is that of the tables that judge, so that an
    amendment of others changes no id.  [live L0.2]  Raises ``ValueError`` if there are not as many roles as legs,
    ``LedgerError`` (10) if a number has no decimal text, ``UsageError`` if a borrow rate is not registered.
    """
    inputs: list[dict[str, Any]] = []
    for role, leg, quantity in zip(roles, signal.legs, signal.chosen, strict=True):
        inputs.append(_quote(role, leg, instruments))
        # A leg whose price is worth 1 has no conversion that could have been read.
        if leg.usd != 1.0:
            inputs.append(_scalar(f"usd_{role}", signal, instruments, leg.code, leg.usd, "usd_per_price"))
        inputs.append(_scalar(f"quantity_{role}", signal, instruments, leg.code, quantity, "base_per_package"))
    first = signal.legs[0].code
    inputs.append(_scalar("reference_price", signal, instruments, first, signal.spot_usd, "usd"))
    for reading, value in sorted(signal.detail.items()):
        # NaN was not known at the decision, so it is no input.
        if value != value or reading in THRESHOLDS:
            continue
        name_of_leg, _, number = reading.rpartition("_")
        if number.isdecimal() and int(number) < len(roles):
            leg = signal.legs[int(number)]
            role = f"{name_of_leg}_{roles[int(number)]}"
            inputs.append(_scalar(role, signal, instruments, leg.code, value, "reading"))
        else:
            inputs.append(_scalar(reading, signal, instruments, first, value, "reading"))
    inputs += [_series(role, signal, instruments.venue[first], series) for role, series in signal.series.items()]
    rule = params.rules[signal.constraint]
    return {
        "schema": "prov/1",
        "engine": {"name": ENGINE_NAME, "version": params.engine_version, "config_hash": judging_hash},
        "constraint": name,
        "constraint_version": version,
        "underlying": signal.underlying,
        "as_of_us": signal.t_ns // NS_PER_US,
        # In the order that verification demands: a decision has one text.
        "inputs": sorted(inputs, key=lambda i: (i["role"], i["venue"], i["instrument"])),
        "params": {
            "threshold_bps": decimal_text(rule.threshold_bps, 6),
            "life_s": decimal_text(rule.life_ns // 1_000_000_000),
            "persistence": decimal_text(params.persistence),
            "target_notional_usd": decimal_text(params.target_notional_usd, 6),
            "depth_share": decimal_text(params.depth_share, 6),
            **{name: decimal_text(signal.detail[name], 9) for name in THRESHOLDS if name in signal.detail},
            "capital_rate": decimal_text(params.capital_rate, 6),
            **terms_in_force(signal, instruments, params, roles),
        },
    }


def signal_record(signal: Signal, provenance: Mapping[str, Any], ev_usd: float | None = None) -> dict[str, Any]:
    """Return the ``signal/1`` object of an identified signal; ``ev_usd`` None is written as null.

    Raises ``LedgerError`` (10) if a number of the result is NaN or infinite.
    """
    return {
        "schema": "signal/1",
        "signal_id": signal.signal_id,
        "provenance_hash": signal.provenance_hash,
        "provenance": dict(provenance),
        "result": {
            "side": SIDES[signal.side],
            "gross_bps": decimal_text(signal.gross_bps, 6),
            "cost_bps": decimal_text(signal.cost_bps, 6),
            "net_bps": decimal_text(signal.net_bps, 6),
            "size_usd": decimal_text(signal.size_usd, 6),
            "ev_usd": None if ev_usd is None else decimal_text(ev_usd, 6),
        },
    }


def resolution_record(trade: Trade, signal_row_hash: str) -> dict[str, Any]:
    """Return the ``resolution/1`` object of a settled trade, revision 0.

    ``funding_usd`` is the cost of financing: funding paid less received, plus borrow; ``capital_usd`` is 0, since
    returns charge capital on every day.  ``return_bps`` is null for a notional of 0.
    net = gross - fees - slippage - funding - capital, exactly.  [audit 4.3]
    """
    position = trade.position
    signal = position.signal
    notional = decimal_text(trade.notional_usd, 6)
    return {
        "schema": "resolution/1",
        "resolution_id": resolution_id(signal.signal_id, RULE_ID, 0),
        "signal_id": signal.signal_id,
        "signal_row_hash": signal_row_hash,
        "rule_id": RULE_ID,
        "revision": 0,
        "supersedes": None,
        "entry_us": position.entry_ns // NS_PER_US,
        "exit_us": position.exit_ns // NS_PER_US,
        "exit_reason": position.reason.value,
        "gross_pnl_usd": _usd(trade.gross),
        "fees_usd": _usd(trade.fees),
        "slippage_usd": _usd(trade.slippage),
        # A cost: borrow paid less funding received.  [audit 4.3]
        "funding_usd": _usd(trade.borrow - trade.funding),
        "capital_usd": "0",
        "net_pnl_usd": _usd(trade.net),
        "notional_usd": notional,
        # By its text: a notional that is written as 0 has no return.
        "return_bps": None if notional == "0" else decimal_text(trade.net / MICRO / trade.notional_usd * 1e4, 6),
        "evidence_hash": evidence_hash(position),
    }


def evidence_hash(position: Position) -> str:
    """Return the SHA-256 (64 hex characters) of the canonical text of every price the settlement read; NaN is null."""
    evidence = {
        "entry": [_prices(leg) for leg in position.entry],
        "exit": [_prices(leg) for leg in position.exit],
        "marks": [[mark.day, *map(_text, mark.price), *map(_text, mark.usd)] for mark in position.marks],
        "funding": [[f.t_ns // NS_PER_US, f.leg, _text(f.rate), _text(f.price_usd)] for f in position.funding],
    }
    return hashlib.sha256(canonical(evidence)).hexdigest()


def quote_hash(name: str, quote_ns: int, leg: LegQuote) -> str:
    """Return the SHA-256 of a quote's row in the canonical data set, as ``name,t_ns,bid,ask,bid size,ask size``.

    NaN is the empty text; ``quote_ns`` is nanoseconds UTC.
    """
    prices = (leg.bid, leg.ask, leg.bid_size, leg.ask_size)
    row = ",".join([name, str(quote_ns), *("" if p != p else repr(float(p)) for p in prices)])
    return hashlib.sha256(row.encode()).hexdigest()


def _quote(role: str, leg: LegQuote, instruments: Instruments) -> dict[str, Any]:
    name = instruments.name[leg.code]
    return {
        "kind": "quote",
        "role": role,
        "venue": instruments.venue[leg.code],
        "instrument": instruments.symbol[leg.code],
        "ts_us": leg.quote_ns // NS_PER_US,
        "bid": _text(leg.bid),
        "ask": _text(leg.ask),
        "bid_size": _text(leg.bid_size),
        "ask_size": _text(leg.ask_size),
        "snapshot_hash": quote_hash(name, leg.quote_ns, leg),
    }


def _scalar(role: str, signal: Signal, instruments: Instruments, code: int, value: float, unit: str) -> dict[str, Any]:
    text = decimal_text(value, 18)
    return {
        "kind": "scalar",
        "role": role,
        "venue": instruments.venue[code],
        "instrument": instruments.symbol[code],
        "ts_us": signal.t_ns // NS_PER_US,
        "value": text,
        "unit": unit,
        "snapshot_hash": hashlib.sha256(f"{role},{signal.t_ns},{text}".encode()).hexdigest(),
    }


def _series(role: str, signal: Signal, venue: str, series: Series) -> dict[str, Any]:
    lines = "".join(f"{t_us},{decimal_text(value, 18)}\n" for t_us, value in series)
    return {
        "kind": "series",
        "role": role,
        "venue": venue,
        "instrument": f"{signal.underlying}-CURVE",
        "from_us": series[0][0],
        "to_us": series[-1][0],
        "count": len(series),
        "series_hash": tagged_hash("series", lines.encode()),
    }


def _prices(leg: LegQuote) -> list[Any]:
    read = [leg.bid, leg.ask, leg.bid_size, leg.ask_size, leg.usd]
    # Of a quanto alone, so that the evidence of every other leg keeps its text.
    read += [leg.money] if leg.money != leg.usd else []
    return [leg.code, leg.quote_ns // NS_PER_US, *map(_text, read)]


def _text(value: float) -> str | None:
    # Canonical JSON has no text for NaN.
    return None if value != value else decimal_text(value, 18)


def _usd(micro: int) -> str:
    return decimal_text(f"{micro}e-6")
