"""`cme detect`: the engine alone, one row a package that violates a relation.  [interface]"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backtest.terminal import echo, remark
from engine.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

    from backtest.data.format.dataset import Dataset
    from backtest.pipeline.detection import Question, Tally
    from backtest.records import Registration
    from engine.params import Fitted


@click.command(epilog="Example: cme detect build/demo --constraint C3 --constraint C4 --out build/violations.parquet")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--constraint", "codes", multiple=True, metavar="CODE", help="Such as C1; repeatable; all where none is.")
@click.option("--from", "first", metavar="T", help="First grid time: 2026-01-05, 2026-01-05T08:00:00Z or nanoseconds.")
@click.option("--to", "last", metavar="T", help="End, itself not included; the end of the data where not given.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Parquet file to write.")
@click.option("--mids-only", is_flag=True, help="Subtract no cost and judge nothing.")
@click.option("--min-gross-bps", default=0.0, show_default=True, help="Gross a row must exceed, bps of S.")
@click.option("--config", type=click.Path(path_type=Path), help="Registration; the data set's own where not given.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout and nothing else there.")
@click.option("--quiet", is_flag=True, help="No progress and no remarks on stderr.")
def detect(
    folder: Path,
    codes: Sequence[str],
    first: str | None,
    last: str | None,
    out: Path,
    mids_only: bool,
    min_gross_bps: float,
    config: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Write every package of the data set in DIR whose gross exceeds --min-gross-bps, with its net and its verdict.

    \b
    Columns: t_ns constraint underlying venue expiry_ns legs gross_bps cost_bps net_bps cost_model threshold_bps
    fires touch_bps reason; sorted by (t_ns, constraint, legs). net = gross + carry - cost, in bps of the reference
    price; touch_bps is the gross at bid and ask, before fees.
    C5 needs a plan whose windows have dates: without them no fold is fitted, and a remark says so.
    """
    from backtest.data.format.dataset import open_dataset
    from backtest.pipeline import detection
    from backtest.pipeline.check_plan import check_plan
    from backtest.registration.dates import undated
    from backtest.registration.first_days import require_known_from

    dataset = open_dataset(folder)
    registration = registration_of(dataset, config)
    check_plan(dataset, registration, at_mids=mids_only)
    begin, end = span_of(dataset)
    question = detection.Question(
        detection.known_codes(codes, registration.params),
        begin if first is None else time_of(first, "--from"),
        end if last is None else time_of(last, "--to"),
        min_gross_bps,
        mids_only,
    )
    if not mids_only:
        require_known_from(registration, question.from_ns)
    tally = detection.Tally()
    fitted = _write(dataset, registration, question, tally, out, quiet)
    why = undated(registration) if "C5" in question.codes else None
    remarks = [f"C5: no fold to fit its curve on: {why}"] if why else []
    remarks += [*detection.unidentified(fitted), *(f"{text} ({n} blocks)" for text, n in tally.missing.items())]
    if not quiet:
        for sentence in remarks:
            remark(sentence)
    document = _document(dataset, registration, question, tally, out, remarks)
    echo(json.dumps(document, indent=1) if as_json else _text(document))


def registration_of(dataset: Dataset, config: Path | None) -> Registration:
    """Return the registration at ``config``, else the one inside the data set, its bytes checked.

    Raises ``UsageError`` (2) where there is neither.
    """
    from backtest.data.format.dataset import REGISTRATION_FILE
    from backtest.registration.load import load_registration

    if config is not None:
        return load_registration(config)
    if REGISTRATION_FILE not in dataset.files:
        raise UsageError(
            f"{dataset.path}: expected a {REGISTRATION_FILE} in the data set, was none: name the registration with "
            f"--config, or build the data set again"
        )
    # Reading it through the data set checks its hash before it is believed.
    dataset.read(REGISTRATION_FILE)
    return load_registration(dataset.path / REGISTRATION_FILE)


def span_of(dataset: Dataset) -> tuple[int, int]:
    """Return the first instant of the data set's first day and the first after its last, ns UTC.

    Raises ``UsageError`` (2) for a data set without any day.
    """
    from engine.units import NS_PER_DAY

    span = dataset.day_span
    if span is None:
        raise UsageError(f"{dataset.path}: expected a data set with quotes, was one without any day")
    return span[0] * NS_PER_DAY, (span[1] + 1) * NS_PER_DAY


