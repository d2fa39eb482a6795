"""The framework's remaining claims, each as a measurement on the bars of a study.  [covenants 10]"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression

from backtest.simulation.covenant_accounts import run_accounts
from backtest.simulation.covenant_config import Study
from backtest.simulation.covenant_data import PairBars
from backtest.simulation.covenant_records import Track
from backtest.simulation.covenant_signals import Signals, episodes, signals
from backtest.simulation.covenant_streams import normals
from backtest.simulation.covenant_variants import Variant, orders_of, plain_orders, with_depth
from engine.covenants.drift_monitor import calibrated_alarm, windows_max
from engine.covenants.parameter_engine import blocks
from engine.exact.rounded import Floats

NOISE_BPS = 100.0
"""Noise added to A's closes for the thin pair: synthetic, no thin pair is stored."""


def ahead_max(size: Floats, bars: int) -> Floats:
    """Return max |S| over the next ``bars`` bars, shape (n,); NaN at the end and where a bar is missing."""
    out = np.full(size.size, np.nan)
    # From the next bar on: the forecast is made at the close of this one.
    stack = np.stack([size[k : size.size - bars + k] for k in range(1, bars + 1)])
    out[: size.size - bars] = stack.max(axis=0)
    return out


def horizon_bars(bar_min: int) -> int:
    """Return the bars of "the next 15 minutes": 15, or two bars where bars are coarser.  [covenants 15.1]"""
    return max(15 // bar_min, 2)


def measure_claims(study: Study, bars: PairBars, s: Signals) -> dict[str, Any]:
    """Return the measurements of section 10 by name; each holds plain numbers and says what they are."""
    return {
        "spread_control": _spread_control(study, bars, s),
        "breach_prediction": _prediction(s),
        "automation": _automation(s),
        "tightening": {
            rule: _slope(_with_alpha(bars, s, rule)) for rule in ("0.3", "0.5", "0.7", "u_shaped", "monotone")
        },
        "drift_calibrated": _drift(s),
        "writes": _writes(s),
        "depth": {str(share): _depth(study, bars, s, share) for share in (1.0, 0.5, 0.1, 0.001)},
        "thin_pair": _thin(study.seed_text, bars, s),
    }


def _spread_control(study: Study, bars: PairBars, s: Signals) -> dict[str, float]:
    """Share of exposure, and mean excess, while |S| is beyond 2.5 pp: standard against covenanted account."""
    track = Track.of(bars, s.measures.spread, s.first, bars.t_ns.size)
    days = track.days
    size = np.nan_to_num(np.abs(s.measures.spread[s.first :]))
    excess = np.maximum(size - 2.5, 0.0)
    shares: dict[str, float] = {"time_share": float(np.mean(excess > 0))}
    main = Variant("b", s.p, study.accounts.leverage)
    standard = plain_orders(np.full((days, 1), study.accounts.leverage), np.array([-1.0]))
    for name, orders in (("a", standard), ("b", orders_of([(main, s)], track, s.first))):
        record: list[Floats] = []
        run_accounts(track, orders, study.accounts, s.p, record=record)
        lever = np.array(record)[:, 0]
        shares[f"exposure_share_{name}"] = float(np.sum(lever * (excess > 0)) / np.sum(lever))
        shares[f"mean_excess_pp_{name}"] = float(np.sum(lever * excess) / np.sum(lever))
    return shares


def _prediction(s: Signals) -> dict[str, Any]:
    """Brier score of a logistic forecast of a breach in the next bars, fitted block by block, against climatology."""
    m, ahead = s.measures, horizon_bars(s.p.bar_min)
    breach = np.abs(m.spread) > s.in_force
    target = ahead_max(breach.astype(np.float64), ahead)
    features = np.column_stack((np.abs(m.spread) / s.in_force, np.log(m.sigma), np.log(m.volatility), m.rho))
    usable = np.isfinite(features).all(axis=1) & np.isfinite(target)
    try:
        plan = blocks(target.size, s.first, s.p)
    except ValueError:
        return {"blocks": 0.0}
    errors, base, truth, forecast = [], [], [], []
    for train, until, begin, end in plan:
        fit, test = (usable & _between(target.size, *span) for span in ((train, until), (begin, end)))
        # A logistic fit needs both outcomes, and an empty block has no score.
        if len(set(target[fit].tolist())) < 2 or not test.any():
            continue
        with warnings.catch_warnings():
            # A fit that has not converged is judged by its score, like any other.
            warnings.simplefilter("ignore")
            model = LogisticRegression(max_iter=200).fit(features[fit], target[fit])
        p = model.predict_proba(features[test])[:, 1]
        errors.append((p - target[test]) ** 2)
        # Climatology is the frequency of the training days; that of the block itself is not known before it.
        base.append((target[fit].mean() - target[test]) ** 2)
        truth.append(target[test])
        forecast.append(p)
    said, came = np.concatenate(forecast), np.concatenate(truth)
    brier, climate = float(np.mean(np.concatenate(errors))), float(np.mean(np.concatenate(base)))
    return {
        "blocks": float(len(errors)), "brier": brier, "brier_climatology": climate, "skill": 1.0 - brier / climate,
        "mean_forecast": float(np.mean(said)), "frequency": float(np.mean(came)),
        "reliability": _reliability(said, came),
    }  # fmt: skip


def _reliability(forecast: Floats, truth: Floats) -> list[dict[str, float]]:
    """Return count, mean forecast and frequency of what came, by fifths of the range of a probability."""
    fifth = np.minimum((forecast * 5.0).astype(np.int64), 4)
    return [
        {
            "bars": float(np.count_nonzero(fifth == k)), "forecast": float(np.mean(forecast[fifth == k])),
            "frequency": float(np.mean(truth[fifth == k])),
        }
        for k in range(5)
        if (fifth == k).any()
    ]  # fmt: skip


def _between(n: int, begin: int, end: int) -> NDArray[np.bool_]:
    position = np.arange(n)
    return (position >= begin) & (position < end)


def _automation(s: Signals) -> dict[str, float]:
    """Share of breaches that end without MANUAL, and the median minutes of those from onset to hysteresis."""
    breaches = episodes(s)
    alone = [e for e in breaches if not e.manual]
    minutes = [float((e.end - e.begin) * s.p.bar_min) for e in alone]
    return {
        "breaches": float(len(breaches)),
        "share_without_manual": len(alone) / len(breaches) if breaches else float("nan"),
        "median_minutes": float(np.median(minutes)) if minutes else float("nan"),
    }


def _with_alpha(bars: PairBars, s: Signals, rule: str) -> Signals:
    constant = rule[0].isdigit()
    p = replace(s.p, alpha_rule="constant", alpha=float(rule)) if constant else replace(s.p, alpha_rule=rule)  # type: ignore[arg-type]
    return signals(bars, p, s.first)


def _slope(s: Signals) -> dict[str, Any]:
    """Breach frequency by quintile of volatility, and its slope a quintile with a 95% interval over 90-day windows."""
    m = s.measures
    breach, v = (np.abs(m.spread) > s.in_force)[s.first :], m.volatility[s.first :]
    edges = np.nanquantile(v, [0.2, 0.4, 0.6, 0.8])
    quintile = np.searchsorted(edges, v)
    shares = [float(np.mean(breach[quintile == k])) for k in range(5)]
    window = 90 * 1440 // s.p.bar_min
    slopes = []
    for begin in range(0, v.size - window + 1, window):
        part = slice(begin, begin + window)
        if len(set(quintile[part].tolist())) > 1:
            slopes.append(float(np.polyfit(quintile[part], breach[part].astype(float), 1)[0]))
    # Two windows leave one degree of freedom for the standard error.
    if len(slopes) < 3:
        return {"by_quintile": shares}
    mean, error = float(np.mean(slopes)), float(np.std(slopes, ddof=1) / np.sqrt(len(slopes)))
    return {"by_quintile": shares, "slope": mean, "low": mean - 1.96 * error, "high": mean + 1.96 * error}


def _drift(s: Signals) -> dict[str, float]:
    """Share of blocks in which the calibrated monitor alarms, its training share from the bars before the study."""
    ahead = horizon_bars(s.p.bar_min)
    size = np.abs(s.measures.spread)
    highest = windows_max(size, ahead)
    # The band at the start of each window: the one published before it.
    band = s.in_force[::ahead][: highest.size]
    before = s.first // ahead
    train = float(np.mean(highest[before // 2 : before] > band[before // 2 : before]))
    alarms = calibrated_alarm(band, highest, train, max(1, 1440 // (ahead * s.p.bar_min)), s.p.drift_pp)
    return {"alarm_share": float(np.mean(alarms[before:])), "training_share": train}


def _writes(s: Signals) -> dict[str, float]:
    """Parameter writes a day: bands and caps that differ from those before; a static design writes none."""
    days = (s.machine.mode.size - s.first) * s.p.bar_min / 1440.0
    bands, caps = s.machine.band_pp[s.first :], s.caps[s.first :]
    return {
        "bands": float(np.count_nonzero(np.diff(bands)) / days),
        "caps": float(np.count_nonzero(np.diff(caps)) / days),
    }


def _depth(study: Study, bars: PairBars, s: Signals, share: float) -> dict[str, float]:
    """Reallocations, fills, money moved and end of the covenanted account at a share of the registered depth."""
    track = Track.of(bars, s.measures.spread, s.first, bars.t_ns.size)
    orders = orders_of([(Variant("b", s.p, study.accounts.leverage), s)], track, s.first)
    result = run_accounts(track, orders, with_depth(study.accounts, share), s.p)
    return {
        "reallocations": float(result.reallocations[0]),
        # Of all that reallocations ordered: what was filled, and what stayed for people.
        "fill_fraction": float(result.reduced_usd[0] / max(result.ordered_usd[0], 1e-9)),
        "residual": float((result.ordered_usd[0] - result.reduced_usd[0]) / study.accounts.capital_usd),
        "transfers": float(result.transfers_usd[0] / study.accounts.capital_usd),
        "final": float(result.equity[-1, 0] / study.accounts.capital_usd),
    }


def _thin(root_text: str, bars: PairBars, s: Signals) -> dict[str, float]:
    """What 100 bps of noise in A's closes does: spread of sigma over time, and breaches that the clean pair has not."""
    noise = normals(root_text, "covenants/thin", bars.price_a.size) * NOISE_BPS / 1e4
    noisy = replace(bars, price_a=bars.price_a * np.exp(noise))
    thin = signals(noisy, s.p, s.first)
    part = slice(s.first, None)
    clean_breach = (np.abs(s.measures.spread) > s.in_force)[part]
    thin_breach = (np.abs(thin.measures.spread) > thin.in_force)[part]
    return {
        "sd_of_sigma": float(np.nanstd(s.measures.sigma[part])),
        "sd_of_sigma_noisy": float(np.nanstd(thin.measures.sigma[part])),
        "false_breach_share": float(np.mean(thin_breach & ~clean_breach)),
        "rho_median_noisy": float(np.nanmedian(thin.measures.rho[part])),
    }  # fmt: skip
