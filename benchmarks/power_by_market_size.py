"""Is H1's power in the certificate's small market bounded by the rule, or by the market?  [issue 14, decision 0717]

    python benchmarks/power_by_market_size.py --out DIR [--windows 400] [--json]

The small market, family `informative`, is drawn beside one of four times its size: four independent pairs of the same
law, traded as one book of the same capital under `power_by_market_size.toml`.  Window r of the large market takes the
small market's replications 10,000 + 4r to 10,000 + 4r + 3, window r of the small one its replication r.  Both go
through the whole engine; H1's rule (ratio over the claim, N1, N2 by the mean of a day) is counted on the certificate's
draws, as its `judge` does, after a charge a day that leaves the *book* a true annual Sharpe ratio of 3 or 8: mean and
deviation are those of all windows of that size.

The rule was given before: the market is the cause if the power at 8 differs by more than 10 points.  Windows are kept
in DIR in chunks of four, by the hash of all that they depend on; a stopped run goes on there.
"""

from __future__ import annotations

import argparse
import inspect
import io
import json
import sys
import tempfile
import time
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from backtest.data.format.atomic_write import write_whole
from backtest.data.format.dataset import SourceNote, open_dataset
from backtest.data.format.schema import instruments_from_frame
from backtest.data.format.writer import DatasetWriter
from backtest.environment import ROOT
from backtest.gate.freeze.import_closure import closure_hash
from backtest.records import Registration
from backtest.registration.load import load_registration
from backtest.results.returns import DAYS_A_YEAR
from backtest.rundir.stages import HARNESS, WindowJob, run_stages
from backtest.seeds import streams
from backtest.seeds.streams import Seeds
from engine.errors import CmeError
from engine.ledger.format.canonical_json import tagged_hash
from engine.records import IntArray
from engine.units import NS_PER_DAY, NS_PER_HOUR
from hypotheses.calibration import market
from hypotheses.calibration.base import Columns, columns, replication
from hypotheses.calibration.certificate import interval
from hypotheses.calibration.distributions import drift
from hypotheses.calibration.draws import Replayed
from hypotheses.calibration.engine_cells import kept, window_data
from hypotheses.calibration.plan import Plan, load_plan
from hypotheses.calibration.run import read_chunk
from hypotheses.permutation_nulls import STREAM, permutations
from hypotheses.statistics.exceedances import monte_carlo_p
from hypotheses.statistics.sign_flips import block_sums, n1

FAMILY: Final = "informative"
SIZES: Final = (1, 4)
"""Pairs of a market."""
FIRST: Final = 10_000
"""The first replication of the large market's pairs."""
RATIOS: Final = (3, 8)
DECIDES: Final = 8
"""The true Sharpe ratio at which the two powers are compared."""
POINTS: Final = 0.10
CHUNK: Final = 4
SHOWN: Final = {
    "supported": "H1 supported",
    "n1": "N1 rejects",
    "n2": "N2 rejects by the mean of a day",
}
LAW: Final = market.LAWS[FAMILY]


@dataclass(frozen=True)
class Study:
    """All that a window is made from: the certificate's plan, the two registered markets, the seeds, the folder."""

    plan: Plan
    markets: dict[int, Registration]
    seeds: Seeds
    out: Path

    def folder(self, size: int) -> Path:
        """Return the folder of a market's chunks; its name has the hash of code, seeds and registered plan."""
        code = closure_hash(("hypotheses.calibration.engine_cells", "hypotheses.calibration.market"))
        own = "".join(inspect.getsource(part) for part in (write_market, _listed, _prices, run_window))
        text = f"{code} {own} {self.seeds.seeds_hash} {self.markets[size].config_hash}"
        return self.out / f"size-{size}" / tagged_hash("tree", text.encode())[:12]


