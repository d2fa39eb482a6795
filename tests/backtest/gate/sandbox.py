"""A tiny checkout with a registered study in it: sources are stand-ins, everything the gate looks at is real."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from backtest.data.format.dataset import Dataset
from backtest.gate import checks
from backtest.gate.checks import Situation
from backtest.gate.freeze import seal
from backtest.gate.freeze.installed_packages import Environment, Installed
from backtest.gate.freeze.seal import Place
from backtest.gate.looks import registry
from backtest.gate.run_mode import situation_of
from backtest.registration.load import load_registration
from backtest.registration.named import named
from tests.backtest.data.markets import START, instrument, instruments, quote, store
from tests.helpers import small_run

ROOT = Path(__file__).resolve().parents[3]
STUDY = {
    "study": "rehearsal", "mode": "confirmatory", "synthetic": False, "data.kind": "path", "data.path": "set",
    "data.synthetic": {}, "families": ["core", "venue"],
}  # fmt: skip
INSTALLED = {"numpy": Installed("2.4.6", "a" * 64)}
NOW_US = 1_800_000_000_000_000


def git(root: Path, *arguments: str) -> None:
    named = ["-c", "user.name=r", "-c", "user.email=r@example.org"]
    subprocess.run(["git", "-C", str(root), *named, *arguments], check=True, capture_output=True)


def commit(root: Path) -> None:
    git(root, "add", "-A")
    git(root, "commit", "-q", "--allow-empty", "-m", "step")


def checkout(folder: Path) -> Path:
    """Make the checkout, registered and committed; return its root."""
    for name in (
        "engine/core.py",
        "engine/venue/desk.py",
        "backtest/run.py",
        "hypotheses/judge.py",
        "reports/page.py",
        "cme.py",
    ):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'"""{name}"""\n')
    for name in ("seeds.lock", "requirements.lock"):
        shutil.copyfile(ROOT / name, folder / name)
    small_run.write_config(folder / "configs" / "prereg" / "rehearsal", STUDY, "registration.toml")
    git(folder, "init", "-q")
    commit(folder)
    return folder


def dataset(folder: Path, *without: str) -> Dataset:
    """Write a data set of every instrument that the plan names but ``without``, and one quote, below ``folder``."""
    with tempfile.TemporaryDirectory(prefix="cme-plan-") as place:
        plan = load_registration(small_run.write_config(Path(place), STUDY))
    listed = instruments(*(instrument(name) for name in named(plan.params) if name not in without))
    return store(folder / "set", listed, [quote(START, 0, 99.0, 101.0)])


def situation(root: Path, data: Path, **changes: Any) -> Situation:
    """Return the situation of the study as it is now; the environment is a stand-in, measured in its own test."""
    path = root / "configs" / "prereg" / "rehearsal" / "registration.toml"
    place = Place(root, load_registration(path), data)
    object.__setattr__(place, "__dict__", {**place.__dict__, "environment": Environment(INSTALLED, (), ())})
    found = situation_of(place, root / "runs", {}, None)
    return Situation(**{**found.__dict__, **changes})


def frozen(root: Path, data: Path) -> Situation:
    """Freeze the study with its data and commit the freeze; return the situation of a run."""
    from backtest.commands.freeze import sealed

    sealed(situation(root, data), NOW_US)
    commit(root)
    return situation(root, data)


def code_of(found: Situation) -> int:
    return checks.exit_code(checks.examine(found))


LEDGERS = {
    kind: {"ledger_id": "ce0d755e-e7d5-56c9-8819-356f41c1aa34", "size": 1, "root": "0" * 64}
    for kind in ("emit", "resolution")
}


def look(found: Situation, *events: str, digest: str | None = "d" * 64) -> None:
    """Put the look of the study on record: open, close, abort."""
    (permit,) = found.permits()
    for event in events:
        ended = digest if event == "close" else None
        registry.record(found.looks, permit, event, LEDGERS, NOW_US, results_digest=ended, reason="a test")


__all__ = ["checkout", "code_of", "commit", "dataset", "frozen", "git", "look", "seal", "situation"]
