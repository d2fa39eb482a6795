"""A small plan of a covenant study; and the files of a three-way one, made up, with what a thinned picture loses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from tests.helpers.covenant_plan import DRAWN, plan_text

BARS, DAYS = 20_000, 200
DAY_NS = 86_400 * 10**9
START_NS = 19_800 * DAY_NS
SIDES = ("short_a", "long_a")
STEMS = ("a", "b", "p1_of_b", "p2", "b0", "b_scaled", "b_principled", "b_close", "b_L2", "b_L3")
PLAN = plan_text(
    "KIND", "2024-01-01", "2024-12-01", DRAWN,
    'reading = "literal"\nbeta_rule = "regime"\n'
    '[inference]\nplacebo_draws = 5\nplain_draws = 2\nbootstrap_draws = 50\n',
)  # fmt: skip


def write(folder: Path) -> Path:
    """Write the files into ``folder``, the page apart, and return it."""
    random = np.random.Generator(np.random.PCG64(3))
    _signals(random).to_parquet(folder / "signals.parquet")
    equity = _equity(random)
    equity.to_parquet(folder / "equity.parquet")
    _facts(equity, random).to_csv(folder / "accounts.csv", index=False)
    curve = pd.DataFrame({
        "side": np.repeat(SIDES, 12), "mdd": random.uniform(0.1, 0.4, 24), "mdd_p1": random.uniform(0.1, 0.4, 24)
    })  # fmt: skip
    curve.loc[5, "mdd_p1"] = 0.0
    curve.to_csv(folder / "curve.csv", index=False)
    draws = pd.DataFrame({f"mdd_{side}": random.uniform(0.05, 0.5, 300) for side in SIDES})
    draws.to_csv(folder / "placebo.csv", index=False)
    window = {"start": "2024-03-18", "end": "2024-10-04", "bars": BARS}
    manifest = {"title": "Made", "synthetic": True, "prices": "synthetic", "window": window, "pair": ["A", "B"],
                "cannot_say": ["nothing"]}  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest))
    (folder / "figures.json").write_text(json.dumps({"manual_share": 0.1, "live_share": 0.8}))
    return folder


def _signals(random: np.random.Generator) -> pd.DataFrame:
    spread, mode = random.uniform(-1, 1, BARS), np.ones(BARS, dtype=np.int64)
    mode[:50] = 0
    # one bar each, between the bars that an even thinning keeps
    spread[7_003], mode[7_003], spread[9_001] = -9.0, 2, np.nan
    mode[7_004], mode[12_002], mode[12_007] = 3, 4, 5
    cap = np.full(BARS, 3.0)
    cap[15_003] = 0.5
    return pd.DataFrame({
        "t_ns": START_NS + np.arange(BARS) * (DAYS * DAY_NS // BARS), "spread_pp": spread,
        "in_force_pp": np.full(BARS, 2.0), "leverage_cap": cap, "mode": mode,
    })  # fmt: skip


def _equity(random: np.random.Generator) -> pd.DataFrame:
    paths = {
        f"{stem}_{side}": np.concatenate(([1.0], np.cumprod(1 + random.normal(0, 0.02, DAYS))))
        for side in SIDES
        for stem in STEMS
    }
    ruined = paths["a_long_a"]
    ruined[150:] = -0.2
    for stem in STEMS[:5]:
        paths[f"{stem}_mean"] = np.concatenate(([1.0], np.cumprod(1 + random.normal(0, 0.01, DAYS))))
    paths["c"] = np.concatenate(([1.0], np.cumprod(1 + random.normal(0, 0.02, DAYS))))
    return pd.DataFrame({"t_ns": START_NS + np.arange(DAYS + 1) * DAY_NS, **paths})


def _facts(equity: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    rows = []
    for name in equity.columns[1:]:
        best, deepest = 0.0, 0.0
        for value in equity[name]:
            best = max(best, value)
            deepest = max(deepest, 1 - max(value, 0.0) / best)
        own = name.endswith(SIDES)
        flows = dict(zip(("transfers", "fees", "funding"), random.uniform(-2, 2, 3), strict=True)) if own else {}
        rows.append({"account": name, "mdd": deepest, **flows})
    return pd.DataFrame(rows)
