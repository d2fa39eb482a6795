"""A tiny registered market: one coin, an hourly grid, thirty days of history and two folds of three days."""

from __future__ import annotations

import re
from pathlib import Path

from click import Command
from click.testing import CliRunner, Result

from backtest.data.build.synthesise import build_synthetic, spec_of
from backtest.data.format.dataset import Dataset, open_dataset
from backtest.records import Registration
from backtest.registration.load import load_registration
from backtest.seeds import streams as seed_streams

ROOT = Path(__file__).resolve().parents[2]
NO_PLANTS = dict.fromkeys([f"C{n}" for n in range(1, 8)], "")
"""Changes of `text` that plant nothing."""

CHANGES = {
    r"history_start = .*": 'history_start = "2026-01-05T00:00:00Z"',
    r"(?<!history_)start = \"2026-04-05.*": 'start = "2026-02-04T00:00:00Z"',
    r"end = \"2026-07-04.*": 'end = "2026-02-10T00:00:00Z"',
    r"folds = 10": "folds = 2",
    r"fold_d = \"9\"": 'fold_d = "3"',
    r"step_s = \"300\"": 'step_s = "3600"',
    r"grid_s = 300": "grid_s = 3600",
    r"days = 180": "days = 37",
    r"c(\d) = 30": r"c\1 = 5",
    r"min_curves = 60": "min_curves = 25",
    r"z_window_d = 60": "z_window_d = 28",
    r"\nstrikes = 11": "\nstrikes = 5",
    r"linear_strikes = 5": "linear_strikes = 3",
    r"life_s = \[600, 600\]": "life_s = [7200, 7200]",
    r"(C[16]) = { count = 120": r"\1 = { count = 240",
    r"count = (\d+)0": r"count = \1",
    r"(?s)\[\[underlyings\]\]\nname = \"ETH\".*?(?=\[costs\])": "",
    r"(?s)\[data\.synthetic\.underlyings\.ETH\].*?(?=\[data\.synthetic\.paths\])": "",
}


def text(**changes: str) -> str:
    """The registration of the tiny market; ``changes`` replace whole lines ``key = ...``, "" removes them."""
    plan = load_registration(ROOT / "configs" / "demo.toml").text
    for pattern, replacement in CHANGES.items():
        plan, found = re.subn(pattern, replacement, plan)
        assert found, f"configs/demo.toml has no {pattern!r} any more"
    for key, value in changes.items():
        plan = re.sub(rf"(?m)^{key} = .*$", f"{key} = {value}" if value else "", plan)
    return plan


def registered(folder: Path, plan: str) -> Registration:
    """The registration of ``plan``, read from ``folder``."""
    path = folder / "plan.toml"
    path.write_text(plan, encoding="utf-8")
    return load_registration(path)


def market(folder: Path, plan: str) -> Dataset:
    """The data set of ``plan`` below ``folder``, with the registration in it."""
    registration = registered(folder, plan)
    spec = spec_of(registration.data.synthetic, "tiny")
    streams = seed_streams.load(ROOT / "seeds.lock").generator
    return open_dataset(build_synthetic(spec, streams, folder / "set", "demo", 2, None, registration.text))


def ask(command: Command, *arguments: object) -> Result:
    """Call a command that reads such a market; an error that is no exit is raised."""
    done = CliRunner().invoke(command, [str(word) for word in (*arguments, "--quiet")])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done
