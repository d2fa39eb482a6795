"""Compares a run of a recorded study with what was emitted, before its look is opened.  [live L0.5]

no difference      the run goes on; its manifest names the ledger
any difference     27: no look is used, no outcome read, no result written; the refusal's page names each signal
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from backtest.data.format.atomic_write import write_whole
from backtest.data.format.dataset import Dataset
from backtest.gate.run_mode import RunMode, analysis_id
from backtest.live.comparison import (
    EXIT,
    Emitted,
    differences,
    read_emitted,
    refusal_document,
    refusal_page,
    refusal_text,
)
from backtest.live.emit import records_of
from backtest.live.emitted_thresholds import thresholds_of
from backtest.live.join import check_digests, days_of_dataset
from backtest.live.live_folder import SHADOW, LiveFolder
from backtest.pipeline.emission import ChooseZ, emit_window
from backtest.pipeline.replays import PlansInForce, in_force_always
from backtest.records import Plan, Registration
from backtest.registration.window_dates import set_by_record
from backtest.tasks.scheduler import Workers
from engine.errors import GateError

REFUSED: Final = "refused"
"""Folder of the output folder that holds the pages of refusals."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A run whose signals are those that were emitted, with the plans in force."""

    run_mode: RunMode
    plans: PlansInForce
    emitted: Emitted | None = None  # the ledger that the replay equals


def needs_ledger(run_mode: RunMode, registration: Registration) -> bool:
    """Return whether a run may not start without the ledger of what was emitted: a look at a recorded window."""
    return run_mode.may_start and run_mode.mode == "confirmatory" and set_by_record(registration)


def pass_final_gate(
    run_mode: RunMode,
    registration: Registration,
    dataset_of: Callable[[], Dataset],
    live: Path | None,
    out: Path,
    workers: Workers,
    *,
    blinded: bool = False,
) -> Compared:
    """Return ``run_mode`` with the ledger that the replay equals, where one is needed or ``live`` names one.

    ``live`` is the folder of the daily operation; ``dataset_of`` opens the data set, once it is needed.  If ``blinded``
    the replay takes the thresholds of the emitted rows, since a fit would read outcomes.

    Raises ``run_mode.refusal`` if the run may not start, before anything is read; ``GateError`` (27) with every
    difference on a page below ``out``, 21 where the rows of a day are not as sealed, and what `read_emitted` raises.
    """
    if run_mode.refusal is not None:
        raise run_mode.refusal
    if live is None and not needs_ledger(run_mode, registration):
        return Compared(run_mode, in_force_always(registration))
    ledger = LiveFolder(live or Path("live")).ledger(registration.study)
    emitted = read_emitted(ledger.export, registration)
    shadow = LiveFolder(live or Path("live")).ledger(registration.study + SHADOW).export
    if shadow.exists():  # what H3 dropped before was emitted there: a replay judges all
        dropped = read_emitted(shadow, registration, SHADOW)
        emitted = replace(emitted, signals={**emitted.signals, **dropped.signals})
    dataset = dataset_of()
    for plan in registration.windows:
        z_of = thresholds_of(emitted, plan) if blinded else None
        _compare(dataset, registration, plan, emitted, out, workers, z_of)
    run_mode = replace(run_mode, facts={**run_mode.facts, "emitted": emitted.facts()})
    return Compared(run_mode, emitted.plans, emitted)


def _compare(
    dataset: Dataset, registration: Registration, plan: Plan, emitted: Emitted, out: Path, workers: Workers,
    z_of: ChooseZ | None,
) -> None:  # fmt: skip
    days = days_of_dataset(dataset)
    check_digests(dataset, days)
    emission = emit_window(dataset, emitted.plans, plan, workers=workers, report=None, with_history=False, z_of=z_of)
    replayed = records_of(emission, dataset, emitted.plans)
    gap_days = frozenset(row["day"] for row in days if row["gaps"])
    found = differences(replayed, emitted.signals, gap_days)
    pages = refusal_paths(out, analysis_id(registration, plan))
    if not found:
        for path in pages:
            with suppress(FileNotFoundError):
                path.unlink()
        return
    document = refusal_document(found, emitted, analysis_id(registration, plan))
    texts = (json.dumps(document, indent=1, sort_keys=True) + "\n", refusal_page(document))
    for path, text in zip(pages, texts, strict=True):
        write_whole(path, text.encode())
    raise GateError(f"{refusal_text(found, emitted, len(replayed))}; all of them: {pages[1]}", exit_code=EXIT)


def refusal_paths(out: Path, analysis: str) -> tuple[Path, Path]:
    """Return where the refusal of an analysis lies below ``out``: as JSON, and as a page."""
    name = analysis.replace("/", "-")
    return out / REFUSED / f"{name}.json", out / REFUSED / f"{name}.md"
