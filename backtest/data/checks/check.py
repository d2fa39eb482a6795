"""Checks a data set and describes what is in it.  [S1.4, S1.5, audit 9.4]

Problems have an exit code (21 bytes that differ from the manifest, 3 a missing file, 4 schema, order, range or unit);
warnings are what a person should look at; the rest is description.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import numpy as np

from backtest.data.checks.ends import ends
from backtest.data.checks.lag import Lag
from backtest.data.checks.lag_scan import lags_of
from backtest.data.checks.level import Level
from backtest.data.checks.level_scan import levels_of
from backtest.data.checks.samples import sample
from backtest.data.checks.series_stats import SeriesStats, limits_ns
from backtest.data.format.dataset import Dataset, day_of, parse_parquet
from backtest.data.format.quote_file import in_file_order
from backtest.data.format.schema import Channel
from backtest.data.format.validate import canonical_rows
from backtest.data.panels.rows import DayBounds, read_channels
from backtest.terminal import OnProgress
from engine.errors import CmeError, DataError
from engine.records import Feed, Instruments, Kind
from engine.units import NEVER_NS, NS_PER_DAY

_QUOTES: Final = re.compile(r"quotes/([^/]+)/\d{4}-\d\d-\d\d\.parquet\Z")
# Problems in the order in which they decide the exit code: of a missing file nothing else is known.
_CODES: Final = (3, 21, 4)


@dataclass(frozen=True, slots=True)
class DatasetProblem:
    """A file that is wrong, with the exit code and the whole message."""

    exit_code: int
    path: str
    message: str


@dataclass(frozen=True, slots=True)
class InstrumentCheck:
    """What one instrument's rows look like; times in UTC microseconds, ages and gaps in nanoseconds (-1: unknown).

    ``coverage`` is the share of time with a quote not older than its bar, the grid step or a minute, from the first to
    the last day of the plan, of a data set without plan from its first to its last quote; what expires counts from its
    first quote to its expiry.  ``age_p50_ns`` and ``age_p95_ns`` are upper bounds to a factor of root two.
    """

    name: str
    underlying: str
    kind: str
    feed: str
    quotes: int
    first_us: int | None
    last_us: int | None
    days: int
    coverage: float | None
    age_p50_ns: int
    age_p95_ns: int
    longest_gap_ns: int
    one_sided: int
    empty: int
    crossed: int
    zero: int
    unsized: int
    jumps: int
    marks: int
    fundings: int
    settlements: int
    settlements_missing: int
    settlements_off_schedule: int


@dataclass(frozen=True, slots=True)
class DatasetReport:
    """The result of a check; ``exit_code`` 0: every listed file was checked and is right."""

    name: str
    dataset_hash: str
    synthetic: bool
    grid_ns: int
    files: int
    rows: int
    days: dict[str, tuple[int, int, int]]  # underlying -> first day, last day, days without a file between
    exit_code: int
    problems: tuple[DatasetProblem, ...]
    warnings: tuple[str, ...]
    instruments: tuple[InstrumentCheck, ...]
    lags: tuple[Lag, ...]
    levels: tuple[Level, ...]
    gaps: tuple[str, ...] = ()  # that a recording proved, a line an instrument


def check(
    dataset: Dataset,
    *,
    lags: bool = True,
    plan_ns: tuple[int, int] | None = None,
    on_progress: OnProgress | None = None,
) -> DatasetReport:
    """Return the report on an opened data set: every listed file is hashed, parsed and validated.

    Parameters
    ----------
    dataset : Dataset
        An opened data set.
    lags : bool, optional
        Whether clocks and levels of the sources are compared with each other, which reads all panels once more.
    plan_ns : pair of int, optional
        The time [from, to) in ns that the plan of the data set reads, for which there should be quotes; without it the
        time from the first to the last quote of the data set.
    on_progress : callable, optional
        Called with what is being done, steps done and steps in all.

    Returns
    -------
    DatasetReport
        Its ``exit_code`` is 0 if every file is right, else 3 (missing), 21 (bytes differ from the manifest) or 4 (not
        in form); no problem of a file is raised.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from backtest.data.adapters.instruments import spot, table
    >>> from backtest.data.format.dataset import open_dataset
    >>> from backtest.data.format.schema import instruments_from_frame
    >>> from backtest.data.format.writer import DatasetWriter
    >>> temporary = tempfile.TemporaryDirectory()
    >>> with DatasetWriter(Path(temporary.name) / "set", "example", 10**9, synthetic=True, sources=[]) as writer:
    ...     writer.set_instruments(instruments_from_frame(table([spot("okx", "BTC", "USDT", Feed.BOOK)])))
    ...     folder = writer.finish()
    >>> report = check(open_dataset(folder))
    >>> report.exit_code, report.files, report.rows, report.problems
    (0, 2, 0, ())
    >>> temporary.cleanup()
    """
    stats = SeriesStats(
        dataset.instruments, limits_ns(dataset.instruments, _usual_step(dataset)), dataset.funding_steps
    )
    problems, rows = [], 0
    report = on_progress or (lambda _what, _done, _of: None)
    # in the order of time: gaps are measured from the last quote of the day before
    for number, path in enumerate(sorted(dataset.files, key=_time_order)):
        report("files", number, len(dataset.files))
        try:
            rows += _check_file(dataset, path, stats)
        except CmeError as error:
            problems.append(DatasetProblem(error.exit_code, path, str(error)))
    codes = {problem.exit_code for problem in problems}
    span_ns, of = (plan_ns, "the plan") if plan_ns else (stats.own_span(), "the data set")
    described = _describe(dataset.instruments, stats, span_ns)
    days = {name: _days(dataset.days(name)) for name in (*dataset.underlyings, "FX") if dataset.days(name)}
    lags_found: tuple[Lag, ...] = ()
    levels_found: tuple[Level, ...] = ()
    # the scan reads panels, which would stop at the first bad file
    for number, name in enumerate(dataset.underlyings if lags and not problems else ()):
        report(f"clocks and levels of {name}", number, len(dataset.underlyings))
        samples = sample(dataset, name)
        lags_found += lags_of(samples)
        levels_found += levels_of(samples)
    return DatasetReport(
        name=dataset.name,
        dataset_hash=dataset.dataset_hash,
        synthetic=dataset.synthetic,
        grid_ns=dataset.grid_ns,
        files=len(dataset.files),
        rows=rows,
        days=days,
        exit_code=next((code for code in _CODES if code in codes), 0),
        problems=tuple(problems),
        warnings=(
            *_findings(dataset),
            *ends(dataset.instruments, stats, span_ns, of),
            *_warnings(dataset, described),
            *(lag.warning for lag in lags_found if lag.warning),
            *(level.warning for level in levels_found if level.warning),
        ),
        instruments=described,
        lags=lags_found,
        levels=levels_found,
    )


def _findings(dataset: Dataset) -> tuple[str, ...]:
    """Return what the build left out of each source or doubts, after the source's name; its first note is a reason."""
    return tuple(f"{source.name}: {text}" for source in dataset.sources for text in source.notes[1:])


