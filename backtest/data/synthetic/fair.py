"""Computes fair prices of everything that is listed, and adds the planted moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from backtest.data.synthetic.draws import IntArray
from backtest.data.synthetic.elementary import FloatArray
from backtest.data.synthetic.expiries import NEVER_NS, NS_PER_YEAR
from backtest.data.synthetic.paths import Path
from backtest.data.synthetic.smile import SmileSpec, normalised_call
from backtest.data.synthetic.universe import CALL, OPTION, SyntheticListing

CELLS: Final = 8_192
"""Values computed together: few enough that what lies between stays in a processor's cache."""


@dataclass(frozen=True, slots=True)
class Move:
    """A planted move of one instrument's quotes over the grid times ``from_step <= step < to_step``.

    ``bps`` of the reference price for options, of its own price for all others.  A ``forward`` move names a dated
    future and moves the forward itself, hence the fair values of the options of its expiry too.
    """

    name: str
    from_step: int
    to_step: int
    bps: float
    forward: bool
    no_depth: bool
    thin: bool = False  # its quotes show one lot


@dataclass(frozen=True, slots=True)
class Fair:
    """Prices at grid times in the price currencies of the listings, ``[T, N]``; NaN at expiry and after it."""

    fair: FloatArray
    moved: FloatArray  # with the moves of quotes; forward moves are in both


def fair_prices(
    path: Path, listings: Sequence[SyntheticListing], steps: IntArray, smile: SmileSpec, moves: Sequence[Move]
) -> Fair:
    """Return prices ``[T, N]`` of ``listings`` at the grid times ``steps``, shape (T,).

    Dated futures are S (1 + y(tau) tau).  A coin-settled call is c(T, K/F), a USDC-settled one F c(T, K/F), a put
    follows by parity; perps are S (1 + basis); what is quoted in USDT is converted by the pair of the moment.
    """
    dated = sorted({x.expiry_ns for x in listings if x.expiry_ns != NEVER_NS})
    at_expiry = {expiry: n for n, expiry in enumerate(dated)}
    of_name = {x.name: n for n, x in enumerate(listings)}
    tau = np.array(dated, dtype=np.int64)[:, None] - path.times_ns[steps]
    forward = path.forward(steps, np.maximum(tau, 0))
    for move in moves:
        if move.forward and move.name in of_name:
            n = at_expiry[listings[of_name[move.name]].expiry_ns]
            forward[n] += _active(move, steps) * (1e-4 * move.bps) * path.spot[steps]
    # an expired contract has no price; its tau is clipped above only so that no division by zero warns
    forward[tau <= 0] = np.nan
    # one instrument's prices side by side
    fair = np.empty((len(listings), len(steps)))
    _options(fair, path, listings, steps, smile, forward, np.maximum(tau, 1), at_expiry)
    for n, listing in enumerate(listings):
        if listing.kind != OPTION:
            dated_price = None if listing.expiry_ns == NEVER_NS else forward[at_expiry[listing.expiry_ns]]
            fair[n] = _undated(path, listing.name, listing.underlying, steps) if dated_price is None else dated_price
    return Fair(np.ascontiguousarray(fair.T), np.ascontiguousarray(moved(fair.T, path, listings, steps, moves)))


def moved(
    fair: FloatArray, path: Path, listings: Sequence[SyntheticListing], steps: IntArray, moves: Sequence[Move]
) -> FloatArray:
    """Return the prices ``fair``, ``[T, N]``, with the moves of quotes; moves of forwards are in them already."""
    result = fair.copy()
    of_name = {x.name: n for n, x in enumerate(listings)}
    for move in moves:
        if not move.forward and move.name in of_name:
            n = of_name[move.name]
            result[:, n] += _active(move, steps) * (1e-4 * move.bps) * _unit(path, listings[n], fair[:, n], steps)
    return result


def _options(
    fair: FloatArray,
    path: Path,
    listings: Sequence[SyntheticListing],
    steps: IntArray,
    smile: SmileSpec,
    forward: FloatArray,
    tau: IntArray,
    at_expiry: Mapping[int, int],
) -> None:
    """Fill the options' rows of ``fair``, ``[N, T]``; each (expiry, strike) is valued once for all its options."""
    chains: dict[int, dict[float, list[int]]] = {}
    for n, x in enumerate(listings):
        if x.kind == OPTION:
            chains.setdefault(x.expiry_ns, {}).setdefault(x.strike, []).append(n)
    # as many strikes at once as keep the intermediate arrays in cache
    together = max(1, CELLS // len(steps))
    for expiry, by_strike in chains.items():
        f, years = forward[at_expiry[expiry]], tau[at_expiry[expiry]] / NS_PER_YEAR
        strikes = sorted(by_strike)
        for low in range(0, len(strikes), together):
            some = strikes[low : low + together]
            k = np.array(some)[:, None] / f
            call = normalised_call(k, path.vol[steps], years, smile)
            # by parity, so that the relation holds at fair prices by construction
            put = call - (1.0 - k)
            for row, strike in enumerate(some):
                for n in by_strike[strike]:
                    value = call[row] if listings[n].right == CALL else put[row]
                    fair[n] = value if listings[n].in_coin else value * f


def _undated(path: Path, name: str, underlying: str, steps: IntArray) -> FloatArray:
    spot, fx = path.spot[steps], path.fx[steps]
    prices = {
        f"binance:{underlying}USDC": lambda: spot,
        f"binance:{underlying}USDT": lambda: spot * fx,
        f"binance:{underlying}USDT-PERP": lambda: spot * (1.0 + path.basis_usdt[steps]) * fx,
        f"binance:{underlying}USDC-PERP": lambda: spot * (1.0 + path.basis_usdc[steps]),
        f"hyperliquid:{underlying}-PERP": lambda: spot * (1.0 + path.basis_hyperliquid[steps]) * fx,
        f"deribit:{underlying}-PERPETUAL": lambda: spot * (1.0 + path.basis_inverse[steps]),
    }
    return prices[name]()


def _unit(path: Path, listing: SyntheticListing, fair: FloatArray, steps: IntArray) -> FloatArray:
    """Return that of which a move counts basis points: one coin, or the reference price, or the price itself."""
    if listing.kind != OPTION:
        return fair
    return np.ones(len(steps)) if listing.in_coin else path.spot[steps]


def _active(move: Move, steps: IntArray) -> FloatArray:
    return ((steps >= move.from_step) & (steps < move.to_step)).astype(np.float64)
