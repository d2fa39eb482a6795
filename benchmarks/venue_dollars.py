"""In which dollar are the venues' prices, and what did reading them in another one make?  [venues V1, decision 0500]

    python benchmarks/venue_dollars.py DATA

DATA is the folder of real data.  Three tables: the perp of Hyperliquid against Binance's USDT perp, read in USDT and in
USDC, while USDC was under 0.98 (2023-03-11 to 16) and in 2026; the packages of C1 that fire over ninety days around
it under both readings; Deribit's index against Binance's spot, read as USD of USDC and of USDT.  No funding of
Hyperliquid is stored of those days, so Binance's stands for it.  Prices between two hourly closes are interpolated:
that measures a level, nothing could be traded on it.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from backtest.data.adapters.base import SourceSpec
from backtest.data.build.assemble import build
from backtest.data.format.dataset import Dataset, open_dataset
from backtest.data.panels.reader import panels
from backtest.folds.curve_study import empty_history
from backtest.registration.load import load_registration
from engine.constraints.detect import detect
from engine.market.view import prepare
from engine.params import CashCarryPair, Params
from engine.records import Instruments, Panel
from engine.units import BPS, NS_PER_HOUR

PERP = "hyperliquid:BTC-PERP"
PLAN = Path(__file__).resolve().parent.parent / "configs/studies/carry-2022-2024.toml"
NINETY_DAYS = ("2023-01-26", "2023-04-26")
HYPERLIQUID = "hyperliquid-candles-funding/BTC_USDC_USDC-4h-futures.feather"
RATES = "binance-1h-2018-2026/BTC_USDT_USDT-1h-funding_rate.feather"


def closes(path: Path, bar_h: int) -> pd.Series:
    """Return the closes of a candle file by the time at which each is known."""
    frame = pd.read_feather(path)
    return pd.Series(frame["close"].to_numpy(), index=pd.DatetimeIndex(frame["date"]) + pd.Timedelta(hours=bar_h))


def dollars(data: Path) -> pd.Series:
    """Return USDT per USDC by the time of the close: Binance's, and Bybit's where Binance's are not stored."""
    folder = data / "stablecoin-usdcusdt"
    first = pd.read_csv(folder / "binance_USDCUSDT_1h_close_2021_2025.csv")
    then = pd.read_csv(folder / "bybit_USDCUSDT_1h_2025_2026.csv")
    parts = [
        pd.Series(first.iloc[:, 1].to_numpy(), index=pd.to_datetime(first.iloc[:, 0], utc=True)),
        pd.Series(then["close"].to_numpy(), index=pd.to_datetime(then["ts"], unit="ms", utc=True)),
    ]
    both = pd.concat([parts[0], parts[1][parts[1].index > parts[0].index[-1]]])
    both.index = both.index + pd.Timedelta(hours=1)
    return both


def at(series: pd.Series, times: pd.DatetimeIndex) -> np.ndarray:
    """Return a series at other times, linear between its own; NaN beyond its ends."""
    known = series.index.astype("datetime64[ns, UTC]").astype(np.int64).to_numpy()
    wanted = times.astype("datetime64[ns, UTC]").astype(np.int64).to_numpy()
    return np.interp(wanted, known, series.to_numpy(), left=np.nan, right=np.nan)


def gaps(hyperliquid: pd.Series, perp: pd.Series, rate: pd.Series, first: str, last: str) -> Iterator[str]:
    """Yield the gap to Binance's perp in bps, both readings."""
    both = pd.concat([hyperliquid, perp, rate], axis=1, keys=["h", "p", "fx"], sort=True).dropna()[first:last]
    for name, gap in (
        ("in USDT", BPS * (both["h"] / both["p"] - 1.0)),
        ("in USDC", BPS * (both["h"] * both["fx"] / both["p"] - 1.0)),
    ):
        worst = gap.iloc[gap.abs().to_numpy().argmax()]
        yield (
            f"  read {name}: median {gap.median():8.1f}  mean {gap.mean():8.1f}  worst {worst:8.1f} bps, "
            f"{len(gap)} closes, {both.index[0]:%Y-%m-%d %H:%M} to {both.index[-1]:%Y-%m-%d %H:%M} UTC"
        )


