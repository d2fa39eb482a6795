"""What a command costs before it does anything: `cme --help` against a bare interpreter, `cme judge` without its
statistics against importing the libraries that tables need.

CPU seconds, user and system, of a process of its own.  What only a statistic loads (scipy, statsmodels, arch) counts
with the statistics: everything inside the calls that compute verdicts and sensitivities is taken off.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.market import ROOT
from benchmarks.measure import TURNS, Row, machine, table

JUDGE = """
import sys, time
from hypotheses import commands, judge
from hypotheses.sensitivity import write as sensitivity
import cme
spent = 0.0
def timed(work):
    def call(*given, **named):
        global spent
        began = time.process_time()
        try:
            return work(*given, **named)
        finally:
            spent += time.process_time() - began
    return call
judge.judge, sensitivity.write = timed(judge.judge), timed(sensitivity.write)
try:
    cme.main(["judge", sys.argv[1], "--json", "--quiet"])
except SystemExit as ended:
    print(time.process_time() - spent, file=sys.stderr)
"""


def seconds(command: Sequence[str]) -> float:
    """Return the CPU seconds of a process, user and system."""
    before = os.times()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def rows() -> list[Row]:
    """Return the row of help and that of judging a small run that is already there."""
    from tests.helpers.small_run import make, write_config

    python = [sys.executable, "-W", "ignore", "-c"]
    tables = "import numpy, pandas, pyarrow.parquet, pydantic, click"
    with tempfile.TemporaryDirectory() as folder:
        run = make(write_config(Path(folder)), Path(folder) / "runs").folder

        def judged() -> float:
            done = subprocess.run([*python, JUDGE, str(run)], cwd=ROOT, check=True, capture_output=True, text=True)
            return float(done.stderr.split()[-1])

        return [
            _row("cme --help", lambda: seconds([*python, "import cme; cme.main(['--help'])"]),
                 "python -c pass", lambda: seconds([*python, "pass"]), "under 0.15 s on an idle machine"),
            _row("cme judge RUN, statistics taken off", judged,
                 "import numpy, pandas, pyarrow, pydantic", lambda: seconds([*python, tables]), "under 2 s"),
        ]  # fmt: skip


def _row(name: str, ours: Callable[[], float], beside: str, theirs: Callable[[], float], aim: str) -> Row:
    ours(), theirs()
    pairs = np.array([(ours(), theirs()) for _ in range(TURNS)])
    ratio, (mine, other) = pairs[:, 0] / pairs[:, 1], np.median(pairs, axis=0)
    low, high = np.percentile(ratio, [25, 75])
    return Row(name, f"{mine:.3g} s", beside, f"{other:.3g} s", float(np.median(ratio)), float(low), float(high), aim)


if __name__ == "__main__":
    print(table(rows()))
    print(machine())
