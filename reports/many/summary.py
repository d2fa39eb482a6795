"""What one line about a run needs, from the small files of its directory.  [S8.6]"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backtest.results.vocabulary import WORD_OF_STATUS
from backtest.rundir.files import read_object
from engine.errors import CmeError, MissingError
from reports.citation import SourcedFloat, key_name, key_of, sourced, total, with_sources
from reports.load import PLAN, plan_of

CLAIMS = ("H1", "H2", "H3")
MANIFEST, VERDICTS = "manifest.json", "verdicts.json"


@dataclass(frozen=True, slots=True)
class Summary:
    """One finished run, without its tables.

    ``answers`` has the word for each of H1, H2, H3 and is empty for a run that judges none of them (a covenant study).
    ``sharpe`` is annualised and net, ``ev_usd`` a mean of modelled USD a day; None is undefined.  ``constraints`` has,
    by code, the word for the status and the Sharpe ratio.  ``plan`` has the values in force by dotted key, as JSON.
    """

    path: Path
    run_id: str
    study: str
    title: str
    mode: str
    synthetic: bool
    start: str
    end: str
    answers: Mapping[str, str]
    sharpe: float | None
    sharpe_interval: tuple[float, float] | None
    p_n1: float | None
    p_n2: float | None
    n_days: int | None
    trades: int | None
    ev_usd: float | None
    ev_upper_usd: float | None
    constraints: Mapping[str, tuple[str, float | None]]
    inputs: Mapping[str, str]
    plan: Mapping[str, str]


def is_run(path: Path) -> bool:
    """Return whether ``path`` is a finished run directory."""
    return (path / MANIFEST).is_file()


def summary_of(path: Path) -> Summary:
    """Return the summary of the run directory ``path``.

    Raises ``MissingError`` (3) where it is no finished run, or one of its files cannot be read.
    """
    if not is_run(path):
        raise MissingError(f"{path}: expected a finished run with {MANIFEST}, found none; `cme list` shows the runs")
    try:
        manifest = with_sources(read_object(path / MANIFEST), f"{key_name(path.name)}/{MANIFEST}")
        judged = (path / VERDICTS).is_file()
        verdicts = with_sources(read_object(path / VERDICTS), f"{key_name(path.name)}/{VERDICTS}") if judged else {}
        return _summary(path, manifest, verdicts, dict(_plan_of(path)))
    except CmeError as problem:
        raise MissingError(f"{path}: {problem}") from problem
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as problem:
        raise MissingError(
            f"{path}: expected the files of a run as this version writes them, was: {problem!r:.200}; run it again, or "
            "read it with the version that its manifest names"
        ) from problem


def summaries(folder: Path) -> tuple[list[Summary], dict[str, str]]:
    """Return the runs in ``folder``, by study and window, and by name the reason of each that cannot be read.

    Raises ``MissingError`` (3) where ``folder`` is no folder.
    """
    if not folder.is_dir():
        raise MissingError(f"{folder}: expected a folder of runs, found none; `cme run` writes to runs/")
    read, unreadable = [], {}
    for path in sorted(entry for entry in folder.iterdir() if is_run(entry)):
        try:
            read.append(summary_of(path))
        except MissingError as problem:
            unreadable[path.name] = str(problem)
    return sorted(read, key=lambda run: (run.study, run.start, run.run_id)), unreadable


def _summary(path: Path, manifest: dict[str, Any], verdicts: dict[str, Any], plan: dict[str, str]) -> Summary:
    h1, h2, h3 = (verdicts.get(name) or {} for name in CLAIMS)
    window, ends = manifest["window"], h1.get("ci")
    return Summary(
        path=path,
        run_id=manifest["id"],
        study=manifest["study"],
        title=manifest["title"],
        mode=manifest["mode"],
        synthetic=bool(manifest["synthetic"]),
        start=window["start"][:10],
        end=window["end"][:10],
        answers={name: str(verdicts[name]["verdict"]) for name in CLAIMS if name in verdicts},
        sharpe=_float(h1.get("sharpe")),
        sharpe_interval=(_number(ends[0]), _number(ends[1])) if ends else None,
        p_n1=_float(h1.get("p_n1")),
        p_n2=_float(h1.get("p_n2")),
        n_days=h1.get("n_days"),
        trades=total(row["trades"] for row in h3["constraints"]) if h3.get("constraints") else None,
        ev_usd=_float(h2.get("mean_usd_per_day")),
        ev_upper_usd=_float(h2.get("upper_95")),
        constraints={
            str(row["code"]): (WORD_OF_STATUS[row["status"]], _float(row["sharpe"]))
            for row in h3.get("constraints", ())
        },
        inputs={name: manifest[key] for name, key in _INPUTS.items() if manifest.get(key)},
        plan=plan,
    )


_INPUTS = {
    "data": "dataset_hash", "engine": "engine_hash", "seeds": "seeds_hash", "plan": "config_hash", "commit": "commit",
}  # fmt: skip


def _number(value: object) -> float:
    return SourcedFloat(float(str(value)), key_of(value))


def _float(value: object) -> float | None:
    return None if value is None else _number(value)


def _plan_of(path: Path) -> Iterator[tuple[str, str]]:
    """Yield each value of the plan in force by its dotted key; nothing for a run that keeps no plan of this form."""
    if (path / "registration.toml").is_file():
        yield from _leaves("", plan_of(path), key_name(path.name))


def _leaves(prefix: str, value: object, run: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _leaves(f"{prefix}.{key}" if prefix else str(key), below, run)
    elif isinstance(value, list) and any(isinstance(entry, dict) for entry in value):
        for number, entry in enumerate(value):
            yield from _leaves(f"{prefix}[{_name_of(entry) or number}]", entry, run)
    else:
        shown = json.dumps(value, default=str, ensure_ascii=False)
        yield prefix, sourced(shown, f"{run}/{PLAN}: {key_name(prefix)}")


def _name_of(entry: object) -> str:
    """Return what an entry of an array of tables is called in an amendment: its item or its name."""
    return str(entry.get("item") or entry.get("name") or "") if isinstance(entry, dict) else ""