def index_gaps(data: Path, spot: pd.Series, rate: pd.Series) -> Iterator[str]:
    """Yield Deribit's index against Binance's spot: how many USD a USDT, and a USDC, is."""
    times, values = [], []
    for path in sorted((data / "deribit-options-6h").glob("deribit_options_snapshot_*.csv.gz")):
        rows = pd.read_csv(path, usecols=["timestamp", "currency", "index_price"])
        bitcoin = rows[rows["currency"] == "BTC"]
        if len(bitcoin):
            times.append(pd.to_datetime(bitcoin["timestamp"].iloc[0], utc=True))
            values.append(float(bitcoin["index_price"].median()))
    moments = pd.DatetimeIndex(times)
    per_usdt = np.array(values) / at(spot, moments)
    frame = pd.DataFrame({"USDT/USD": per_usdt, "USDC/USD": per_usdt * at(rate, moments)}, index=moments).dropna()
    for span, part in (("all", frame), *((str(month), some) for month, some in frame.groupby(frame.index.month))):
        medians = ", ".join(f"{name} {BPS * (part[name].median() - 1.0):6.1f}" for name in frame)
        label = "all snapshots" if span == "all" else f"month {span}"
        days = f"{part.index[0].date()} to {part.index[-1].date()}"
        yield f"  {label}: median {medians} bps, {len(part)} snapshots, {days}"


def ninety_days(data: Path, folder: Path) -> tuple[Dataset, Params]:
    """Return a data set of Binance and Hyperliquid around March 2023, and the numbers of the carry study."""
    registration = load_registration(PLAN)
    binance, _, pair = registration.data.sources
    first, last = (int(pd.Timestamp(day, tz="UTC").value) for day in NINETY_DAYS)
    own = {"venue": "hyperliquid", "perp_quote": "USD", "drop_zero_volume": True, "bar": "4h", "funding_h": 8}
    bars = SourceSpec("candles_feather", HYPERLIQUID, {**own, "channels": ["futures"]}, "measured here", "GPL-3.0")
    name = folder / "BTC_USDC_USDC-4h-funding_rate.feather"
    pd.read_feather(data / RATES).to_feather(name)
    root = folder / "data"
    root.mkdir()
    for source in sorted(data.iterdir()):
        (root / source.name).symlink_to(source)
    (root / "rates").mkdir()
    name.rename(root / "rates" / name.name)
    rates = replace(bars, path=f"rates/{name.name}", options={**own, "channels": ["funding_rate"]})
    build([binance, pair, bars, rates], root, folder / "set", "march-2023", 4 * 3_600 * 10**9, "", window=(first, last))
    market = registration.params.underlyings["BTC"]
    pairs = (CashCarryPair(PERP, "binance:BTCUSDT"),)
    registered = load_registration(PLAN.parents[1] / "prereg/288615/registration.toml").params
    params = replace(
        registration.params,
        grid_ns=4 * NS_PER_HOUR,
        underlyings={"BTC": replace(market, cash_carry=pairs)},
        fees=registered.fees,
        lots=registered.lots,
        ticks=registered.ticks,
    )
    return open_dataset(folder / "set"), params


def read_as(table: Instruments, quote: str) -> Instruments:
    """Return the instruments with the perp of Hyperliquid priced in ``quote``."""
    quotes = tuple(quote if name == PERP else old for name, old in zip(table.name, table.quote, strict=True))
    return replace(table, quote=quotes)


