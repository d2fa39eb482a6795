"""The examples of the doors that a notebook uses: each one runs, and each door has one.  [house "How it is written"]"""

from __future__ import annotations

import ast
import doctest
import importlib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOORS = (
    "engine/constraints",
    "engine/costs",
    "backtest/folds",
    "backtest/data",
    "hypotheses/statistics",
    "hypotheses/h1.py",
    "hypotheses/h1_answer.py",
    "hypotheses/notebook.py",
    "hypotheses/h2.py",
    "hypotheses/h3.py",
)

VENDOR = "it reads the files of a vendor; its tests read samples of them"
STAGE = "a stage inside a door of the same folder, whose example shows it at work"
DISK = "it reads and writes the files of a data set; `open_dataset` and `build` are the doors"

EXCEPTIONS: dict[str, str] = {
    **dict.fromkeys(
        (
            f"backtest/data/adapters/{name}"
            for name in (
                "binance/",
                "deribit/",
                "hyperliquid/",
                "vendors/",
                "workbook.py",
                "files.py",
                "tables.py",
                "arrow_size.py",
            )
        ),
        VENDOR,
    ),
    **dict.fromkeys((f"backtest/data/adapters/{name}.py" for name in ("instruments", "rows", "schedule")), STAGE),
    **dict.fromkeys((f"backtest/data/build/{name}.py" for name in ("chunk", "normalise")), STAGE),
    **dict.fromkeys((f"backtest/data/checks/{name}.py" for name in ("lag_scan", "samples", "series_stats")), STAGE),
    **dict.fromkeys(
        (f"backtest/data/format/{name}.py" for name in ("atomic_write", "manifest", "schema", "validate", "writer")),
        DISK,
    ),
    "backtest/data/raw/check_recording.py": "it reads a recording, which `cme record` writes",
    "backtest/data/raw/segment_chain.py": "it reads a file of a recording; `read_records` stands beside it",
    **dict.fromkeys((f"backtest/data/panels/{name}.py" for name in ("asof", "funding", "multi_day", "rows")), STAGE),
    "backtest/data/synthetic/": "inside the generator; `build_synthetic` is its door",
    "backtest/folds/curve_study.py": "it reads days of a data set; `fit` shows its result",
    "backtest/folds/registered_panels.py": "it reads days of a data set",
}
"""Path, or folder with a slash at its end -> why its functions have no example."""

WITH_EXAMPLES = (
    "backtest/data/adapters/registry.py",
    "backtest/data/build/assemble.py",
    "backtest/data/build/synthesise.py",
    "backtest/data/checks/check.py",
    "backtest/data/format/dataset.py",
    "backtest/data/panels/reader.py",
)
"""Files of the folders above that a notebook calls: no exception."""


def doors() -> list[str]:
    """Return the files of the doors that define a public function."""
    paths = [
        path
        for door in DOORS
        for path in ([ROOT / door] if door.endswith(".py") else sorted((ROOT / door).rglob("*.py")))
    ]
    return [path.relative_to(ROOT).as_posix() for path in paths if _has_a_public_function(path)]


def _has_a_public_function(path: Path) -> bool:
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return any(isinstance(node, ast.FunctionDef) and not node.name.startswith("_") for node in body)


@cache
def examples(file: str) -> tuple[doctest.DocTest, ...]:
    """Return the docstrings of a file that hold examples."""
    module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
    return tuple(test for test in doctest.DocTestFinder(exclude_empty=True).find(module) if test.examples)


def excepted(file: str) -> str | None:
    """Return the entry that excepts a file, or None."""
    if file in WITH_EXAMPLES:
        return None
    return next((entry for entry in EXCEPTIONS if file == entry or (entry[-1] == "/" and file.startswith(entry))), None)


@pytest.mark.parametrize("file", [file for file in doors() if excepted(file) is None])
def test_a_door_has_an_example(file: str) -> None:
    """A reader of a notebook sees a call and its result."""
    assert examples(file), f"{file}: expected an Examples section in a public function, was none"


@pytest.mark.parametrize("file", doors())
def test_an_example_shows_what_the_function_returns(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is run from the root of the checkout, as a reader would."""
    monkeypatch.chdir(ROOT)
    report: list[str] = []
    for test in examples(file):
        runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.NORMALIZE_WHITESPACE)
        runner.run(test, out=report.append, clear_globs=False)

    assert not report, "".join(report)


def test_an_exception_is_needed() -> None:
    """An entry of a file that has an example by now, or that is gone, is dropped."""
    without = [file for file in doors() if not examples(file)]

    assert [entry for entry in EXCEPTIONS if not any(excepted(file) == entry for file in without)] == []
