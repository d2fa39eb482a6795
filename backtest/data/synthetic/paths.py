"""Computes the state of the market at every grid time once: spot, volatility, dollar pair, carry, bases, funding."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from backtest.data.synthetic.draws import IntArray, Streams, normals
from backtest.data.synthetic.elementary import LN2, FloatArray, exp
from backtest.data.synthetic.expiries import NS_PER_DAY, NS_PER_HOUR, NS_PER_YEAR
from backtest.data.synthetic.spec import CoinSpec, MeanReversion, PathSpec, SynthSpec

# of 365 days, as the year of NS_PER_YEAR
HOURS_A_YEAR = 8_760.0
INTERVAL_H = 8
# the published constants of the venues: dead band of the Deribit premium, interest and clamp of the 8 h rate
DERIBIT_BAND = 2.5e-4
INTEREST = 1e-4
CLAMP = 5e-4


@dataclass(frozen=True, slots=True)
class Path:
    """One underlying over the whole market, one element a grid time."""

    times_ns: IntArray
    spot: FloatArray  # USD, the index
    vol: FloatArray  # annual
    fx: FloatArray  # USDT per USDC
    level: FloatArray  # annualised carry: y(tau) = level + slope g1(tau) + curvature g2(tau)
    slope: FloatArray
    curvature: FloatArray
    decay_ns: float
    basis_usdt: FloatArray  # binance USDT perp over spot, a fraction
    basis_usdc: FloatArray
    basis_hyperliquid: FloatArray
    basis_inverse: FloatArray  # deribit perpetual
    rate_binance: FloatArray  # funding rate of the 8 h interval in force
    rate_hyperliquid: FloatArray  # of the hour in force
    rate_inverse: FloatArray

    def forward(self, at: slice | IntArray, tau_ns: IntArray) -> FloatArray:
        """Return fair forwards in USD at the grid times ``at`` for times to expiry ``tau_ns``: S (1 + y(tau) tau)."""
        left = exp(-tau_ns / self.decay_ns)
        # 1 - 2e and 4e(1 - e) rise and bulge along the tenor; at tenor 0 they are -1 and 0
        carry = self.level[at] + self.slope[at] * (1.0 - 2.0 * left) + self.curvature[at] * 4.0 * left * (1.0 - left)
        result: FloatArray = self.spot[at] * (1.0 + carry * (tau_ns / NS_PER_YEAR))
        return result


def dollar_pair(spec: SynthSpec, streams: Streams) -> FloatArray:
    """Return USDT per USDC at every grid time, shape (spec.points,)."""
    shocks = normals(streams(f"{spec.stream}/FX/paths", 0), _hours(spec))
    return 1.0 + 1e-4 * _on_grid(spec, _revert(spec.paths.fx_bps, shocks))


def draw_path(spec: SynthSpec, underlying: str, fx: FloatArray, streams: Streams) -> Path:
    """Return the path of ``underlying``, arrays of shape (spec.points,), as ``fx`` is.

    Streams: ``<stream>/common/paths`` and ``<stream>/<underlying>/paths``.
    """
    hours, paths, coin = _hours(spec), spec.paths, spec.underlyings[underlying]
    bits = streams(f"{spec.stream}/{underlying}/paths", 0)
    log_vol, binance, usdc, hyperliquid, level, slope, curvature = (
        _on_grid(spec, _revert(process, normals(bits, hours)))
        for process in (
            paths.log_vol,
            paths.basis_binance_bps,
            paths.basis_usdc_bps,
            paths.basis_hyperliquid_bps,
            paths.level,
            paths.slope,
            paths.curvature,
        )
    )
    vol = coin.vol * exp(log_vol)
    common = normals(streams(f"{spec.stream}/common/paths", 0), spec.points)
    own_shocks = normals(bits, spec.points)
    spot = _geometric(spec, paths, coin, vol, common, own_shocks)
    basis_usdt = 1e-4 * binance
    basis_hyperliquid = 1e-4 * hyperliquid
    rate_inverse = _held(spec, (level - slope) * INTERVAL_H / HOURS_A_YEAR, INTERVAL_H)
    return Path(
        times_ns=spec.start_ns + spec.grid_ns * np.arange(spec.points, dtype=np.int64),
        spot=spot,
        vol=vol,
        fx=fx,
        level=level,
        slope=slope,
        curvature=curvature,
        decay_ns=paths.curve_decay_d * NS_PER_DAY,
        basis_usdt=basis_usdt,
        basis_usdc=basis_usdt + 1e-4 * usdc,
        basis_hyperliquid=basis_hyperliquid,
        # the premium that pays this rate: beyond a dead band of d, crossed steeply where the rate changes sign
        basis_inverse=rate_inverse + DERIBIT_BAND * np.clip(rate_inverse / 1e-5, -1.0, 1.0),
        rate_binance=_held(spec, _with_interest(basis_usdt), INTERVAL_H),
        rate_hyperliquid=_held(spec, _with_interest(basis_hyperliquid) / INTERVAL_H, 1),
        rate_inverse=rate_inverse,
    )


def _hours(spec: SynthSpec) -> int:
    return spec.days * 24 + 1


def _revert(process: MeanReversion, shocks: FloatArray) -> FloatArray:
    """Return an Ornstein-Uhlenbeck path at whole hours, starting from its stationary law."""
    kept = float(exp(-LN2 / process.half_life_h))
    daily = math.prod([kept] * 24)
    stationary = process.daily_sd / np.sqrt(1.0 - daily * daily)
    step = stationary * np.sqrt(1.0 - kept * kept)
    out = np.empty(len(shocks))
    value = stationary * float(shocks[0])
    out[0] = value
    # one after another: a recursion in closed form would round differently
    for n, shock in enumerate((step * shocks[1:]).tolist(), 1):
        value = kept * value + shock
        out[n] = value
    return process.mean + out


def _on_grid(spec: SynthSpec, hourly: FloatArray) -> FloatArray:
    """Return hourly values on the grid, linear in between."""
    hours = np.arange(spec.points) * (spec.grid_ns / NS_PER_HOUR)
    result: FloatArray = np.interp(hours, np.arange(len(hourly)), hourly)
    return result


def _geometric(
    spec: SynthSpec, paths: PathSpec, coin: CoinSpec, vol: FloatArray, common_shocks: FloatArray, own_shocks: FloatArray
) -> FloatArray:
    years = spec.grid_ns / NS_PER_YEAR
    z = np.sqrt(paths.correlation) * common_shocks + np.sqrt(1.0 - paths.correlation) * own_shocks
    moves = vol * np.sqrt(years) * z - 0.5 * vol * vol * years
    # the path starts at the registered spot, not one step after it
    moves[0] = 0.0
    result: FloatArray = coin.spot_usd * exp(np.cumsum(moves))
    return result


def _with_interest(premium: FloatArray) -> FloatArray:
    """Return the rate per 8 h of a premium: p + clamp(0.01% - p, +-0.05%)."""
    result: FloatArray = premium + np.clip(INTEREST - premium, -CLAMP, CLAMP)
    return result


def _held(spec: SynthSpec, rate: FloatArray, hours: int) -> FloatArray:
    """Return the rate published at the start of each interval, constant to its end."""
    steps = hours * NS_PER_HOUR // spec.grid_ns
    return np.repeat(rate[::steps], steps)[: len(rate)]
