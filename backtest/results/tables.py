"""Signals, trades and accruals as tables: the columns in which a run directory keeps them.  [S3.7, S8.6]

One row a signal or trade, sorted by (t_ns, signal_id); money in int64 micro-USD; NaN is unknown, null not applicable.
A table is checked where it is made: every column is there, no column but `NULLABLE` has a null, an id has one row.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from backtest.folds.fit import modelled_ev_usd
from engine.errors import DataError, MissingError
from engine.positions.base import LegQuote, Signal, Trade
from engine.records import CostModel, Instruments
from engine.units import NEVER_NS, NS_PER_SECOND

_QUOTED: Final = ("quantity", "weight", "mid", "bid", "ask", "bid_size", "ask_size", "usd", "money")
_COSTS: Final = ("fee_bps", "exit_fee_bps", "spread_bps", "slip_bps", "depth_usd")
_DECIDED: Final = (
    "spot_usd", "gross_bps", "carry_bps", "borrow_bps", "capital_bps", "cost_bps", "net_bps", "threshold_bps",
    "size_usd",
)  # fmt: skip
_LEG: Final = pa.struct(
    [
        ("instrument", pa.string()),
        ("expiry_ns", pa.int64()),
        *((name, pa.float64()) for name in _QUOTED),
        ("lots", pa.int64()),
        ("quote_ns", pa.int64()),
        *((name, pa.float64()) for name in _COSTS),
        ("book", pa.string()),
    ]
)

SIGNALS: Final = pa.schema(
    [
        ("signal_id", pa.string()),
        ("provenance_hash", pa.string()),
        ("fold", pa.int32()),
        *((name, pa.string()) for name in ("constraint", "underlying", "venue")),
        ("expiry_ns", pa.int64()),
        ("side", pa.int8()),
        ("short", pa.string()),
        ("t_ns", pa.int64()),
        *((name, pa.float64()) for name in _DECIDED),
        ("cost_model", pa.string()),
        ("capture", pa.float64()),
        ("ev_usd", pa.float64()),
        ("detail", pa.string()),
        ("legs", pa.list_(_LEG)),
    ]
)

TRADES: Final = pa.schema(
    [
        ("signal_id", pa.string()),
        ("fold", pa.int32()),
        *((name, pa.string()) for name in ("constraint", "underlying", "venue")),
        ("expiry_ns", pa.int64()),
        ("status", pa.string()),
        ("rejected_why", pa.string()),
        ("t_ns", pa.int64()),
        ("entry_ns", pa.int64()),
        ("exit_ns", pa.int64()),
        ("exit_reason", pa.string()),
        ("trigger", pa.string()),
        ("trigger_ns", pa.int64()),
        ("wait_s", pa.float64()),
        ("forced", pa.bool_()),
        ("flags", pa.string()),
        ("notional_usd", pa.float64()),
        ("entry_gross_bps", pa.float64()),
        *(
            (f"{term}_usd_micro", pa.int64())
            for term in ("gross", "fees", "slippage", "funding", "borrow", "net", "modelled")
        ),
    ]
)

ACCRUALS: Final = pa.schema(
    [("signal_id", pa.string()), ("constraint", pa.string()), ("day", pa.int32()), ("usd_micro", pa.int64())]
)
NULLABLE: Final = frozenset(("expiry_ns", "trigger_ns", "wait_s"))
"""Null where every leg is perpetual, and where no stop or convergence was met; all others have a value in every row."""


def read_table(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """Return a table of a run directory, all columns where ``columns`` is None.

    Raises ``MissingError`` (3) if the file is missing, cut short, no Parquet, or has no such column.
    """
    try:
        return pd.read_parquet(path, columns=columns)
    except (OSError, ValueError) as problem:
        raise MissingError(f"expected a whole table at {path}, was: {problem}: run the window again") from problem


def signals_table(
    signals: Iterable[Signal], instruments: Instruments, capture: Mapping[int, Mapping[str, float]]
) -> pa.Table:
    """Return the table `SIGNALS` of emitted signals.  [S4.8]

    ``capture[fold][constraint]`` is the share of the modelled net that training trades realised; it scales
    ``ev_usd``.  Raises ``DataError`` if two signals have one id or a value does not fit its column.
    """
    rows = [_signal(s, instruments, capture[s.fold][s.constraint]) for s in sorted(signals, key=_order)]
    return _one_row_an_id(checked_table("signals", rows, SIGNALS), "signals")


def trades_table(trades: Iterable[Trade]) -> pa.Table:
    """Return the table `TRADES` of resolved signals: traded, rejected for margin, or void.

    Raises ``DataError`` if two trades have one id, a trade ends before it begins, or a value does not fit its column.
    """
    ordered = sorted(trades, key=lambda trade: _order(trade.position.signal))
    table = _one_row_an_id(checked_table("trades", [_trade(trade) for trade in ordered], TRADES), "trades")
    early = pc.less(table["exit_ns"], table["entry_ns"]).to_numpy(zero_copy_only=False)
    if early.any():
        row = table.slice(int(early.argmax()), 1).to_pylist()[0]
        raise DataError(
            f"trades.exit_ns: expected at least entry_ns = {row['entry_ns']} for {row['signal_id']}, "
            f"was {row['exit_ns']}"
        )
    return table


def accruals_table(trades: Iterable[Trade]) -> pa.Table:
    """Return the table `ACCRUALS`: one row a (trade, day) with a non-zero accrual, micro-USD.  [S4.7]

    Raises ``DataError`` if the accruals of a trade do not sum to its net.
    """
    trades = tuple(trades)
    for trade in trades:
        accrued = sum(trade.accruals.values())
        if accrued != trade.net:
            raise DataError(
                f"accruals.usd_micro: expected rows of {trade.position.signal.signal_id} that sum to its net "
                f"{trade.net}, was {accrued}"
            )
    rows = [
        {"signal_id": signal.signal_id, "constraint": signal.constraint, "day": day, "usd_micro": micro}
        for trade in sorted(trades, key=lambda trade: _order(trade.position.signal))
        for signal in [trade.position.signal]
        for day, micro in sorted(trade.accruals.items())
        if micro
    ]
    return checked_table("accruals", rows, ACCRUALS)


def checked_table(name: str, rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    """Return ``rows`` as a table of ``schema``; a list of no rows gives a table of no rows.

    Raises ``DataError`` naming the column of ``name`` if a row has other keys, a value of another type, or a null where
    `NULLABLE` allows none: pyarrow alone takes a missing key for a null.
    """
    columns = set(schema.names)
    other = next((row for row in rows if set(row) != columns), None)
    if other is not None:
        raise DataError(f"{name}: expected the columns {', '.join(sorted(columns))}, was {sorted(other)}")
    arrays = [_column(f"{name}.{field.name}", [row[field.name] for row in rows], field) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _column(where: str, values: list[Any], field: pa.Field) -> pa.Array:
    # pyarrow cuts the fraction off a float that it stores as an integer, without a word.
    wrong = [value for value in values if isinstance(value, float)] if pa.types.is_integer(field.type) else []
    if wrong:
        raise DataError(f"{where}: expected values of {field.type}, was {wrong[0]}")
    try:
        array = pa.array(values, field.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as problem:
        raise DataError(f"{where}: expected values of {field.type}, was: {problem}") from problem
    if array.null_count and field.name not in NULLABLE:
        raise DataError(f"{where}: expected a value in every row, was null in {array.null_count}")
    return array


def _one_row_an_id(table: pa.Table, name: str) -> pa.Table:
    counts = pc.value_counts(table["signal_id"])
    for entry in counts.to_pylist():
        if entry["counts"] > 1:
            raise DataError(f"{name}.signal_id: expected one row an id, was {entry['values']} {entry['counts']} times")
    return table


def frame(table: pa.Table) -> pd.DataFrame:
    """Return a table as a frame with the same column types, nulls included."""
    result: pd.DataFrame = table.to_pandas()
    return result


def ev_usd(signal: Signal, capture: float) -> float:
    """Return the modelled net EV of ``signal`` in USD under its fold's capture factor: of the table and the ledger."""
    return modelled_ev_usd(signal.net_bps, signal.size_usd, capture)


