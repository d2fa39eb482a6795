"""How much noise of the mids is booked as profit where an exit is filled at its trigger, and a latency later?

    python benchmarks/exit_noise.py [TRADES]

Independent noise is no news: filled a latency later it earns nothing.  Noise that lasts (AR(1), half of it is left a
grid time later) still earns something, because the fill meets a part of what triggered it: the amount is printed and no
test asks for it.  Synthetic (`tests/helpers/noisy_exits.py`), seeded.
"""

from __future__ import annotations

import sys
from math import sqrt
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.helpers.noisy_exits import booked_bps, noise, registered

TRADES, SEED = 5_000, 14


def main(trades: int) -> None:
    """Print mean and standard error of the booked noise, bps a trade, before and after exits had latency."""
    print(f"{'noise':<12}{'deviation, bps':>15}{'at trigger, bps':>24}{'a latency later, bps':>24}")
    for name, carried in (("independent", 0.0), ("AR(1) 0.5", 0.5)):
        for deviation_bps in (2.0, 5.0, 10.0):
            shaken = noise(trades, deviation_bps, carried, SEED)
            cells = []
            for rule in (registered(exit_latency_ns=0), registered()):
                booked = booked_bps(shaken, rule)
                cells.append(f"{booked.mean():.3f} +- {booked.std(ddof=1) / sqrt(trades):.3f}")
            print(f"{name:<12}{deviation_bps:>15.0f}{cells[0]:>24}{cells[1]:>24}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else TRADES)
