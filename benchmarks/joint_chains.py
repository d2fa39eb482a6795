"""How long the joint static solve of real stored chains takes, and what it finds.

``CME_TEST_DATA=DIR python benchmarks/joint_chains.py [--every N]`` reads every N-th stored Deribit snapshot below DIR
and prints a line a chain: quotes, expiries, seconds, movement in bps of a coin, and the guilty quotes.  No dated future
of a snapshot has an executable quote, so every forward is the interval that the pairs imply.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.measure import machine
from hypotheses.chains.records import QuotedChain
from hypotheses.chains.solve import solve_jointly

PATTERN = "deribit-options-6h/deribit_options_snapshot_*.csv.gz"


def chain_of(frame: pd.DataFrame) -> QuotedChain:
    """Return the two-sided quotes of one currency of a snapshot, in the order of the rows."""
    expiry_ns = pd.to_datetime(frame["expiry_datetime"]).dt.tz_localize(None).to_numpy().astype("datetime64[ns]")
    expiries, number = np.unique(expiry_ns.astype(np.int64), return_inverse=True)
    unknown = np.full(len(expiries), np.nan)
    return QuotedChain(
        True,
        expiries,
        unknown,
        unknown,
        number.astype(np.int32),
        frame["strike"].to_numpy(dtype=np.float64),
        (frame["option_type"] == "call").to_numpy(),
        frame["bid_price"].to_numpy(),
        frame["ask_price"].to_numpy(),
    )


def main() -> None:
    """Print a line a chain and the totals."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=20, help="take every N-th snapshot")
    every = parser.parse_args().every
    folder = Path(os.environ.get("CME_TEST_DATA", os.environ.get("CME_DATA", ".")))
    seconds: list[float] = []
    clean = 0
    for file in sorted(folder.glob(PATTERN))[::every]:
        snapshot = pd.read_csv(file)
        snapshot = snapshot[(snapshot["bid_price"] > 0.0) & (snapshot["ask_price"] >= snapshot["bid_price"])]
        for currency, frame in snapshot.groupby("currency"):
            begin = time.perf_counter()
            solution = solve_jointly(chain_of(frame))
            seconds.append(time.perf_counter() - begin)
            guilty = np.flatnonzero(solution.side)
            clean += not len(guilty)
            print(
                f"{file.name[24:40]} {currency}: {len(frame)} quotes, {frame['expiry_datetime'].nunique()} expiries, "
                f"{seconds[-1]:.2f} s, {solution.total_bps:.4g} bps"
            )
            for n in guilty.tolist():
                row = frame.iloc[n]
                print(
                    f"    {row['instrument_name']} {row['bid_price']:g} / {row['ask_price']:g}: "
                    f"{'bid too high' if solution.side[n] < 0 else 'ask too low'} "
                    f"by {solution.least_bps[n]:.4g} to {solution.most_bps[n]:.4g} bps"
                )
    if not seconds:
        print(f"joint_chains: expected {PATTERN} below $CME_TEST_DATA, was none", file=sys.stderr)
        return
    print(
        f"{len(seconds)} chains: {clean} without executable arbitrage; median {np.median(seconds):.2f} s, "
        f"longest {max(seconds):.2f} s"
    )
    print(machine())


if __name__ == "__main__":
    main()