def write_market(study: Study, size: int, window: int, target: Path) -> Path:
    """Write one window of a market of ``size`` pairs as a data set; return its folder."""
    registration = study.markets[size]
    plan, coins = registration.plan, list(registration.params.underlyings)
    first, days = plan.history_ns // NS_PER_DAY, (plan.t1_ns - plan.history_ns) // NS_PER_DAY
    note = SourceNote("calibration market", "synthetic", "", ("prices drawn from a model, violations planted",))
    with DatasetWriter(target, "power-by-market-size", NS_PER_HOUR, synthetic=True, sources=[note]) as writer:
        # Two a coin, in the order of the coins: a coin's codes follow those of the one before.
        writer.set_instruments(instruments_from_frame(pd.concat([_listed(coin) for coin in coins], ignore_index=True)))
        for number, coin in enumerate(coins):
            spot, perp = _prices(study.seeds, window if size == 1 else FIRST + size * window + number, days)
            for day in range(days):
                table = market._day(LAW, (first + day) * NS_PER_DAY, spot[day], perp[day])
                code = pa.array(table["code"].to_numpy() + 2 * number, pa.int32())
                table = table.set_column(table.schema.get_field_index("code"), "code", code)
                writer.write_day(coin, first + day, table, market.SOURCE, "drawn, not observed")
        return writer.finish()


def _listed(coin: str) -> pd.DataFrame:
    """The spot and the perp of one coin, as the small market lists those of BTC."""
    listed = market._instruments()
    for column in ("name", "symbol", "underlying", "base"):
        listed[column] = listed[column].str.replace("BTC", coin)
    return listed


def _prices(seeds: Seeds, r: int, days: int) -> tuple[np.ndarray, np.ndarray]:
    """Spot and perp of replication ``r`` of the family, ``[days, 24]``, as `market.write_market` draws them."""
    words = market.draws(seeds, FAMILY, r, "paths").normals(days * market.HOURS)
    steps = market.VOL / np.sqrt(365.0 * market.HOURS) * words
    spot = (market.START_USD * np.exp(np.cumsum(steps))).reshape(days, market.HOURS)
    return spot, spot * (1.0 + 1e-4 * market.gap_bps(seeds, FAMILY, r, days))


def run_window(study: Study, size: int, window: int) -> Columns:
    """Return what the verdicts read of one window, and how many signals had no margin."""
    registration = study.markets[size]
    with tempfile.TemporaryDirectory(prefix="cme-market-size-") as folder:
        path = write_market(study, size, window, Path(folder) / "market")
        job = WindowJob(open_dataset(path), registration, registration.plan, study.seeds)
        job = run_stages(job, HARNESS)
    data = window_data(job.finished_run, job.placements, registration.params)
    refused = np.array(int((data.trades["rejected_why"] == "margin").sum()))
    return {**{key: np.asarray(value) for key, value in kept(data, registration).items()}, "refused": refused}


def measure(study: Study, windows: int) -> None:
    """Run every chunk that is not kept yet, both sizes in turns."""
    for first in range(0, windows, CHUNK):
        for size in SIZES:
            path = study.folder(size) / f"{first:05d}.npz"
            if path.is_file():
                continue
            begun, numbers = time.process_time(), range(first, first + CHUNK)
            made = columns([run_window(study, size, window) for window in numbers])
            buffer = io.BytesIO()
            np.savez_compressed(buffer, allow_pickle=False, **made)
            write_whole(path, buffer.getvalue())
            spent_s = time.process_time() - begun
            say(f"{pairs(size)}: windows {first} to {numbers[-1]} of {windows}, {spent_s:.0f} CPU s")


