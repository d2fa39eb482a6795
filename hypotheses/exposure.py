"""How much stood open at once: joint losses, days with an open position, dislocations.  [spec README "Joint losses"]

A traded position is open on [entry, exit) and counts, whatever its side, with its whole notional on the key
(underlying, venue, expiry or none) of each of its legs.  With ``s_k`` the stress loss of constraint k in bps,

    L_k = s_k / 1e4 max(target notional, largest sum that k had open at one instant on one key)
    L   = max(max over keys and instants of sum_k s_k / 1e4 (open notional of k there), largest L_k)

in micro-USD, exact up to one rounding at the end, half to even.  Constraints that are not enabled have no loss.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

import numpy as np
import pandas as pd

from backtest.results.dislocations import DislocationKey, count_dislocations
from engine.errors import DataError
from engine.exact.decimals import of_float
from engine.exact.sums import half_even
from engine.params import Params
from engine.records import BoolArray, IntArray
from engine.units import MICRO, NS_PER_DAY
from hypotheses.base import RunData, TableRow, rows_of

Key = tuple[str, str, int | None]
"""Underlying, venue, expiry in ns; None where the leg does not expire."""
BPS: Final = 10_000
DISLOCATION_KEY: Final = ["constraint", "underlying", "venue", "expiry_ns"]


@dataclass(frozen=True, slots=True)
class OpenNotional:
    """One traded position: open on [entry, exit), with its whole notional on every key of its legs."""

    code: str
    entry_ns: int
    exit_ns: int
    notional_micro: int
    keys: frozenset[Key]


@dataclass(frozen=True, slots=True)
class Exposure:
    """The losses that one event could have brought, and what was open; losses in micro-USD.

    ``joint_micro`` is L, ``stress_micro`` L_k by code; ``open_days`` counts the days with an open position, of the
    portfolio under ``""``; ``dislocations`` counts them by code.  A code that is in no mapping has 0.
    """

    joint_micro: int
    stress_micro: Mapping[str, int]
    open_days: Mapping[str, int]
    dislocations: Mapping[str, int]


def exposure_of(run: RunData, params: Params) -> Exposure:
    """Return what the run had open, from its traded signals.

    Parameters
    ----------
    run : RunData
        One test window; its days, signals and trades are read.
    params : Params
        The registered stress losses in bps and the target notional.

    Returns
    -------
    Exposure
        Losses in micro-USD; a run without a trade has the losses of one target notional.

    Raises
    ------
    DataError
        If a trade has no signal, or a leg's instrument no venue before its colon.
    """
    traded = traded_signals(run.trades, run.signals)
    positions = [_position(row) for row in rows_of(traded)]
    stress = {code: Fraction(of_float(rule.stress_loss_bps)) for code, rule in params.rules.items() if rule.enabled}
    target_micro = Fraction(of_float(params.target_notional_usd)) * MICRO
    joint, each = joint_losses(positions, stress, target_micro)
    return Exposure(
        joint_micro=joint,
        stress_micro=each,
        open_days={
            code: int(open_on(run.day, [p for p in positions if code in ("", p.code)]).sum())
            for code in ("", *params.rules)
        },
        dislocations=dislocations(traded),
    )


def traded_signals(trades: pd.DataFrame, signals: pd.DataFrame) -> pd.DataFrame:
    """Return the traded rows of ``trades``, each with the legs of its signal, in the order (t0, id).

    Raises ``DataError`` if a traded row has no signal, or the trades are those of a version without venue and expiry.
    """
    lacking = [name for name in DISLOCATION_KEY if name not in trades]
    if lacking:
        raise DataError(f"trades.parquet: expected the columns {', '.join(lacking)}, was none: run the window again")
    traded = trades[trades["status"] == "traded"]
    if traded.empty:
        return pd.DataFrame(columns=[*traded.columns, "legs"])
    joined = traded.merge(signals[["signal_id", "legs"]], on="signal_id", validate="one_to_one")
    if len(joined) != len(traded):
        lost = sorted(set(traded["signal_id"]) - set(joined["signal_id"]))
        raise DataError(
            f"trades.parquet: expected every traded signal in signals.parquet, was {len(lost)} without, the first "
            f"{lost[0]}: run the window again"
        )
    return joined.sort_values(["t_ns", "signal_id"], kind="stable").reset_index(drop=True)


def _position(row: TableRow) -> OpenNotional:
    # Micro-USD, as the ledger keeps the notional.
    notional = Fraction(of_float(row["notional_usd"])) * MICRO
    return OpenNotional(
        code=row["constraint"],
        entry_ns=int(row["entry_ns"]),
        exit_ns=int(row["exit_ns"]),
        notional_micro=half_even(notional.numerator, notional.denominator),
        keys=frozenset(_key(row["underlying"], leg) for leg in row["legs"]),
    )


def _key(underlying: str, leg: Mapping[str, Any]) -> Key:
    venue, colon, _ = str(leg["instrument"]).partition(":")
    if not colon:
        raise DataError(f"signals.parquet, legs.instrument: expected VENUE:SYMBOL, was {leg['instrument']}")
    if "expiry_ns" not in leg:
        raise DataError("signals.parquet, legs: expected the field expiry_ns, was none: run the window again")
    return underlying, venue, None if leg["expiry_ns"] is None else int(leg["expiry_ns"])


def joint_losses(
    positions: Collection[OpenNotional], stress_bps: Mapping[str, Fraction], target_micro: Fraction
) -> tuple[int, dict[str, int]]:
    """Return L and each L_k, micro-USD, by a sweep over the instants at which something opens or closes.

    ``stress_bps`` has the constraints that have a loss; ``target_micro`` is the target notional.

    >>> at = lambda code, start, end: OpenNotional(code, start, end, 30_000_000, frozenset({("BTC", "x", None)}))
    >>> joint_losses([at("C1", 0, 5), at("C2", 4, 9), at("C2", 5, 6)], {"C1": Fraction(100), "C2": Fraction(50)},
    ...              Fraction(20_000_000))
    (450000, {'C1': 300000, 'C2': 300000})
    """
    most: dict[str, int] = defaultdict(int)
    joint = Fraction(0)
    for changes in _changes(positions).values():
        open_micro: dict[str, int] = defaultdict(int)
        for _, at_once in sorted(changes.items()):
            # All of one instant before it is looked at: what closes and what opens then are never open together.
            for code, change_micro in at_once:
                open_micro[code] += change_micro
            together = Fraction(0)
            for code, micro in open_micro.items():
                most[code] = max(most[code], micro)
                together += stress_bps[code] * micro
            joint = max(joint, together)
    each = {code: bps * max(target_micro, Fraction(most[code])) for code, bps in stress_bps.items()}
    joint = max([joint, *each.values()])
    return _per_bps(joint), {code: _per_bps(loss) for code, loss in each.items()}


def _changes(positions: Iterable[OpenNotional]) -> dict[Key, dict[int, list[tuple[str, int]]]]:
    """Return, by key and instant, the changes of what is open: of which constraint, by how many micro-USD."""
    changes: dict[Key, dict[int, list[tuple[str, int]]]] = defaultdict(lambda: defaultdict(list))
    for position in positions:
        for key in position.keys:
            changes[key][position.entry_ns].append((position.code, position.notional_micro))
            changes[key][position.exit_ns].append((position.code, -position.notional_micro))
    return changes


def _per_bps(value: Fraction) -> int:
    return half_even(value.numerator, value.denominator * BPS)


def open_on(day: IntArray, positions: Iterable[OpenNotional]) -> BoolArray:
    """Return whether any position is open at some instant of each day, bool of shape ``[n]``; days since 1970-01-01.

    >>> position = OpenNotional("C1", NS_PER_DAY + 1, 2 * NS_PER_DAY, 1, frozenset())
    >>> open_on(np.array([0, 1, 2]), [position]).tolist()
    [False, True, False]
    """
    found = np.zeros(len(day), dtype=np.bool_)
    for position in positions:
        # Half-open: what closes at midnight is not open on the day that begins there.
        if position.exit_ns > position.entry_ns:
            found |= (day >= position.entry_ns // NS_PER_DAY) & (day <= (position.exit_ns - 1) // NS_PER_DAY)
    return found


def dislocations(traded: pd.DataFrame) -> dict[str, int]:
    """Return the dislocations of each constraint that traded, from traded signals in any order.

    Counted by `backtest.results.dislocations`; the table's missing expiry is that of a key without one.

    >>> rows = [("C3", "BTC", "x", 9, t * 10**9) for t in (0, 3_599, 3_600, 7_199)]
    >>> dislocations(pd.DataFrame(rows, columns=[*DISLOCATION_KEY, "t_ns"]))
    {'C3': 2}
    """
    rows = rows_of(traded[[*DISLOCATION_KEY, "t_ns"]].sort_values("t_ns", kind="stable"))
    return dict(count_dislocations((_dislocation_key(row), row["t_ns"]) for row in rows))


def _dislocation_key(row: TableRow) -> DislocationKey:
    # NaN is not equal to itself, so it cannot be part of a key.
    constraint, underlying, venue, expiry_ns = (row[name] for name in DISLOCATION_KEY)
    return constraint, underlying, venue, None if pd.isna(expiry_ns) else expiry_ns
