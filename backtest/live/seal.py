"""Seals a day: its canonical rows, its digest, what is missing for ever; a sealed day is never opened again.  [L2.1]

A day is written beside the chain first and appended last, so a kill in between leaves a folder that the same sealing
finds again with the same bytes.  A second sealing with another result is refused (21).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from backtest.data.format.atomic_write import write_whole
from backtest.data.format.dataset import Dataset, open_dataset
from backtest.data.format.manifest import MANIFEST_FILE
from backtest.data.format.writer import DatasetWriter
from backtest.live.day_chain import (
    DAY_SEALED,
    EVIDENCE_FILE,
    OF_ITS_SEALING,
    DayChain,
    append_day,
    date_text,
)
from backtest.live.day_source import DaySource, Gap, SourcedDay, converter_hash
from backtest.live.digest import day_digest
from backtest.live.field_changes import without_changed
from backtest.live.seal_rows import missing_rows, quoted_shares
from engine.errors import GateError
from engine.ledger.format.canonical_json import decimal_text
from engine.units import NS_PER_US

LICENCE: Final = "as recorded"
UP_SHARE: Final = Decimal("0.95")
"""Share of its minutes for which every feed is up on the first day of a recording.  [live L0.1]"""
NS_PER_MS: Final = 1_000_000


def starts_recording(day: SourcedDay) -> bool:
    """Return whether a day may be row 1: whole, and every registered feed up for 95% of its minutes.  [live L0.1]"""
    return bool(day.up_share) and min(day.up_share.values()) >= UP_SHARE


def seal_day(chain: DayChain, source: DaySource, sourced: SourcedDay, grid_ns: int, now_us: int,
             restart_of: str | None = None) -> DayChain:  # fmt: skip
    """Return the chain after ``sourced``, written below it as a canonical data set of one day.

    Raises ``GateError`` (21) if that day is sealed with another result, or is not the day after the last; ``DataError``
    (4) for rows that are out of form.
    """
    sourced = without_changed(sourced, chain)
    dataset = _written(chain.folder, source, sourced, grid_ns)
    evidence = _evidence(sourced)
    write_whole(chain.folder / date_text(sourced.day) / EVIDENCE_FILE, evidence)
    row = _row(source, sourced, dataset, evidence, now_us, restart_of)
    sealed = chain.row_of(sourced.day)
    if sealed is not None:
        _require_same(chain, sealed, row)
        return chain
    if chain.rows and sourced.day != chain.days[-1] + 1:
        raise GateError(
            f"{chain.folder}: expected the day after {chain.rows[-1]['day']}, was {row['day']}: days are sealed in "
            "order, none is left out",
            exit_code=DAY_SEALED,
        )
    return append_day(chain, row)


def _require_same(chain: DayChain, sealed: Mapping[str, Any], row: Mapping[str, Any]) -> None:
    differing = [key for key in row if key not in OF_ITS_SEALING and row[key] != sealed[key]]
    if differing:
        key = differing[0]
        raise GateError(
            f"{chain.folder}, day {row['day']}: expected {key} {sealed[key]} as sealed, was {row[key]}: a sealed day "
            "is never opened again; what arrived later is in the next day or missing",
            exit_code=DAY_SEALED,
        )


def _written(folder: Path, source: DaySource, sourced: SourcedDay, grid_ns: int) -> Dataset:
    """Return the data set of the day, written whole; one that a killed sealing left is compared by its hash."""
    target = folder / date_text(sourced.day)
    beside = folder / f".{date_text(sourced.day)}.sealing"
    with DatasetWriter(beside, date_text(sourced.day), grid_ns, source.synthetic, source.notes) as writer:
        writer.set_instruments(sourced.instruments)
        writer.set_funding_steps(sourced.funding_steps)
        for underlying, table in sorted(sourced.tables.items()):
            writer.write_day(underlying, sourced.day, table, source.name, LICENCE)
        made = open_dataset(writer.finish())
    if (target / MANIFEST_FILE).exists():
        known = open_dataset(target)
        _discard(beside)
        if known.dataset_hash != made.dataset_hash:
            raise GateError(
                f"{target}: expected the data set {known.dataset_hash} of an earlier sealing, was "
                f"{made.dataset_hash}: a day is sealed once",
                exit_code=DAY_SEALED,
            )
        return known
    beside.rename(target)
    return open_dataset(target)


def _discard(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def _row(source: DaySource, sourced: SourcedDay, dataset: Dataset, evidence: bytes, now_us: int,
         restart_of: str | None) -> dict[str, Any]:  # fmt: skip
    bound = sourced.clock_bound_ns
    up = min(sourced.up_share.values(), default=0.0)
    return {
        "schema": "day/1",
        "day": date_text(sourced.day),
        "digest": day_digest(dataset, sourced.day),
        "rows": sum(len(table) for table in sourced.tables.values()),
        "instruments": len(sourced.instruments),
        "dataset_hash": dataset.dataset_hash,
        "segments": len(sourced.segments),
        "segments_head": sourced.segments_head,
        "gaps": len(sourced.gaps),
        "gap_ms": sum(gap.to_ns - gap.from_ns for gap in sourced.gaps) // NS_PER_MS,
        "up_share": decimal_text(up, 6),
        "clock_bound_us": None if bound is None else bound // NS_PER_US,
        "missing": len(missing_rows(sourced)),
        "evidence_sha256": sha256(evidence).hexdigest(),
        "source": source.name,
        "converter": converter_hash(),
        "sealed_at_us": now_us,
        "restart_of": restart_of,
    }


def _evidence(sourced: SourcedDay) -> bytes:
    """Return segments, gaps (ms by instrument, and each), feeds, missing rows and quoted minutes, as indented JSON."""
    by_instrument: dict[str, int] = {}
    for gap in sourced.gaps:
        by_instrument[gap.instrument] = by_instrument.get(gap.instrument, 0) + (gap.to_ns - gap.from_ns) // NS_PER_MS
    document = {
        "day": date_text(sourced.day),
        "segments": [{"name": name, "sha256": digest} for name, digest in sourced.segments],
        "up_share": {feed: round(share, 6) for feed, share in sorted(sourced.up_share.items())},
        "gap_ms": dict(sorted(by_instrument.items())),
        "gaps": [_gap(gap) for gap in sorted(sourced.gaps, key=lambda gap: (gap.from_ns, gap.instrument, gap.to_ns))],
        "missing": missing_rows(sourced),
        "quoted_share": quoted_shares(sourced),
    }
    return (json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _gap(gap: Gap) -> dict[str, Any]:
    return {
        "instrument": gap.instrument, "from_ns": gap.from_ns, "to_ns": gap.to_ns, "why": gap.why, "proof": gap.proof,
    }  # fmt: skip