def judged(study: Study, size: int, windows: int) -> dict[str, Any]:
    """Return what a market is and how often each verdict falls at each true Sharpe ratio of its book."""
    chunks = partial(map, read_chunk, [study.folder(size) / f"{first:05d}.npz" for first in range(0, windows, CHUNK)])
    profit = np.concatenate([chunk["profit"] for chunk in chunks()]).astype(np.float64)
    trades = sum(int(chunk["trades"].sum()) for chunk in chunks())
    mean, sd = float(profit.mean()), float(profit.std())
    bits, (folds, days) = Replayed(study.seeds)(STREAM), (study.markets[size].plan.folds, profit.shape[1])
    draws, alpha = study.plan.stats.n2_draws, study.plan.stats.alpha
    place = np.stack([permutations(bits, r, folds, days // folds).ravel() for r in range(draws)])
    counts = {ratio: dict.fromkeys(SHOWN, 0) for ratio in RATIOS}
    for chunk in chunks():
        for number in range(CHUNK):
            found = replication(chunk, number)
            for ratio in RATIOS:
                row = verdict(
                    found, round(mean - drift(ratio) * sd), place, folds, study.plan.stats.sharpe_claim, alpha
                )
                for name in SHOWN:
                    counts[ratio][name] += row[name]
    return {
        "windows": windows,
        "trades_a_window": round(trades / windows, 1),
        "signals_without_margin": sum(int(chunk["refused"].sum()) for chunk in chunks()),
        "sharpe_before_the_charge": round(mean / sd * DAYS_A_YEAR**0.5, 2),
        "power": {str(ratio): {name: share(count, windows) for name, count in row.items()} for ratio, row in
                  counts.items()},
    }  # fmt: skip


def verdict(
    window: Columns, charge: int, place: IntArray, folds: int, claim: Decimal, alpha: Decimal
) -> dict[str, bool]:
    """Return whether N1 and N2 reject and H1 is supported after ``charge`` a day, micro-USD.

    N2 compares sums, to which any charge adds the same on both sides; ``place`` has its draws, ``[draws, day]``.
    """
    net = window["profit"] - charge
    moved = window["batch"].sum(axis=2)[np.arange(len(net)), place].sum(axis=1)
    by_sign_flips = n1(block_sums(net, np.repeat(np.arange(folds), len(net) // folds))).under(alpha)
    by_mean = monte_carlo_p(int(np.count_nonzero(moved >= window["observed"].sum())), len(place)).under(alpha)
    over = float(net.mean() / net.std(ddof=1)) * DAYS_A_YEAR**0.5 > float(claim)
    return {"n1": by_sign_flips, "n2": by_mean, "supported": by_sign_flips and by_mean and over}


def share(count: int, of: int) -> dict[str, Any]:
    """Return a count with its share and the 95% interval of Clopper and Pearson."""
    low, high = interval(count, of)
    return {"count": count, "of": of, "share": round(count / of, 4), "low": round(low, 4), "high": round(high, 4)}


def pairs(size: int) -> str:
    """Return the number of pairs in words.

    >>> pairs(1), pairs(4)
    ('1 pair', '4 pairs')
    """
    return f"{size} pair" if size == 1 else f"{size} pairs"


def say(text: str) -> None:
    """Print a line of progress on stderr."""
    print(text, file=sys.stderr, flush=True)


def shown(found: dict[str, Any]) -> str:
    """Return the result as a Markdown table and a sentence."""
    lines = ["| | " + " | ".join(f"{pairs(size)}, ratio {ratio}" for ratio in RATIOS for size in SIZES) + " |"]
    lines.append("|---|" + "---:|" * (len(RATIOS) * len(SIZES)))
    markets = found["markets"]
    for name, words in SHOWN.items():
        cells = [markets[str(size)]["power"][str(ratio)][name] for ratio in RATIOS for size in SIZES]
        lines.append(f"| {words} | " + " | ".join(f"{100 * cell['share']:.1f}%" for cell in cells) + " |")
    return "\n".join([*lines, "", str(found["answer"])])


def main() -> int:
    """Measure what is not kept yet, judge, and print the table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the finished chunks")
    parser.add_argument("--windows", type=int, default=400, help=f"of each size, a multiple of {CHUNK}")
    parser.add_argument("--json", action="store_true", help="print JSON on stdout")
    asked = parser.parse_args()
    if asked.windows < CHUNK or asked.windows % CHUNK:
        parser.error(f"--windows: expected a positive multiple of {CHUNK}, was {asked.windows}")
    try:
        plan = load_plan(ROOT / "configs" / "calibration" / "registered.toml")
        large = load_registration(Path(__file__).with_suffix(".toml"))
        study = Study(plan, {1: plan.markets["costly"], 4: large}, streams.load(ROOT / "seeds.lock"), asked.out)
        measure(study, asked.windows)
        markets = {str(size): judged(study, size, asked.windows) for size in SIZES}
    except CmeError as error:
        say(f"power_by_market_size: {error}")
        return error.exit_code
    small, big = (markets[str(size)]["power"][str(DECIDES)]["supported"]["share"] for size in SIZES)
    cause = "market" if abs(big - small) > POINTS else "rule"
    answer = (
        f"H1's power at a true Sharpe ratio of {DECIDES} is {100 * small:.1f}% in the small market and "
        f"{100 * big:.1f}% in one of {SIZES[1]} times its size: the {cause} is the cause."
    )
    found: dict[str, Any] = {"markets": markets, "answer": answer, "cause": cause}
    print(json.dumps(found, indent=1) if asked.json else shown(found))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
