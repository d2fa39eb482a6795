"""Prints the verdicts of every window at the end of `cme run`, and where its report is.  [interface]"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from backtest.results.vocabulary import WORD_OF_STATUS
from backtest.terminal import echo


def print_summary(
    folders: Sequence[Path], store: str, as_json: bool, ends: Callable[[Path], Mapping[str, str]]
) -> None:
    """Print the verdicts of finished run directories on stdout: one JSON document if ``as_json``, else lines.

    ``store`` is the address of the MLflow store, printed as it is given.  ``ends`` returns, of a run directory, each
    constraint with its first empty stage and the reason.
    """
    runs = [(folder, _read(folder / "verdicts.json")) for folder in folders]
    if as_json:
        documents = [
            {"path": str(folder), "report": str(folder / "report.html"), "ends": dict(ends(folder)), **verdicts}
            for folder, verdicts in runs
        ]
        echo(json.dumps({"runs": documents, "mlflow": store}, indent=1))
        return
    for folder, verdicts in runs:
        window = verdicts["window"]
        market = "synthetic market, " if _read(folder / "manifest.json")["synthetic"] else ""
        span = f"{window['start'][:10]} to {window['end'][:10]}"
        echo(f"{folder.name}  ({market}{span}, {verdicts['run']['mode']})")
        for name in ("H1", "H2", "H3"):
            echo(f"  {name}  {verdicts[name]['verdict']:<12} {verdicts[name]['statement']}")
        for row in verdicts["H3"]["constraints"]:
            why = f": {row['status_reason']}" if row.get("status_reason") else ""
            echo(f"      {row['code']}  {WORD_OF_STATUS[row['status']]}{why}")
        for code, end in ends(folder).items():
            echo(f"  {code}  {end}")
        for line in _lacking(_read(folder / "funnel.json")):
            echo(f"  lacks   {line}")
        echo(f"  report  {folder / 'report.html'}")
    echo(f"MLflow    {store}")


def _lacking(funnel: dict[str, Any]) -> list[str]:
    """Return a line for each registered pair, triangle or venue that lacked an input, with on how many days."""
    return [
        f"{code}: {why} ({n} of its days)"
        for code, row in funnel.items()
        for registered in row.get("inputs", ())
        for why, n in registered["lacking"].items()
    ]


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
