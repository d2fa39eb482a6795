"""Joins sealed days into one canonical data set: codes numbered anew, each day's digest checked.  [live L3]"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from backtest.data.format.dataset import Dataset, SourceNote, open_dataset, parse_parquet
from backtest.data.format.writer import DatasetWriter
from backtest.data.raw.gap_ledger import GAPS_FILE, GapRow, across_days, gap_lines
from backtest.live.day_chain import DAY_SEALED, DAYS_FILE, DayChain, day_number, read_days
from backtest.live.digest import day_digest
from backtest.live.recode import Listing, instruments_of, listings, recoded
from backtest.live.seal import LICENCE
from engine.errors import GateError, MissingError

CHAIN_COPY: Final = "days.jsonl"
"""The chain's file inside the data set: what each day's digest is checked with, by whoever has only the data set."""


def join_days(folder: Path, out: Path, name: str, registration_text: str | None = None) -> Dataset:
    """Return the data set in ``out`` of every sealed day in ``folder``, with the chain and the gaps beside them.

    Raises ``MissingError`` (3) where no day is sealed, ``GateError`` (21) where the rows of a day are not those of its
    digest, and whatever the writer raises.
    """
    chain = read_days(folder)
    if not chain.rows:
        raise MissingError(f"expected sealed days in {folder / DAYS_FILE}, found none: `cme emit` seals them")
    parts = {row["day"]: open_dataset(folder / row["day"]) for row in chain.rows}
    first = next(iter(parts.values()))
    union: dict[str, Listing] = {}
    for day, part in parts.items():
        for instrument, fields in listings(part.instruments).items():
            if union.setdefault(instrument, fields) != fields:
                raise GateError(
                    f"{folder / day}: expected {instrument} with the fields of its first day, was another row",
                    exit_code=DAY_SEALED,
                )
    instruments = instruments_of(union.values())
    with DatasetWriter(out, name, first.grid_ns, first.synthetic, _notes(parts)) as writer:
        writer.set_instruments(instruments)
        for day, part in parts.items():
            for path in sorted(path for path in part.files if path.startswith("quotes/")):
                rows = recoded(parse_parquet(part.read(path), part.path / path).read(), part.instruments, instruments)
                writer.write_day(path.split("/")[1], day_number(day), rows, part.files[path].source, LICENCE)
        writer.add_file(CHAIN_COPY, (folder / DAYS_FILE).read_bytes(), "days", "", rows=len(chain.rows))
        writer.add_file(GAPS_FILE, gap_lines(_gaps(chain)), "days", "")
        if registration_text is not None:
            writer.add_registration(registration_text)
        joined = open_dataset(writer.finish())
    check_digests(joined, chain.rows)
    return joined


def _gaps(chain: DayChain) -> list[GapRow]:
    """Return the gaps that the evidence of the days declares, those over midnight as one."""
    rows = [
        GapRow(gap["instrument"], gap["instrument"].partition(":")[0], "", gap["from_ns"], gap["to_ns"], gap["why"],
               gap["proof"])
        for row in chain.rows
        for gap in chain.evidence(row)["gaps"]
    ]  # fmt: skip
    return across_days(rows)


def check_digests(joined: Dataset, rows: Sequence[Mapping[str, Any]]) -> None:
    """Raise ``GateError`` (21) for the first of a chain's ``rows`` whose day in ``joined`` is not as it was sealed.

    The file of a day was coded anew at the join; its digest over names may not change.
    """
    for row in rows:
        digest = day_digest(joined, day_number(row["day"]))
        if digest != row["digest"]:
            raise GateError(
                f"{joined.path}: expected the digest {row['digest']} of day {row['day']}, was {digest}: the rows are "
                "not those that were sealed",
                exit_code=DAY_SEALED,
            )


def days_of_dataset(dataset: Dataset) -> tuple[Mapping[str, Any], ...]:
    """Return the rows of the chain that a joined data set brings along; none where it was not joined from days."""
    if CHAIN_COPY not in dataset.files:
        return ()
    dataset.read(CHAIN_COPY)  # hashed before it is parsed
    return read_days(dataset.path).rows


def _notes(parts: Mapping[str, Dataset]) -> tuple[SourceNote, ...]:
    return tuple(dict.fromkeys(note for part in parts.values() for note in part.sources))
