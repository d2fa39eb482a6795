"""What is imported when: heavy libraries wait until somebody needs them.  Sets of modules, no times.  [interface]"""

from __future__ import annotations

import json
import subprocess
import sys

from tests.helpers.small_run import ROOT

HEAVY = {
    "numpy", "pandas", "pyarrow", "pydantic", "scipy", "statsmodels", "arch", "sklearn", "matplotlib", "mlflow",
    "sqlalchemy", "joblib", "jinja2", "cryptography", "distributed", "dask",
}  # fmt: skip
HELPS = """
import contextlib, io, json, sys, cme
for words in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        cme.main([*words, "--help"])
    print(json.dumps([" ".join(words), sorted(set(json.loads(sys.argv[2])) & set(sys.modules))]))
"""


def loaded(code: str, *arguments: object) -> str:
    """What ``code`` prints in a new process."""
    command = [sys.executable, "-W", "ignore", "-c", code, *map(json.dumps, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_no_help_loads_a_heavy_library() -> None:
    """Every command of the door, and the members of its groups."""
    import cme

    groups = {
        "data": ("build", "check", "join", "sources", "synth"), "verify": ("compare",), "track": ("sync", "audit")
    }  # fmt: skip
    words = [[], *([name] for name in cme.COMMANDS)]
    words += [[group, member] for group, members in groups.items() for member in members]
    lines = [json.loads(line) for line in loaded(HELPS, words, sorted(HEAVY)).splitlines()]

    assert len(lines) == len(words)
    assert [line for line in lines if line[1]] == []


def test_judging_loads_the_statistics_only_to_compute_them() -> None:
    """Reading a run and its registration needs tables; scipy, statsmodels and arch come with the first statistic."""
    code = """
import json, sys
import hypotheses.commands
from backtest.seeds import streams
from backtest.registration.load import load_registration
from hypotheses import judge, load
from hypotheses.sensitivity import write
from hypotheses.sensitivity.thresholds import find_dataset
print(json.dumps(sorted(set(json.loads(sys.argv[1])) & set(sys.modules))))
"""
    assert set(json.loads(loaded(code, sorted(HEAVY)))) == {"numpy", "pandas", "pyarrow", "pydantic"}


def test_a_run_loads_the_tracker_at_its_end_and_a_cluster_when_one_is_named() -> None:
    """Nothing that `cme run` imports to compute loads MLflow or Dask."""
    code = """
import json, sys
from backtest.gate import run_mode
from backtest.pipeline import placements, window
from backtest.rundir import write
from backtest.tasks import scheduler
from backtest.tracking import mlflow_sync
print(json.dumps(sorted(set(json.loads(sys.argv[1])) & set(sys.modules))))
"""
    found = set(json.loads(loaded(code, sorted(HEAVY))))
    assert "numpy" in found
    assert not found & {"mlflow", "sqlalchemy", "distributed", "dask", "matplotlib", "scipy", "arch", "statsmodels"}
