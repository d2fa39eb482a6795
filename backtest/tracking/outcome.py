"""Writes one window into the journal of a run: its names, answers, headline numbers and files."""

from __future__ import annotations

import json
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Final

from backtest.results.vocabulary import WORD_OF_STATUS
from backtest.tracking.journal import Journal

SHARPE: Final = "h1/sharpe"


def of_window(name: str, start: str) -> str:
    """Return the key under which a metric of the window that begins on the day ``start`` is recorded."""
    return f"{name}.{start.replace('-', '_')}"


def journal_judged(log: Journal, folder: Path, sharpe: Decimal | None) -> None:
    """Write what the deflated ratio counts as a trial to the disk, before a verdict of the window can be read.

    A run that is killed after its verdicts were seen has therefore been counted.  [statistics 3.5]
    """
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    for name in ("registration", "engine_seal", "data"):
        log.tag(name, str(manifest[name]))
    if sharpe is not None:
        log.metric(of_window(SHARPE, manifest["window"]["start"]), float(sharpe))
    # A stage flushes what is before it to the disk.
    log.stage("judged")


def journal_results(log: Journal, folder: Path) -> None:
    """Record a window's names, headline numbers and files in the journal, which MLflow is synced from."""
    verdicts = json.loads((folder / "verdicts.json").read_text(encoding="utf-8"))
    window = verdicts["window"]["start"][:10]
    for name in ("registration", "engine_seal", "data", "seeds", "commit", "digest"):
        log.tag(f"{name}.{window}" if name == "digest" else name, str(verdicts["run"][name]))
    for key, value in (
        (SHARPE, verdicts["H1"]["sharpe"]),
        ("h1/p_n1", verdicts["H1"]["p_n1"]),
        ("h1/p_n2", verdicts["H1"]["p_n2"]),
        ("h1/p_n3", verdicts["H1"]["p_n3"]),
        ("h2/mean_usd_per_day", verdicts["H2"]["mean_usd_per_day"]),
        ("h2/signals", verdicts["H2"]["signals"]),
        ("h3/retained", len(verdicts["H3"]["retained"])),
    ):
        if value is not None:
            log.metric(of_window(key, window), value)
    for key in ("H1", "H2", "H3"):
        log.tag(of_window(key.lower(), window), str(verdicts[key]["verdict"]))
    for row in verdicts["H3"]["constraints"]:
        log.tag(of_window(str(row["code"]).lower(), window), WORD_OF_STATUS[row["status"]])
    name = str(verdicts["run"]["id"])  # the folder is still that of a run in the making
    beside = log.path.parent / name
    beside.mkdir()
    for file in ("verdicts.json", "digest.txt", "report.html", "registration.toml"):
        shutil.copyfile(folder / file, beside / file)
        log.artifact(f"{name}/{file}")


def journal_blinded(log: Journal, folder: Path) -> None:
    """Record a blinded run of a window in the journal: its inputs, its operational counts, its document.  [live L0.7]

    No figure of an answer is among them: it would count as a trial.
    """
    document = json.loads((folder / "blinded.json").read_text(encoding="utf-8"))
    for name in ("config_hash", "engine_hash", "dataset_hash", "seeds_hash"):
        log.tag(name, str(document[name]))
    for name, value in document["counts"].items():
        log.metric(of_window(f"blinded/{name}", document["window"]["start"]), int(value))
    beside = log.path.parent / folder.name
    beside.mkdir()
    shutil.copyfile(folder / "blinded.json", beside / "blinded.json")
    log.artifact(f"{folder.name}/blinded.json")
