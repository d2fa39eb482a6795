"""The synthetic forward of the call and put nearest the money, brought to a spot price.  [S2.C6]"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.market.view import PreparedPanel, cached_on_panel
from engine.records import BoolArray, CodeArray, FloatArray, IntArray, Kind, Right
from engine.units import NEVER_NS, NS_PER_YEAR


@dataclass(frozen=True, slots=True)
class Synthetic:
    """The chosen pair at each grid time and what it implies for the spot, all ``[T]``; -1 and NaN where none."""

    call: CodeArray  # panel column
    put: CodeArray
    spot_usd: FloatArray
    pairs: FloatArray  # call-put pairs that carry one unit of USD delta: F/K in coin, 1 in dollars


@cached_on_panel
def nearest_synthetic(view: PreparedPanel, venue: str, min_expiry_ns: int) -> Synthetic:
    """Return the synthetic of ``venue`` at the nearest expiry more than ``min_expiry_ns`` away, nearest to S.

    Both legs must be usable; of strikes equally near the lower is taken.  The nearest listed expiry counts, also where
    none of its pairs is usable: then there is no synthetic at that time.

    >>> from engine.market.view import prepare
    >>> from tests.helpers.builders import params
    >>> from tests.helpers.markets import Market, flat_history
    >>> view = prepare(Market().block(), params(), flat_history())
    >>> synthetic = nearest_synthetic(view, "deribit", min_expiry_ns=0)  # F is 100,051 USD, h 5% a year
    >>> synthetic.spot_usd.round(1).tolist(), synthetic.pairs.round(5).tolist()
    ([100019.2], [1.00051])
    """
    times = view.panel.times_ns
    call = np.full(len(times), -1, dtype=np.int32)
    put = np.full(len(times), -1, dtype=np.int32)
    value = np.full(len(times), np.nan)
    pairs = np.full(len(times), np.nan)
    chosen = np.full(len(times), NEVER_NS, dtype=np.int64)
    by_expiry = _pairs(view, venue)
    for expiry in sorted(by_expiry):
        # Expiries ascend, so the first strictly beyond the minimum is the nearest.  [S2.C6]
        take = (chosen == NEVER_NS) & (expiry - times > min_expiry_ns)
        chosen[take] = expiry
    for expiry in np.unique(chosen[chosen != NEVER_NS]).tolist():
        here = np.flatnonzero(chosen == expiry)
        strike, calls, puts = (np.array(column) for column in zip(*by_expiry[expiry], strict=True))
        gap = np.abs(strike[:, None] - view.spot_usd[here])
        both = (view.usable.T[calls] & view.usable.T[puts])[:, here]
        gap[~both | np.isnan(gap)] = np.inf
        # argmin takes the first of equals, and strikes ascend: the lower one, as the rule says.
        nearest = gap.argmin(axis=0)
        rows = np.flatnonzero(gap[nearest, np.arange(len(here))] < np.inf)
        at = nearest[rows]
        rows = here[rows]
        call[rows], put[rows] = calls[at], puts[at]
        value[rows], pairs[rows] = _forward(view, rows, calls[at], puts[at], strike[at], expiry)
    return Synthetic(call, put, value, pairs)


def _pairs(view: PreparedPanel, venue: str) -> dict[int, list[tuple[float, int, int]]]:
    """(strike, call, put) columns by expiry, strikes ascending: one settlement currency a pair."""
    table, code = view.panel.instruments, view.panel.code
    calls: dict[tuple[int, float, str], int] = {}
    puts: dict[tuple[int, float, str], int] = {}
    options = np.flatnonzero(table.kind[code] == Kind.OPTION)
    listing = (array[code[options]].tolist() for array in (table.expiry_ns, table.strike, table.right == Right.CALL))
    for n, c, expiry, strike, call in zip(options.tolist(), code[options].tolist(), *listing, strict=True):
        if table.venue[c] == venue and table.underlying[c] == view.panel.underlying:
            (calls if call else puts)[expiry, strike, table.quote[c]] = n
    by_expiry: dict[int, list[tuple[float, int, int]]] = {}
    for key in sorted(set(calls) & set(puts)):
        by_expiry.setdefault(key[0], []).append((key[1], calls[key], puts[key]))
    return by_expiry


def _forward(
    view: PreparedPanel, rows: IntArray, call: IntArray, put: IntArray, strike: FloatArray, expiry: int
) -> tuple[FloatArray, FloatArray]:
    """F / (1 + hT) in USDC, and the pairs of one unit of delta; F as in the docstring of `c6_four_corner`.

    A pair in coin is worth 1 - K/F coin, which moves by (K/F) dF/F: F/K of them move as one coin of forward does.
    """
    table, panel = view.panel.instruments, view.panel
    # Simple interest: the engine has + - * / alone, and the rule is written in (1 + hT).  [S2.C6, S2.8]
    growth = 1.0 + view.params.capital_rate * ((expiry - panel.times_ns[rows]) / NS_PER_YEAR)
    gap = view.mid[rows, call] - view.mid[rows, put]
    coin = np.array([table.quote[c] == panel.underlying for c in panel.code[call].tolist()], dtype=np.bool_)
    # A premium difference of one coin divides by zero; what comes of it is refused below.
    with np.errstate(divide="ignore"):
        forward = np.where(coin, strike / (1.0 - gap), strike + gap * growth)
    pairs = np.where(coin, forward / strike, 1.0)
    sane: BoolArray = np.isfinite(forward) & (forward > 0.0)
    # Strikes, and a premium in dollars, are in one dollar: that of the price, USD beside a premium in coin.
    dollar = np.where(coin, view.dollars.usd[rows], view.usd[rows, call])
    return np.where(sane, forward / growth * dollar, np.nan), np.where(sane, pairs, np.nan)