def _check_file(dataset: Dataset, path: str, stats: SeriesStats) -> int:
    """Hash one file; validate and count it if it holds quotes; return its number of rows."""
    data, match = dataset.read(path), _QUOTES.match(path)
    if match is None:
        return 0
    dataset.read_linear(path)  # a part without options has a hash of its own
    table = parse_parquet(data, dataset.path / path).read()
    canonical = canonical_rows(table, day_of(path), len(dataset.instruments), str(dataset.path / path))
    # equal after sorting and cleaning means that the file was written sorted and clean
    bounds = DayBounds(day_of(path), dataset.instruments.kind == Kind.OPTION)
    if not (canonical.equals(table) or in_file_order(canonical, bounds.option).equals(table)):
        raise DataError(f"{dataset.path / path}: expected rows sorted by (channel, t_ns, code) with null for missing")
    stray = {dataset.instruments.underlying[code] for code in np.unique(table.column("code"))} - {match[1]}
    if stray:
        raise DataError(f"{dataset.path / path}: expected instruments of {match[1]}, was {sorted(stray)}")
    entry, times = dataset.files[path], table.column("t_ns").to_numpy()
    span = (int(times.min()) // 1_000, int(times.max()) // 1_000) if len(times) else (None, None)
    if (entry.rows, entry.min_us, entry.max_us) != (table.num_rows, *span):
        raise DataError(
            f"{dataset.path / path}: expected, as the manifest says, {entry.rows} rows from {entry.min_us} to "
            f"{entry.max_us} us, was {table.num_rows} from {span[0]} to {span[1]}"
        )
    # Only after every check: a file that does not hold enters no statistic.
    stats.add(read_channels(data, dataset.path / path, bounds, dataset.linear_parts.get(path)))
    return int(table.num_rows)


def _describe(instruments: Instruments, stats: SeriesStats, span_ns: tuple[int, int]) -> tuple[InstrumentCheck, ...]:
    coverage, missing = stats.coverage(span_ns), stats.missing_settlements()
    half, most = stats.age_ns(0.50), stats.age_ns(0.95)
    return tuple(
        InstrumentCheck(
            name=instruments.name[code],
            underlying=instruments.underlying[code],
            kind=Kind(int(instruments.kind[code])).name.lower(),
            feed=Feed(int(instruments.feed[code])).name.lower(),
            quotes=int(stats.rows[Channel.QUOTE, code]),
            first_us=int(stats.first_ns[code]) // 1_000 if stats.first_ns[code] != NEVER_NS else None,
            last_us=int(stats.last_ns[code]) // 1_000 if stats.last_ns[code] >= 0 else None,
            days=int(stats.days[code]),
            coverage=float(coverage[code]) if np.isfinite(coverage[code]) else None,
            age_p50_ns=int(half[code]),
            age_p95_ns=int(most[code]),
            longest_gap_ns=int(stats.longest_ns[code]),
            one_sided=int(stats.one_sided[code]),
            empty=int(stats.empty[code]),
            crossed=int(stats.crossed[code]),
            zero=int(stats.zero[code]),
            unsized=int(stats.unsized[code]),
            jumps=int(stats.jumps[code]),
            marks=int(stats.rows[Channel.MARK, code]),
            fundings=int(stats.rows[Channel.FUNDING, code]),
            settlements=int(stats.rows[Channel.SETTLE, code]),
            settlements_missing=int(missing[code]),
            settlements_off_schedule=int(stats.off_schedule[code]),
        )
        for code in range(len(instruments))
    )


def _warnings(dataset: Dataset, described: tuple[InstrumentCheck, ...]) -> list[str]:
    """Return what a person should look at: one line an instrument, one for all options of a venue and underlying."""
    totals: dict[tuple[str, str], tuple[int, int]] = {}
    for result in described:
        for count, text in (
            (result.jumps, "times the price moved by half or more from one quote to the next"),
            (result.settlements_off_schedule, "settlements off the declared schedule"),
            (result.settlements_missing, "settlements of the declared schedule missing"),
            (
                result.unsized if result.feed == "book" else 0,
                "quotes without size although the feed says book",
            ),
            (result.crossed, "crossed quotes"),
        ):
            if count:
                option = result.kind == "option"
                who = f"{result.name.partition(':')[0]}: {result.underlying} options" if option else result.name
                instruments, rows = totals.get((who, text), (0, 0))
                totals[who, text] = (instruments + 1, rows + count)
    lines = []
    for (who, text), (instruments, rows) in totals.items():
        among = f" in {instruments:,} instruments" if instruments > 1 else ""
        lines.append(f"{who}: {rows:,} {text}{among}")
    listed = {*dataset.files, "manifest.json"}
    extra = sorted(str(path.relative_to(dataset.path)) for path in dataset.path.rglob("*") if path.is_file())
    strange = [path for path in extra if path not in listed]
    if strange:
        lines.append(f"{len(strange)} files are not in the manifest and are never read: {', '.join(strange[:5])}")
    return lines


def _usual_step(dataset: Dataset) -> int:
    """Return the grid step, or one and a half times the usual time between snapshots."""
    if dataset.grid_ns:
        return dataset.grid_ns
    gaps = [np.diff(times) for times in dataset.grids.values() if len(times) > 1]
    return int(1.5 * float(np.median(np.concatenate(gaps)))) if gaps else NS_PER_DAY


def _days(days: list[int]) -> tuple[int, int, int]:
    return days[0], days[-1], days[-1] - days[0] + 1 - len(days)


def _time_order(path: str) -> tuple[int, str]:
    return (day_of(path) if _QUOTES.match(path) else -1, path)
