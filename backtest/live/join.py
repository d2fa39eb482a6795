"""Joins sealed days into one canonical data set: codes numbered anew, each day's digest checked.  [live L3]"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from backtest.data.format.dataset import Dataset, SourceNote, open_dataset, parse_parquet
from backtest.data.format.funding_intervals import IntervalSteps
from backtest.data.format.manifest import FileEntry
from backtest.data.format.schema import QUOTE_SCHEMA
from backtest.data.format.writer import DatasetWriter, DaySpan, EncodedDay, encoded_day
from backtest.data.raw.gap_ledger import GAPS_FILE, GapRow, across_days, gap_lines
from backtest.live.code_column import with_codes
from backtest.live.dated_intervals import DATED, changing, over_days, with_intervals_of
from backtest.live.day_chain import DAY_SEALED, DAYS_FILE, DayChain, day_number, read_days
from backtest.live.digest import day_digest, rows_digest
from backtest.live.recode import Listing, instruments_of, listings, recoded
from backtest.live.seal import LICENCE
from engine.errors import DataError, GateError, MissingError
from engine.records import Instruments

CHAIN_COPY: Final = "days.jsonl"
"""The chain's file inside the data set: what each day's digest is checked with, by whoever has only the data set."""


def join_days(
    folder: Path, out: Path, name: str, registration_text: str | None = None, *, digests: bool = True
) -> Dataset:
    """Return the data set in ``out`` of every sealed day in ``folder``, with the chain and the gaps beside them.

    The digest of each day is computed from what was written.  Where not ``digests`` it is only of days whose data set
    is not the one that the chain names: of the others the same row of the chain has both hashes, of the same rows, and
    their files are hashed as they are read.  The bytes that are written do not depend on it.

    Raises ``MissingError`` (3) where no day is sealed or a file of one is not there, ``GateError`` (21) where the rows
    of a day are not those of its digest, and whatever the writer raises; then nothing is left in ``out``.
    """
    chain = read_days(folder)
    if not chain.rows:
        raise MissingError(f"expected sealed days in {folder / DAYS_FILE}, found none: `cme emit` seals them")
    parts = {row["day"]: open_dataset(folder / row["day"]) for row in chain.rows}
    first = next(iter(parts.values()))
    steps = over_days((day_number(day), part) for day, part in parts.items())
    instruments = _union(folder, parts, steps)
    with DatasetWriter(out, name, first.grid_ns, first.synthetic, _notes(parts)) as writer:
        writer.set_instruments(instruments)
        writer.set_funding_steps(changing(steps))
        for row in chain.rows:
            part, sealed = parts[row["day"]], []
            as_named = part.dataset_hash == row["dataset_hash"]
            for path in sorted(path for path in part.files if path.startswith("quotes/")):
                sealed.append(coded := _coded(part, path, day_number(row["day"]), instruments, as_named))
                writer.add_day(coded, part.files[path].source, LICENCE)
            if digests or not as_named:
                tables = [parse_parquet(coded.data, part.path / coded.path).read() for coded in sealed]
                whole = pa.concat_tables(tables) if tables else QUOTE_SCHEMA.empty_table()
                _check_digest(part.path, row, rows_digest(whole, with_intervals_of(instruments, part.instruments)))
        writer.add_file(CHAIN_COPY, (folder / DAYS_FILE).read_bytes(), "days", "", rows=len(chain.rows))
        writer.add_file(GAPS_FILE, gap_lines(_gaps(chain)), "days", "")
        if registration_text is not None:
            writer.add_registration(registration_text)
        return open_dataset(writer.finish())


def _union(folder: Path, parts: Mapping[str, Dataset], steps: Mapping[str, IntervalSteps]) -> Instruments:
    """Return the instruments of all days, with the last funding interval of ``steps``, by name.

    Raises ``GateError`` (21) where one has other fields than on its first day, the one that has dates left aside.
    """
    union: dict[str, Listing] = {}
    for day, part in parts.items():
        for instrument, fields in listings(part.instruments).items():
            dated = {**fields, DATED: int(steps[instrument].interval_ns[-1])}
            if union.setdefault(instrument, dated) != dated:
                raise GateError(
                    f"{folder / day}: expected {instrument} with the fields of its first day, was another row",
                    exit_code=DAY_SEALED,
                )
    return instruments_of(union.values())


def _coded(part: Dataset, path: str, day: int, instruments: Instruments, as_named: bool) -> EncodedDay:
    """Return a quote file of a sealed day under the codes of ``instruments``.

    Rows that the chain vouches for were checked as they were sealed, and their order stays: both tables are sorted by
    name.  So only the column of codes is encoded again, where the file has the form of this version.
    """
    data, entry, underlying = part.read(path), part.files[path], path.split("/")[1]
    parsed = parse_parquet(data, part.path / path)
    if as_named:
        codes = recoded(parsed.read(columns=["code"]), part.instruments, instruments).column("code").combine_chunks()
        other = with_codes(data, codes, part.linear_parts.get(path))
        if other is not None:
            return EncodedDay(underlying, path, other[0], len(codes), _span_ns(entry), other[1])
    return encoded_day(instruments, underlying, day, recoded(parsed.read(), part.instruments, instruments))


def _span_ns(entry: FileEntry) -> DaySpan:
    """Return the span of a file as its manifest has it, in microseconds: the manifest of the join says the same."""
    return None if entry.min_us is None or entry.max_us is None else (entry.min_us * 1000, entry.max_us * 1000)


def joined_before(target: Path, chain: DayChain) -> Dataset | None:
    """Return the data set in ``target``; None unless it is the join of ``chain`` and each file has its hash."""
    try:
        dataset = open_dataset(target)
        for path in dataset.files:
            dataset.read(path)
        return dataset if dataset.read(CHAIN_COPY) == (chain.folder / DAYS_FILE).read_bytes() else None
    except (MissingError, GateError, DataError):
        return None


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
        _check_digest(joined.path, row, day_digest(joined, day_number(row["day"])))


def _check_digest(where: Path, row: Mapping[str, Any], digest: str) -> None:
    if digest != row["digest"]:
        raise GateError(
            f"{where}: expected the digest {row['digest']} of day {row['day']}, was {digest}: the rows are not those "
            "that were sealed; bring back the folder of the day as it was sealed",
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
