"""How far from the settlement price is the first index after an expiry?  [venues V2, decision 0510]

    python benchmarks/venue_delivery.py DATA

DATA is the folder of real data.  Five-minute closes of Binance spot and minutes of its perps stand in for the index:
each day at 08:00 UTC the mean over the half hour (and the hour) before is set against the first price at or after it,
on the times themselves and every six hours.  The last lines say how the expiries listed in Deribit's stored option
chains settle by the rule: by a stored price, by the mean of index rows inside the window, or by neither.
"""

from __future__ import annotations

import gzip
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from engine.market.delivery import index_mean
from engine.records import FloatArray, IntArray
from engine.units import BPS, NS_PER_DAY, NS_PER_HOUR

MINUTE_NS = NS_PER_HOUR // 60
COINS = ("BTC", "ETH")


SERIES = (
    ("spot 5 min", "binance-spot-5m-2025h1/{}_USDT-5m.feather", 5),
    ("perp 1 min", "venue-binance-perp-1m-2025/{}_USDT_USDT-1m-futures.feather", 1),
)


def closes(path: Path, bar_min: int) -> tuple[IntArray, FloatArray]:
    """Return close times (ns) and closes of stored bars."""
    bars = pd.read_feather(path)
    opened = bars["date"].to_numpy("datetime64[ns]").astype(np.int64)
    return opened + bar_min * MINUTE_NS, bars["close"].to_numpy(np.float64)


def errors(t_ns: IntArray, price: FloatArray, grid: IntArray, window_ns: int) -> FloatArray:
    """Return, for each 08:00 UTC with a mean, the bps by which the price at the first grid time after is off, in size.

    ``grid`` are the times at which a price is read: at each the last one known.
    """
    off = []
    for day in range(int(t_ns[0] // NS_PER_DAY) + 1, int(t_ns[-1] // NS_PER_DAY)):
        expiry = day * NS_PER_DAY + 8 * NS_PER_HOUR
        mean, at = index_mean(t_ns, price, expiry, window_ns), int(np.searchsorted(grid, expiry))
        if mean == mean and at < len(grid) and grid[at] <= t_ns[-1]:
            off.append(abs(price[int(np.searchsorted(t_ns, grid[at], side="right")) - 1] / mean - 1.0) * BPS)
    return np.array(off)


def chains(data: Path, coin: str) -> tuple[IntArray, set[int]]:
    """Return the snapshot times of the stored chains of ``coin`` and the expiries among them that they outlast."""
    times, expiries = set(), set()
    for path in sorted((data / "deribit-options-6h").glob(f"*{coin}*snapshot*.csv.gz")) or sorted(
        (data / "deribit-options-6h").glob("*snapshot*.csv.gz")
    ):
        with gzip.open(path, "rt") as file:
            frame = pd.read_csv(file, usecols=["timestamp", "expiry_datetime", "currency"])
        frame = frame[frame["currency"] == coin]
        times.update(_ns(frame["timestamp"]))
        expiries.update(_ns(frame["expiry_datetime"]))
    ordered = np.array(sorted(times), dtype=np.int64)
    return ordered, {expiry for expiry in expiries if ordered[0] < expiry <= ordered[-1]}


def _ns(column: pd.Series) -> set[int]:
    times = pd.to_datetime(column.drop_duplicates(), utc=True).dt.tz_localize(None)
    return set(times.to_numpy("datetime64[ns]").astype(np.int64).tolist())


def _line(name: str, off: FloatArray) -> str:
    median, p90 = np.quantile(off, [0.5, 0.9])
    return f"{name:<42}{len(off):>6}{median:>9.1f}{p90:>9.1f}{off.max():>9.1f}"


def main() -> None:
    """Print the tables."""
    data = Path(sys.argv[1])
    print(f"{'first price after, against':<42}{'days':>6}{'median':>9}{'p90':>9}{'max':>9}  bps")
    for name, path, bar_min in SERIES:
        for coin in COINS:
            t_ns, price = closes(data / path.format(coin), bar_min)
            since = t_ns[0] // NS_PER_DAY * NS_PER_DAY
            for window_min in (30, 60):
                window_ns, what = window_min * MINUTE_NS, f"{coin} {name}, mean of {window_min} min"
                print(_line(what, errors(t_ns, price, t_ns, window_ns)))
                # The snapshots come at any time: every hour of the six in turn.
                off = [
                    errors(t_ns, price, np.arange(since + offset * NS_PER_HOUR, t_ns[-1], 6 * NS_PER_HOUR), window_ns)
                    for offset in range(6)
                ]
                print(_line(f"{what}, six-hourly", np.concatenate(off)))
    for coin in COINS:
        times, expiries = chains(data, coin)
        ways: Counter[str] = Counter()
        for expiry in sorted(expiries):
            # One index a snapshot: whatever it is, its time is what counts.
            mean = index_mean(times, np.ones(len(times)), expiry, NS_PER_HOUR // 2)
            ways["mean" if mean == mean else "gap"] += 1
        inside = sum(int(np.sum((times > e - NS_PER_HOUR // 2) & (times <= e))) for e in expiries)
        print(
            f"{coin}: {len(times)} snapshots, {len(expiries)} expiries among them: venue 0, mean {ways['mean']}, gap "
            f"{ways['gap']}; snapshots inside a window: {inside}"
        )


if __name__ == "__main__":
    main()