def book_of(instrument: str, ask: bool) -> str:
    """Return the name of the side of a book that is hit.

    >>> book_of("deribit:BTC-PERPETUAL", ask=True)
    'deribit:BTC-PERPETUAL/ask'
    """
    return f"{instrument}/{'ask' if ask else 'bid'}"


def _order(signal: Signal) -> tuple[int, str]:
    return signal.t_ns, signal.signal_id


def _signal(signal: Signal, instruments: Instruments, capture: float) -> dict[str, Any]:
    return {
        "signal_id": signal.signal_id,
        "provenance_hash": signal.provenance_hash,
        "fold": signal.fold,
        "constraint": signal.constraint,
        "underlying": signal.underlying,
        "venue": signal.venue,
        "expiry_ns": _expiry(signal.expiry_ns),
        "side": signal.side,
        "short": instruments.name[signal.short],
        "t_ns": signal.t_ns,
        "spot_usd": signal.spot_usd,
        "gross_bps": signal.gross_bps,
        "carry_bps": signal.carry_bps,
        "borrow_bps": signal.borrow_bps,
        "capital_bps": signal.capital_bps,
        "cost_bps": signal.cost_bps,
        "net_bps": signal.net_bps,
        "threshold_bps": signal.threshold_bps,
        "size_usd": signal.size_usd,
        "cost_model": CostModel(signal.cost_model).name.lower(),
        "capture": capture,
        "ev_usd": ev_usd(signal, capture),
        "detail": json.dumps(dict(signal.detail), sort_keys=True),
        # none are known where the plan registers none
        "legs": [
            _leg(leg, instruments) | {"lots": lots}
            for leg, lots in zip(signal.legs, signal.lots or [None] * len(signal.legs), strict=True)
        ],
    }


