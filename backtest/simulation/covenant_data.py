"""The bars of a pair on one regular grid, from candle files or synthesised.  [covenants 9.1, 15.2]"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backtest.simulation.covenant_config import Study
from backtest.simulation.covenant_streams import normals
from engine.covenants.checks import check_pair
from engine.errors import DataError, MissingError, UsageError
from engine.exact.rounded import Floats
from engine.units import NS_PER_DAY, NS_PER_HOUR, NS_PER_SECOND


@dataclass(frozen=True)
class PairBars:
    """Bars of both legs, arrays (n,) at the times of their closes.

    Prices in USD, NaN where missing; volumes in USD of the bar; ``funding`` the 8 h rate settled at the bar (0 where
    none is), ``predicted`` the last settled rate; ``spot`` closes where files name them, else the perpetual's.
    """

    t_ns: NDArray[np.int64]
    price_a: Floats
    price_b: Floats
    volume_a: Floats
    volume_b: Floats
    funding_a: Floats
    funding_b: Floats
    predicted_a: Floats
    predicted_b: Floats
    spot_a: Floats
    spot_b: Floats
    synthetic: bool

    def index_at(self, t_ns: int) -> int:
        """Return the first bar that closes at or after ``t_ns``."""
        return int(np.searchsorted(self.t_ns, t_ns, side="left"))


def load_bars(study: Study, root: Path | None, lead_days: int = 130) -> PairBars:
    """Return the bars of ``study``'s window and of the ``lead_days`` before it, as far as the files reach back.

    Raises `UsageError` where no data root is given, `MissingError` for an unreadable file, `DataError` for prices out
    of order, a leg without prices, or fewer bars than warm-up and study need.
    """
    if study.kind == "synthetic":
        return _synthetic(study, lead_days)
    bar_ns = study.parameters.bar_min * 60 * NS_PER_SECOND
    folder = _known_root(root)
    marks = [_read(folder / name, bar_ns) for name in study.pair.mark]
    trades = [_read(folder / name, bar_ns) for name in (study.pair.trade or study.pair.mark)]
    spots = [_read(folder / name, bar_ns) for name in study.pair.spot]
    rates = [_rates(folder / name, bar_ns) for name in study.pair.funding]
    first = max(max(frame.index[0] for frame in marks), study.start_ns - lead_days * NS_PER_DAY)
    last = min(study.end_ns, min(frame.index[-1] for frame in marks))
    # Up to a whole bar: the files do not reach back to the one before it.
    first += -first % bar_ns
    t_ns = _grid(first, last, bar_ns)
    columns = [frame["close"].reindex(t_ns).to_numpy(np.float64) for frame in marks]
    # Before volumes and funding are read: without usable prices nothing else matters.
    check_pair(t_ns, columns[0], columns[1], study.parameters, 1.0)
    if study.start_ns >= last:
        raise DataError(
            f"covenants: expected bars in the window, the files end at {pd.Timestamp(last, tz='UTC')}: choose an "
            "earlier window or a longer file"
        )
    volumes = [(f["close"] * f["volume"]).reindex(t_ns).fillna(0.0).to_numpy(np.float64) for f in trades]
    settled, predicted = zip(*(_funding(rates[leg] if rates else None, t_ns) for leg in (0, 1)), strict=True)
    spot = [frame["close"].reindex(t_ns).ffill().to_numpy(np.float64) for frame in spots] or columns
    return PairBars(
        t_ns, columns[0], columns[1], volumes[0], volumes[1], settled[0], settled[1], predicted[0], predicted[1],
        spot[0], spot[1], synthetic=False,
    )  # fmt: skip


def read_source(root: Path | None, name: str) -> bytes:
    """Return the bytes of one of a study's files.  Raises `UsageError` without a root, `MissingError` if unreadable."""
    path = _known_root(root) / name
    try:
        return path.read_bytes()
    except OSError as problem:
        raise MissingError(f"expected candles at {path}, was: {problem}: check --data and the pair") from problem


def _known_root(root: Path | None) -> Path:
    if root is None:
        raise UsageError("expected the folder of market data: give --data DIR or set CME_DATA")
    return root


