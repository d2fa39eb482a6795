"""The headline figures of a covenant study: sigma, breach shares, drift alarms, time in MANUAL.  [covenants 14]"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from backtest.simulation.covenant_data import PairBars
from backtest.simulation.covenant_signals import Signals, episodes
from engine.covenants.base import Mode
from engine.covenants.drift_monitor import literal_alarm
from engine.covenants.leverage_cap import margin_shortfall
from engine.covenants.parameter_engine import unscaled_band
from engine.covenants.spread_band import breaks, published
from engine.exact.rounded import Floats


def headline(s: Signals) -> dict[str, float]:
    """Return the figures over the bars of the study.

    ``breach_share_literal_lagged`` and the drift alarm are of the literal reading whatever the study's own; shares are
    of bars with a spread.
    """
    m, part = s.measures, slice(s.first, None)
    p = replace(s.p, reading="literal", zeta=1.0)
    band = published(unscaled_band(m, p))
    size = np.abs(m.spread)
    known = np.isfinite(size[part])
    # The band in force is that of the bar before; the first bar has none.
    in_force = np.concatenate(([np.nan], band[:-1]))
    sigma = m.sigma[part][np.isfinite(m.sigma[part])]

    def share(flags: np.ndarray) -> float:
        return float(np.mean(flags[part][known]))

    return {
        "bars": float(np.count_nonzero(known)),
        "sigma_pp_min": float(sigma.min()),
        "sigma_pp_median": float(np.median(sigma)),
        "sigma_pp_max": float(sigma.max()),
        "rho_min": float(np.nanmin(m.rho[part])),
        "rho_median": float(np.nanmedian(m.rho[part])),
        "breach_share_literal_lagged": share(breaks(size, band, "lagged")),
        "breach_share_literal_same_bar": share(breaks(size, band, "same_bar")),
        "breach_share_fixed": share(size > p.sb_0_pp),
        "drift_alarm_share_literal": share(literal_alarm(in_force, size, p.drift_pp)),
        "manual_share": float(np.mean(s.machine.mode[part] == Mode.MANUAL)),
        "live_share": float(np.mean(s.machine.mode[part] == Mode.LIVE)),
        "breach_share_in_force": share(size > s.in_force),
        "breaches": float(len(episodes(s))),
        "reallocations": float(np.count_nonzero(s.machine.executes[part])),
        "leverage_cap_min": float(s.caps[part].min()),
        "leverage_cap_median": float(np.median(s.caps[part])),
        "margin_shortfall_share": margin_shortfall(s.caps[part], _tail(s)[part]),
    }


def _tail(s: Signals) -> Floats:
    """Return a normal-theory ES at 99.5% of the riskier leg over one bar or five minutes: the cap's margin test."""
    horizon = max(5, s.p.bar_min) / (365.0 * 1440.0)
    # phi(2.576) / 0.005: the expected shortfall of a standard normal at 99.5%.
    return 2.892 * s.measures.volatility * float(np.sqrt(horizon))


def signals_table(s: Signals, bars: PairBars) -> pd.DataFrame:
    """Return a row a bar of the study: prices, spread, sigma, rho, coefficients, band, cap, state, reallocation."""
    m, part = s.measures, slice(s.first, None)
    return pd.DataFrame({
        "t_ns": m.t_ns[part], "price_a": bars.price_a[part], "price_b": bars.price_b[part],
        "spread_pp": m.spread[part], "sigma_pp": m.sigma[part], "rho": m.rho[part], "alpha": m.alpha[part],
        "beta": m.beta[part], "raw_band_pp": s.raw_band[part], "band_pp": s.machine.band_pp[part],
        "in_force_pp": s.in_force[part], "leverage_cap": s.caps[part], "volatility": m.volatility[part],
        "mode": s.machine.mode[part], "reallocates": s.machine.executes[part],
    })  # fmt: skip


def fits_table(s: Signals) -> pd.DataFrame:
    """Return a row a block of the parameter engine: its first bar and what was fitted before it."""
    return pd.DataFrame([
        {"block_ns": int(s.measures.t_ns[begin]), "zeta": f.zeta, "reference_volatility": f.reference_volatility,
         "funding_spike": f.funding_spike}
        for begin, f in s.fits
    ])  # fmt: skip
