"""A checkout of its own with one registered study, and the commands that a researcher has in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.helpers import small_run
from tests.helpers.cli import DOWN

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ("engine", "backtest", "hypotheses", "reports", "configs")
FILES = ("cme.py", "seeds.lock", "requirements.lock", ".gitignore", ".gitattributes", "pyproject.toml")
AT = "import sys, time; now = int(sys.argv.pop(1)); time.time_ns = lambda: now; import cme; sys.exit(cme.main())"
"""A process of ``cme`` whose clock stands at its first word, in nanoseconds."""


class Checkout:
    """A checkout ``root`` with the plan ``home``/registration.toml; ``data`` and ``runs`` lie beside it."""

    def __init__(self, folder: Path, study: Mapping[str, Any]) -> None:
        self.root, self.data, self.runs = folder / "checkout", folder / "data", folder / "runs"
        self.home = Path("configs", "prereg", str(study["study"]))
        self.plan = str(self.home / "registration.toml")
        for name in SOURCES:
            shutil.copytree(ROOT / name, self.root / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in FILES:
            shutil.copyfile(ROOT / name, self.root / name)
        (self.root / "tests").mkdir()
        shutil.copyfile(ROOT / "tests" / "requirements.lock", self.root / "tests" / "requirements.lock")
        small_run.write_config(self.root / self.home, study, "registration.toml")
        self.git("init", "-q")

    def git(self, *arguments: str) -> None:
        """Call git as a researcher with a name."""
        who = ["-c", "user.name=researcher", "-c", "user.email=researcher@example.org"]
        subprocess.run(["git", "-C", str(self.root), *who, *arguments], check=True, capture_output=True)

    def commit(self, message: str) -> None:
        """Commit all there is."""
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)

    def cme(self, *arguments: object, now_ns: int | None = None) -> subprocess.CompletedProcess[str]:
        """Call ``cme``; its clock stands at ``now_ns`` where one is given."""
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "CME_", "PYTEST"))}
        door = ["cme.py"] if now_ns is None else ["-c", AT, str(now_ns)]
        return subprocess.run(
            [sys.executable, "-P", *door, *map(str, arguments)],
            cwd=self.root, env={**plain, "PYTHONPATH": str(self.root)}, capture_output=True, text=True, timeout=1800,
        )  # fmt: skip

    def run(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Call ``cme run`` on the plan."""
        # a tracker that refuses at once: the tests of tracking wait for MLflow's store, this one need not, five times
        place = ["--data", self.data, "--out", self.runs, "--workers", 1, "--json", "--tracking", DOWN]
        return self.cme("run", self.plan, *place, *arguments)

    def freeze(self, *arguments: object, now_ns: int | None = None) -> subprocess.CompletedProcess[str]:
        """Call ``cme freeze`` on the plan."""
        return self.cme("freeze", "--registration", self.plan, "--data", self.data, *arguments, now_ns=now_ns)