def fires(dataset: Dataset, params: Params, quote: str, peg_bps: float) -> str:
    """Return how often C1 fires for the pair, and its largest gross, with the perp priced in ``quote``."""
    first, last = (int(pd.Timestamp(day, tz="UTC").value) for day in NINETY_DAYS)
    params = replace(params, dollars=replace(params.dollars, peg_bps=peg_bps))
    fired = examined = guarded = 0
    largest, when = 0.0, 0
    for panel in panels(dataset, "BTC", first, last, funding_average_ns=8 * NS_PER_HOUR):
        seen: Panel = replace(panel, instruments=read_as(panel.instruments, quote))
        view = prepare(seen, params, empty_history(params, "BTC"))
        (found,) = detect(view, None, codes=("C1",), floor=-np.inf)
        fired += int(found.fires.sum())
        guarded += sum(why == "peg" for why in found.reason)
        examined += found.funnel["usable"]
        gross = found.packages.gross_bps
        if len(gross) and gross.max() > largest:
            largest = float(gross.max())
            when = int(panel.times_ns[found.packages.row[gross.argmax()]])
    guard = "none" if peg_bps > BPS else f"{peg_bps:g} bps"
    return (
        f"  priced in {quote}, peg guard {guard}: C1 fires at {fired} of {examined} usable grid times, "
        f"{guarded} wait for the peg, largest gross {largest:.1f} bps at {pd.Timestamp(when)}"
    )


def untraded(data: Path, closed: str) -> str:
    """Return what the bar of Hyperliquid's perp that closed then holds, beside Binance's perp over the same hours."""
    end = pd.Timestamp(closed, tz="UTC")
    start = end - pd.Timedelta(hours=4)
    bars = pd.read_feather(data / HYPERLIQUID).set_index("date")
    binance = closes(data / "binance-1h-2018-2026/BTC_USDT_USDT-1h-futures.feather", 1)
    return (
        f"  the bar of Hyperliquid to {end:%Y-%m-%d %H:%M} has a volume of {bars.volume[start]:g}, so the close of "
        f"{bars.close[start - pd.Timedelta(hours=4)]:,.0f} at {start:%H:%M} stands, just as old as a bar may be; "
        f"Binance's perp went from {binance[start]:,.0f} to {binance[end]:,.0f}, and Hyperliquid's next trade was at "
        f"{bars.open[end]:,.0f} ({BPS * (bars.open[end] / binance[end] - 1.0):+.1f} bps): no such price was to be had"
    )


def main() -> None:
    """Print the three tables."""
    data = Path(sys.argv[1])
    candles = data / "binance-1h-2018-2026"
    perp, spot = (closes(candles / f"BTC_{name}.feather", 1) for name in ("USDT_USDT-1h-futures", "USDT-1h-spot"))
    rate = dollars(data)
    print("Hyperliquid's perp against Binance's USDT perp, closes of four hours")
    for line in gaps(closes(data / HYPERLIQUID, 4), perp, rate, "2023-03-11", "2023-03-16"):
        print(line)
    print("the same in 2026, closes of one hour")
    frame = pd.read_csv(next((data / "hyperliquid-btc-1h-2026").glob("*_1h.csv")))
    labels = pd.to_datetime(frame.iloc[:, 0], utc=True)
    hourly = pd.Series(frame["close"].to_numpy(), index=pd.DatetimeIndex(labels) + pd.Timedelta(hours=1))
    for line in gaps(hourly, perp, rate, "2026-01-01", "2026-12-31"):
        print(line)
    print(f"C1, Hyperliquid's perp against Binance's USDT spot, {' to '.join(NINETY_DAYS)}, every four hours")
    with tempfile.TemporaryDirectory() as folder:
        dataset, params = ninety_days(data, Path(folder))
        for quote, peg_bps in (("USDC", 1e6), ("USDT", 1e6), ("USDT", 25.0)):
            print(fires(dataset, params, quote, peg_bps))
    print(untraded(data, "2023-04-18 12:00"))
    print("Deribit's index against Binance's spot, between hourly closes")
    for line in index_gaps(data, spot, rate):
        print(line)


if __name__ == "__main__":
    main()
