"""Is C5's package free of the coin on real curves, and does it earn what the score says?  [S2.C5, decision 0496]

    python benchmarks/curve_trade.py DATA

DATA is the folder of real data: Deribit's option snapshots every six hours (each option row has a future's mark)
and Binance's settled funding (the node at tenor 0).  Marks are not executable, the perp leg is priced at the index, and
no cost is charged: the table says what the package is exposed to, not what it would have earned.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from engine.constraints.curve_package import package_weights
from engine.exact.jacobi import principal_components
from engine.market.curve import (
    Nodes,
    at_knots,
    changes_sign,
    constant_maturities,
    fit_curve,
    knots_of,
    rolling_score,
    scores,
)
from engine.params import Curve, CurveFit
from engine.records import CurveHistory, FloatArray
from engine.units import NS_PER_DAY, NS_PER_HOUR

COINS = ("BTC", "ETH")
REFIT_DAYS = 1
"""A fit a day, on all curves before it."""
REGISTERED = Curve(
    perp="", futures_venue="deribit", perp_average_ns=8 * NS_PER_HOUR, tenor_days=(7.0, 30.0, 60.0, 90.0, 180.0),
    belly_days=60.0, wing_days=(7.0, 180.0), z_window_days=60, min_curves=60,
)  # fmt: skip
LIFE_NS = 72 * NS_PER_HOUR


@dataclass
class Market:
    """One coin: the index and the premium over it of each listed future, by snapshot."""

    t_ns: np.ndarray  # [T]
    index: FloatArray  # [T] USD
    expiry_ns: np.ndarray  # [J] ascending
    premium: FloatArray  # [T, J] F/S - 1, NaN where not listed
    funding: FloatArray  # [T] mean of the settled rates of the last eight hours, per eight hours


def read(data: Path, coin: str) -> Market:
    """Return the futures' marks in the option snapshots of ``data``, and Binance's funding known at each."""
    marks: dict[int, dict[int, float]] = {}
    index: dict[int, float] = {}
    for path in sorted((data / "deribit-options-6h").glob("*snapshot*.csv.gz")):
        columns = ["timestamp", "underlying", "underlying_name", "currency", "expiry_datetime", "index_price"]
        rows = pd.read_csv(path, usecols=columns)
        rows = rows[rows["currency"] == coin]
        if rows.empty:
            continue
        t_ns = pd.Timestamp(rows["timestamp"].iloc[0]).value
        listed = rows[~rows["underlying_name"].str.startswith("SYN.")].drop_duplicates("underlying_name")
        expiry = pd.to_datetime(listed["expiry_datetime"]).dt.as_unit("ns").astype("int64")
        marks[t_ns] = dict(zip(expiry.tolist(), listed["underlying"].tolist(), strict=True))
        # the first row's: later rows are asked for minutes after the marks
        index[t_ns] = float(rows["index_price"].iloc[0])
    times = np.array(sorted(marks), dtype=np.int64)
    expiries = np.array(sorted({e for shown in marks.values() for e in shown}), dtype=np.int64)
    spot = np.array([index[t] for t in times.tolist()])
    price = np.array([[marks[t].get(e, np.nan) for e in expiries.tolist()] for t in times.tolist()])
    paid = pd.read_feather(data / "binance-1h-2018-2026" / f"{coin}_USDT_USDT-1h-funding_rate.feather")
    settled_ns = paid["date"].dt.as_unit("ns").astype("int64").to_numpy()
    last = np.searchsorted(settled_ns, times, side="right") - 1
    return Market(times, spot, expiries, price / spot[:, None] - 1.0, paid["open"].to_numpy()[last])


def curves_of(market: Market) -> FloatArray:
    """Return the curve at the registered tenors, ``[T, 5]``."""
    left = market.expiry_ns[None, :] - market.t_ns[:, None]
    years = np.where(left > 0, left / (365 * NS_PER_DAY), np.nan)
    tenor = np.concatenate([np.zeros((len(left), 1)), left / NS_PER_DAY], axis=1)
    rate = np.concatenate([market.funding[:, None] * 3 * 365, market.premium / years], axis=1)
    return constant_maturities(Nodes(np.arange(len(market.expiry_ns)), tenor, rate), REGISTERED.tenor_days)


def history_of(market: Market, curve: FloatArray) -> CurveHistory:
    """Return the first complete curve of each day."""
    day, first = np.unique(market.t_ns // NS_PER_DAY, return_index=True)
    whole = ~np.isnan(curve[first]).any(axis=1)
    return CurveHistory(day[whole], curve[first][whole])


def trade(market: Market, curve: FloatArray, history: CurveHistory, t: int, fit: CurveFit) -> dict[str, float] | None:
    """Return the package of snapshot ``t`` and its result over 72 hours; None where a leg or the past is lacking."""
    days = (market.expiry_ns - market.t_ns[t]) / NS_PER_DAY
    listed = np.where((days > 0) & ~np.isnan(market.premium[t]), days, np.inf)
    picks = [int(np.abs(listed - d).argmin()) for d in (REGISTERED.wing_days[0], 60.0, REGISTERED.wing_days[1])]
    later = int(np.searchsorted(market.t_ns, market.t_ns[t] + LIFE_NS))
    centre, spread = rolling_score(history, fit, REGISTERED, int(market.t_ns[t] // NS_PER_DAY))
    if len(set(picks)) < 3 or later >= len(market.t_ns) or np.isnan(centre) or np.isnan(curve[t]).any():
        return None
    end = market.premium[later, picks]
    if np.isnan(end).any() or market.t_ns[later] > market.t_ns[t] + LIFE_NS + 12 * NS_PER_HOUR:
        return None
    knots = knots_of(REGISTERED.tenor_days, days[picks])
    v1, v2, v3 = (at_knots(loading, knots) for loading in fit.loadings)
    years, premium = days[picks] / 365.0, market.premium[t, picks]
    level, slopes, humps = (years * v for v in (v1, v2, v3))
    (weight,) = package_weights(level[None], slopes[None], humps[None], premium[None])
    c1, c2, c3 = (float(scores(curve[t : t + 1], fit.mean, loading)[0]) for loading in fit.loadings)
    z = (c3 - centre) / spread
    side = 1.0 if z >= 0 else -1.0
    fitted = at_knots(fit.mean, knots) + c1 * v1 + c2 * v2 + centre * v3
    coin = float(market.index[later] / market.index[t] - 1.0)
    # F_i(end) / S(start) - F_i(start) / S(start), futures and perp
    moved = np.append((1.0 + end) * (1.0 + coin) - (1.0 + premium), coin)
    return {
        "t": t,
        "z": z,
        "coin": coin,
        "result": side * float(weight @ moved),
        "old": side * float(_old_weights(v1, v2) @ moved[:3]),
        "score_bps": 1e4 * abs(c3 - centre) * abs(float((weight[:3] * years * v3).sum())),
        "residual_bps": -1e4 * side * float((weight[:3] * years * (premium / years - fitted)).sum()),
        "net_coin": float((weight[:3] * (1.0 + premium)).sum() + weight[3]),
        **{f"w{n}": float(w) for n, w in enumerate(weight)},
    }


def _old_weights(v1: FloatArray, v2: FloatArray) -> FloatArray:
    """The weights before amendment 0003: three futures, orthogonal to the loadings of yields."""
    raw = np.cross(v1, v2)
    result: FloatArray = raw * (-2.0 * np.sign(raw[1]) / np.abs(raw).sum())
    return result


def apart(market: Market, table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows whose 72 hours do not overlap, the first of each."""
    kept, free_ns = [], 0
    for number, t in enumerate(table["t"].tolist()):
        if market.t_ns[int(t)] >= free_ns:
            kept.append(number)
            free_ns = int(market.t_ns[int(t)]) + LIFE_NS
    return table.iloc[kept]