def _grid(first: int, last: int, step: int) -> NDArray[np.int64]:
    """Return first, first + step, ... up to ``last`` itself: a range in doubles would lose the last nanosecond."""
    return first + step * np.arange((last - first) // step + 1, dtype=np.int64)


def _read(path: Path, bar_ns: int) -> pd.DataFrame:
    """Return close and volume by closing time: files label a bar by its opening."""
    try:
        frame = pd.read_feather(path, columns=["date", "close", "volume"])
    except FileNotFoundError as problem:
        raise MissingError(f"expected candles at {path}, found none: check --data and the study's pair") from problem
    except (OSError, ValueError, KeyError) as problem:
        raise MissingError(f"expected candles (date, close, volume) at {path}, was: {problem}") from problem
    if frame.empty:
        raise DataError(f"{path}: expected bars, was an empty file: a pair needs both legs")
    opened = frame["date"].dt.as_unit("ns").astype("int64").to_numpy()
    late = np.flatnonzero(np.diff(opened) <= 0)
    if late.size:
        raise DataError(f"{path}: expected times in rising order, row {late[0] + 1} is not after the row before it")
    frame.index = pd.Index(opened + bar_ns)
    return frame


def _rates(path: Path, bar_ns: int) -> pd.Series:
    """Return the 8 h rate by its settlement time, moved to the close of the bar that ends there."""
    frame = _read(path, 0)
    try:
        rate = pd.read_feather(path, columns=["open"])["open"].to_numpy(np.float64)
    except (OSError, ValueError, KeyError) as problem:
        raise MissingError(f"expected funding rates in column open of {path}, was: {problem}") from problem
    # Venues stamp a settlement some milliseconds off the minute.
    rounded = (frame.index.to_numpy() + NS_PER_SECOND * 30) // (NS_PER_SECOND * 60) * (NS_PER_SECOND * 60)
    rounded = rounded + (-rounded) % bar_ns
    return pd.Series(rate, index=pd.Index(rounded))


def _funding(rates: pd.Series | None, t_ns: NDArray[np.int64]) -> tuple[Floats, Floats]:
    if rates is None:
        return np.zeros(t_ns.size), np.zeros(t_ns.size)
    # Two settlements may end in one bar: the later one is the rate from then on.
    known = rates[~rates.index.duplicated(keep="last")]
    settled = known.reindex(t_ns)
    return settled.fillna(0.0).to_numpy(np.float64), settled.ffill().fillna(0.0).to_numpy(np.float64)


def _synthetic(study: Study, lead_days: int) -> PairBars:
    """Return synthetic bars: a common and an own factor with stochastic volatility; a decorrelation each quarter."""
    bar_ns = study.parameters.bar_min * 60 * NS_PER_SECOND
    t_ns = _grid(study.start_ns - lead_days * NS_PER_DAY, study.end_ns, bar_ns)
    n, bar_year = t_ns.size, 365.0 * NS_PER_DAY / bar_ns
    common, own_a, own_b, swing = (normals(study.seed_text, f"covenants/synthetic/{name}", n) for name in (
        "common", "own_a", "own_b", "swing"))  # fmt: skip
    keep = 1.0 - 4.0 / n**0.5 / 10.0
    level = np.array(_ar1(swing, keep))
    scale = 0.55 / np.sqrt(bar_year) * np.exp(0.6 * level)
    quarter = (np.arange(n) * bar_ns) % (91 * NS_PER_DAY)
    # A week of broken correlation each quarter.
    rho = np.where(quarter > 84 * NS_PER_DAY, 0.3, 0.85)
    mix = np.sqrt(rho)
    a = 40_000.0 * np.exp(np.cumsum(scale * (mix * common + np.sqrt(1 - rho) * own_a)))
    b = 2_500.0 * np.exp(np.cumsum(1.2 * scale * (mix * common + np.sqrt(1 - rho) * own_b)))
    at_funding = (t_ns % (8 * NS_PER_HOUR) == 0).astype(float)
    rate = 0.0001 + 0.0002 * np.maximum(level, 0.0)
    last = np.asarray(pd.Series(np.where(at_funding > 0, rate, np.nan)).ffill().fillna(0.0001), dtype=np.float64)
    deep = np.full(n, 5e8 * bar_ns / NS_PER_HOUR)
    settled = rate * at_funding
    return PairBars(t_ns, a, b, deep, deep / 2, settled, settled, last, last, a, b, synthetic=True)


def _ar1(shocks: Floats, keep: float) -> list[float]:
    """Return a stationary autoregression of unit variance."""
    out, x, scale = [], 0.0, (1.0 - keep * keep) ** 0.5
    for shock in shocks.tolist():
        x = keep * x + scale * shock
        out.append(x)
    return out