def _expiry(expiry_ns: int) -> int | None:
    # A perpetual has no expiry: the number that stands for it inside would read as a date.
    return None if expiry_ns == NEVER_NS else expiry_ns


def _leg(leg: LegQuote, instruments: Instruments) -> dict[str, Any]:
    name = instruments.name[leg.code]
    return {
        "instrument": name,
        "expiry_ns": _expiry(int(instruments.expiry_ns[leg.code])),
        **{number: getattr(leg, number) for number in (*_QUOTED, "quote_ns", *_COSTS)},
        "book": book_of(name, leg.quantity > 0),
    }


def _trade(trade: Trade) -> dict[str, Any]:
    position = trade.position
    signal, trigger = position.signal, position.trigger
    status = "void" if position.reason.value == "void" else "rejected" if trade.rejected else "traded"
    return {
        "signal_id": signal.signal_id,
        "fold": signal.fold,
        "constraint": signal.constraint,
        "underlying": signal.underlying,
        "venue": signal.venue,
        "expiry_ns": _expiry(signal.expiry_ns),
        "status": status,
        "rejected_why": trade.rejected,
        "t_ns": signal.t_ns,
        "entry_ns": position.entry_ns,
        "exit_ns": position.exit_ns,
        "exit_reason": position.reason.value,
        "trigger": trigger.reason.value if trigger else "",
        "trigger_ns": trigger.t_ns if trigger else None,
        "wait_s": (position.exit_ns - trigger.t_ns) / NS_PER_SECOND if trigger else None,
        "forced": position.forced,
        "flags": ",".join(position.flags),
        "notional_usd": trade.notional_usd,
        "entry_gross_bps": position.entry_gross_bps,
        "gross_usd_micro": trade.gross,
        "fees_usd_micro": trade.fees,
        "slippage_usd_micro": trade.slippage,
        "funding_usd_micro": trade.funding,
        "borrow_usd_micro": trade.borrow,
        "net_usd_micro": trade.net,
        "modelled_usd_micro": trade.modelled,
    }