def slope(rows: pd.DataFrame, column: str) -> tuple[float, float, float]:
    """Return slope, standard error and correlation of a result on the coin's move, over windows that do not overlap."""
    x, y = rows["coin"].to_numpy(), rows[column].to_numpy()
    x, y = x - x.mean(), y - y.mean()
    beta = float(x @ y / (x @ x))
    error = y - beta * x
    return beta, float(np.sqrt(error @ error / (len(x) - 2) / (x @ x))), float(np.corrcoef(x, y)[0, 1])


def named(loadings: tuple[tuple[float, ...], ...]) -> bool:
    """Return whether three factors have the signs of level, slope and curvature, and no tenor is the level alone."""
    size = [abs(x) for x in loadings[0]]
    level = changes_sign(loadings[0]) == 0 and max(size) <= 3.0 * min(size)
    return level and changes_sign(loadings[1]) == 1 and changes_sign(loadings[2]) == 2


def main(data: Path) -> None:
    """Print the acceptance of C5's trade by coin, as Markdown."""
    for coin in COINS:
        market = read(data, coin)
        curve = curves_of(market)
        history = history_of(market, curve)
        day = market.t_ns // NS_PER_DAY
        rows, fits, identified = [], 0, 0
        names = {"yields": 0, "money": 0}
        for cut in np.unique(day).tolist()[::REFIT_DAYS]:
            train = CurveHistory(history.day[history.day < cut], history.curve[history.day < cut])
            fit = fit_curve(train, REGISTERED, fold=0, z_threshold=2.0)
            if len(train.day) < REGISTERED.min_curves:
                continue
            fits += 1
            names["yields"] += bool(fit.loadings) and named(fit.loadings)
            money = train.curve * (np.array(REGISTERED.tenor_days) / 365.0)
            names["money"] += named(tuple(map(tuple, principal_components(money.tolist())[1][:3])))
            identified += fit.identified
            if fit.identified:
                rows += [trade(market, curve, history, int(t), fit) for t in np.flatnonzero(day == cut)]
        table = pd.DataFrame([row for row in rows if row])
        seen = f"{len(market.t_ns)} snapshots, {len(history.day)} curves"
        print(f"\n## {coin}: {seen}, {fits} fits, {identified} identified")
        print(f"signs of level, slope, curvature: yields {names['yields']}, tau y {names['money']} of {fits} fits")
        if table.empty:
            continue
        windows = apart(market, table)
        print(
            "mean weights near, belly, far, perp:",
            json.dumps([round(float(table[f"w{n}"].mean()), 2) for n in range(4)]),
        )
        print(f"largest net coin of the weights: {table['net_coin'].abs().max():.1e}")
        for column, label in (("result", "four legs"), ("old", "three futures, before amendment 0003")):
            beta, error, correlation = slope(windows, column)
            print(
                f"{label}: slope of the 72-hour result on the coin {beta:+.4f} (se {error:.4f}, "
                f"{len(windows)} windows), correlation {correlation:+.3f}"
            )
        wide = table[table["z"].abs() >= 2.0]
        positive = wide["residual_bps"] > 0
        print(f"|z| >= 2: {len(wide)} snapshots, residual_bps > 0 in {int(positive.sum())}")
        for word, part in (("residual > 0", wide[positive]), ("residual <= 0", wide[~positive])):
            if len(part):
                print(
                    f"  {word}: mean result {1e4 * part['result'].mean():+.1f} bps, "
                    f"score {part['score_bps'].mean():.1f} bps, residual {part['residual_bps'].mean():+.1f} bps"
                )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