def time_of(text: str, option: str) -> int:
    """Return nanoseconds UTC of a date, a time with Z or an offset (none: UTC), or an integer.

    Raises ``UsageError`` (2) naming ``option`` for any other text.
    """
    from engine.units import NS_PER_SECOND

    if text.lstrip("-").isdigit():
        return int(text)
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{option}: expected 2026-01-05, 2026-01-05T08:00:00Z or nanoseconds since 1970, was {text!r}"
        ) from None
    when = when.replace(tzinfo=UTC) if when.tzinfo is None else when
    # In whole numbers: `timestamp()` is a float and loses the last digits.
    since = when - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * NS_PER_SECOND + since.microseconds * 1_000


def _write(
    dataset: Dataset, registration: Registration, question: Question, tally: Tally, out: Path, quiet: bool
) -> tuple[Fitted, ...]:
    """Write the rows day by day; return the fits C5 was given."""
    from backtest.folds.curve_study import daily_curves, empty_history
    from backtest.pipeline import detection
    from backtest.terminal import progress

    params = registration.params
    curves = {name: empty_history(params, name) for name in params.underlyings}
    fitted: tuple[Fitted, ...] = ()
    # Only C5 is fitted, on the curves of every day before a fold's end.
    if "C5" in question.codes and registration.dated:
        begin, _ = span_of(dataset)
        for name in detection.underlyings_of(dataset, params):
            curves[name] = daily_curves(dataset, params, name, begin, question.to_ns)
        fitted = detection.fits_of(registration, curves)
    with progress("detect", quiet) as on_progress, parquet_whole(out, detection.ROWS) as write:
        for day, table in detection.tables(dataset, registration, question, fitted, curves, tally):
            write(table)
            on_progress(
                f"{datetime.fromtimestamp(day * 86_400, UTC).date()}  {sum(tally.rows.values()):,} rows", 0, None
            )
    return fitted


@contextmanager
def parquet_whole(path: Path, schema: pa.Schema) -> Iterator[Any]:
    """Yield a function that appends a table to ``path``, which is there whole at the end or as it was.

    Rows go to a temporary file beside the target, one row group a table; a failure removes it.
    """
    import pyarrow.parquet as pq

    from backtest.data.format.atomic_write import refusing_half
    from engine.ledger.durable import sync_folder

    # With the number of the process: two commands may write to one path.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.writing")
    with refusing_half(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with temporary.open("wb") as stream:
                with pq.ParquetWriter(stream, schema, compression="zstd") as writer:
                    yield lambda table: writer.write_table(table) if table.num_rows else None
                # On the disk before it takes the target's name: a rename may outlast a crash that its bytes do not.
                stream.flush()
                os.fsync(stream.fileno())
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        sync_folder(path.parent)


def _document(
    dataset: Dataset, registration: Registration, question: Question, tally: Tally, out: Path, remarks: list[str]
) -> dict[str, Any]:
    return {
        "path": str(out),
        "dataset_hash": dataset.dataset_hash,
        "config_hash": registration.config_hash,
        "study": registration.study,
        "from_ns": question.from_ns,
        "to_ns": question.to_ns,
        "mids_only": question.mids_only,
        "min_gross_bps": question.min_gross_bps,
        "rows": sum(tally.rows.values()),
        "constraints": {
            code: {
                "rows": tally.rows[code],
                "fires": tally.fires[code],
                "untradable": tally.reasons.get(code, Counter())["untradable"],
                "other_fits": tally.other_fits[code],
                "reasons": dict(sorted(tally.reasons.get(code, {}).items())),
            }
            for code in question.codes
        },
        "remarks": remarks,
    }


def _text(document: dict[str, Any]) -> str:
    heads = ("rows", "fires", "untradable")
    titles = "".join(f"{head:>11}" for head in heads)
    lines = [f"{document['path']}: {document['rows']} rows", f"{'':4}{titles}  not because of"]
    for code, counts in document["constraints"].items():
        why = ", ".join(f"{reason} {n}" for reason, n in counts["reasons"].items())
        lines.append(f"{code:4}{''.join(f'{counts[head]:>11}' for head in heads)}  {why}".rstrip())
        if counts["other_fits"]:
            lines.append(f"{'':4}of {counts['other_fits']} untradable ones another triple fits; it is not tried")
    return "\n".join(lines)
