"""Writes one window into the journal of a run: its names, answers, headline numbers and files.

A metric has one key in every window and every study; its step is the window's first day, or a fold's, as days since
1970-01-01.  So the runs of MLflow can be compared by key, and a key drawn over its steps is the study over time.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from backtest.records import Plan, Registration
from backtest.results.tables import read_table
from backtest.results.vocabulary import WORD_OF_STATUS
from backtest.tracking.journal import Journal
from backtest.tracking.windows import FOLD, SHARPE, day_of, of_window, step_of
from engine.units import MICRO, NS_PER_DAY

FIGURES: Final = "figures"
_LONGEST: Final = 50_000
"""Characters of a parameter that a line of the journal takes; a line is at most 65,536 bytes.  [audit 2.1]"""
Point = tuple[str, float | int | Decimal | None]
"""A metric's key and value; None is not recorded."""


def journal_plan(log: Journal, registration: Registration) -> None:
    """Record the plan as parameters: each value under its dotted key, a list as one JSON text.

    A text too long for a line of the journal is recorded as its SHA-256; the plan itself is an artifact of each window.
    """
    for key, value in _leaves(registration.content):
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
        log.param(key, text if len(text) <= _LONGEST else f"sha256:{sha256(text.encode('utf-8')).hexdigest()}")


def _leaves(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def journal_window(log: Journal, plan: Plan) -> None:
    """Record that what follows is of the window of ``plan``."""
    log.window(day_of(plan.t0_ns // NS_PER_DAY))


def journal_judged(log: Journal, folder: Path, sharpe: Decimal | None) -> None:
    """Write what the deflated ratio counts as a trial to the disk, before a verdict of the window can be read.

    A run that is killed after its verdicts were seen has therefore been counted.  [statistics 3.5]
    """
    manifest = _read(folder / "manifest.json")
    for name in ("registration", "engine_seal", "data"):
        log.tag(name, str(manifest[name]))
    if sharpe is not None:
        log.metric(SHARPE, float(sharpe), step_of(manifest["window"]["start"]))
    # A stage flushes what is before it to the disk.
    log.stage("judged")


def copies_of(log: Journal, folder: Path) -> Path:
    """Return the folder beside ``log`` for what it keeps of the run in ``folder``; the name is the run's id."""
    # The folder of the run is still that of a run in the making.
    return log.path.parent / str(_read(folder / "manifest.json")["id"])


def journal_results(log: Journal, folder: Path) -> None:
    """Record a window's names, headline numbers and files in the journal, which MLflow is synced from.

    Pictures that were written into ``figures`` of `copies_of` are recorded as they are.
    """
    verdicts, manifest = _read(folder / "verdicts.json"), _read(folder / "manifest.json")
    window = verdicts["window"]["start"][:10]
    for name in ("registration", "engine_seal", "data", "seeds", "commit", "digest"):
        log.tag(f"{name}.{window}" if name == "digest" else name, str(verdicts["run"][name]))
    for key, value in (*_points(verdicts, manifest["claims"]), *_points_of_constraints(verdicts)):
        if value is not None:
            log.metric(key, value, step_of(window))
    for key, value, step in _points_of_folds(folder):
        log.metric(FOLD + key, value, step)
    for key in ("H1", "H2", "H3"):
        log.tag(of_window(key.lower(), window), str(verdicts[key]["verdict"]))
    for row in verdicts["H3"]["constraints"]:
        log.tag(of_window(str(row["code"]).lower(), window), WORD_OF_STATUS[row["status"]])
    log.tag(of_window("run", window), str(verdicts["run"]["id"]))
    copies = copies_of(log, folder)
    copies.mkdir(exist_ok=True)
    for file in ("verdicts.json", "digest.txt", "report.html", "report.md", "registration.toml"):
        shutil.copyfile(folder / file, copies / file)
    for path in sorted(copies.rglob("*")):
        if path.is_file():
            log.artifact(path.relative_to(log.path.parent).as_posix())


def journal_blinded(log: Journal, folder: Path) -> None:
    """Record a blinded run of a window in the journal: its inputs, its operational counts, its document.  [live L0.7]

    No figure of an answer is among them: it would count as a trial.
    """
    document = _read(folder / "blinded.json")
    for name in ("config_hash", "engine_hash", "dataset_hash", "seeds_hash"):
        log.tag(name, str(document[name]))
    for name, value in document["counts"].items():
        log.metric(f"blinded/{name}", int(value), step_of(document["window"]["start"]))
    beside = log.path.parent / folder.name
    beside.mkdir()
    shutil.copyfile(folder / "blinded.json", beside / "blinded.json")
    log.artifact(f"{folder.name}/blinded.json")


def _points(verdicts: Mapping[str, Any], claims: Mapping[str, Any]) -> Iterator[Point]:
    h1, h2, h3 = verdicts["H1"], verdicts["H2"], verdicts["H3"]
    yield SHARPE, h1["sharpe"]
    yield from _interval(SHARPE, h1.get("ci"))
    yield "h1/sharpe_claim", Decimal(str(claims["sharpe"]))
    for key in ("p_n1", "p_n2", "p_n3", "psr", "dsr", "trials"):
        yield f"h1/{key}", h1.get(key)
    yield "h2/mean_usd_per_day", h2["mean_usd_per_day"]
    yield from _interval("h2/mean_usd_per_day", (h2.get("lower_95"), h2.get("upper_95")))
    yield "h2/claim_usd_per_day", Decimal(str(claims["ev_usd"]))
    yield "h2/naive_usd_per_day", h2.get("naive")
    yield "h2/realised_over_modelled", h2.get("realised_over_modelled")
    yield "h2/signals", h2["signals"]
    yield "h3/retained", len(h3["retained"])
    yield "h3/constraints", len(h3["constraints"])


def _points_of_constraints(verdicts: Mapping[str, Any]) -> Iterator[Point]:
    for row in verdicts["H3"]["constraints"]:
        code = str(row["code"]).lower()
        yield f"h3/{code}/sharpe", row.get("sharpe")
        yield from _interval(f"h3/{code}/sharpe", row.get("ci"))
        for key in ("p", "p_holm", "trades", "active_days"):
            yield f"h3/{code}/{key}", row.get(key)
        yield f"h3/{code}/coverage", verdicts["window"].get("coverage", {}).get(row["code"])


def _interval(key: str, ends: Any) -> Iterator[Point]:
    """Yield the ends of an interval beside its number; of one that is undefined, nothing."""
    if isinstance(ends, (list, tuple)):
        yield from zip((f"{key}_low", f"{key}_high"), ends, strict=True)


def _points_of_folds(folder: Path) -> Iterator[tuple[str, float | int, int]]:
    """Yield key, value and step of each test fold: its net result after the capital charge, trades, fitted capture."""
    daily = read_table(folder / "returns.parquet").set_index("day")["x"]
    for fold in _read(folder / "folds.json")["folds"]:
        first, end = fold["start_ns"] // NS_PER_DAY, -(-fold["end_ns"] // NS_PER_DAY)
        trades = read_table(folder / "folds" / f"{fold['fold']:02d}" / "trades.parquet")
        yield "net_usd", int(daily[(daily.index >= first) & (daily.index < end)].sum()) / MICRO, first
        yield "trades", int((trades["status"] == "traded").sum()), first
        yield "train_labels", fold["train"], first
        for code, share in fold["capture"].items():
            yield f"capture/{code.lower()}", share, first


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8")))
