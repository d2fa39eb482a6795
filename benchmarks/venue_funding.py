"""What was expected of funding, and what was paid?  [venues V3, decision 0511]

    python benchmarks/venue_funding.py DATA

DATA is the folder of real data.  The first table has what Deribit's perpetual costs a day by its rate of the instant
and by what eight hours cost.  The second takes each hour of Hyperliquid's settlements: the funding of the next day as
expected by the last settlement (before) and by the mean of the last eight hours (after), where that is over 60 bps in
size, and the share of it that the next 24 settlements paid.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from backtest.data.panels.funding import settled_mean
from engine.records import FloatArray, IntArray
from engine.units import BPS, NS_PER_HOUR

DAY_H, OVER_BPS = 24, 60.0


def deribit(data: Path) -> None:
    """Print what a day costs by both rates of each stored workbook."""
    print(f"{'Deribit BTC-PERPETUAL':<26}{'current_funding':>17}{'funding_8h':>12}  bps a day")
    for path in sorted((data / "deribit-btc-daily-xlsx").glob("*.xlsx")):
        sheet = pd.read_excel(path, sheet_name="futures_raw", engine="openpyxl")
        row = sheet[sheet["instrument_name"] == "BTC-PERPETUAL"].iloc[0]
        at = np.datetime64(int(row["timestamp"]), "ms").astype("datetime64[m]")
        now, eight = (3.0 * BPS * float(row[name]) for name in ("current_funding", "funding_8h"))
        print(f"{at!s:<26}{now:>17.2f}{eight:>12.2f}")


def hourly(path: Path) -> tuple[IntArray, FloatArray]:
    """Return the times (ns) and rates of stored hourly settlements."""
    frame = pd.read_feather(path).sort_values("date")
    t_ns = frame["date"].to_numpy("datetime64[ns]").astype(np.int64) // NS_PER_HOUR * NS_PER_HOUR
    keep = t_ns >= np.datetime64("2023-06-08T01:00", "ns").astype(np.int64)
    return t_ns[keep], frame["open"].to_numpy(np.float64)[keep]


def hyperliquid(data: Path, coin: str) -> None:
    """Print how much of the estimates over 60 bps a day was paid, before and after."""
    (path,) = (data / "hyperliquid-candles-funding").glob(f"*{coin}*funding*.feather")
    t_ns, rate = hourly(path)
    mean = settled_mean(t_ns, np.zeros(len(t_ns), np.int64), rate, t_ns, np.array([NS_PER_HOUR]))[:, 0]
    sums = np.append(0.0, np.cumsum(rate))
    last = np.arange(len(rate) - DAY_H)
    whole = t_ns[last + DAY_H] - t_ns[last] == DAY_H * NS_PER_HOUR
    paid = BPS * (sums[last + DAY_H + 1] - sums[last + 1])
    for name, used in (("last settlement", rate[last]), ("mean of eight hours", mean[last])):
        expected = BPS * DAY_H * used
        over = whole & (np.abs(expected) > OVER_BPS)
        error = expected[whole] - paid[whole]
        error = error[np.isfinite(error)]
        share = f"{100 * paid[over].sum() / expected[over].sum():.0f}%" if over.any() else "none"
        print(
            f"{coin}, {name:<22}{int(over.sum()):>8}{share:>8}{np.median(np.abs(error)):>12.2f}"
            f"{np.quantile(np.abs(error), 0.99):>10.2f}"
        )


def main() -> None:
    """Print both tables."""
    data = Path(sys.argv[1])
    deribit(data)
    print(f"\n{'Hyperliquid, a day ahead by':<27}{'> 60 bps':>8}{'paid':>8}{'median off':>12}{'p99 off':>10}  bps")
    for coin in ("BTC", "ETH"):
        hyperliquid(data, coin)


if __name__ == "__main__":
    main()
