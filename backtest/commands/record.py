"""``cme record``: raw messages of the registered feeds, with stamps and proven gaps.  [live L1]"""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

import click

from backtest.environment import now_us
from backtest.terminal import INTERRUPTED, Interrupted, echo, remark
from engine.errors import UsageError

if TYPE_CHECKING:
    from backtest.record.counts import RecorderCounts
    from backtest.record.record_plan import RecordPlan
    from backtest.record.session import RecordSession
    from backtest.terminal import OnProgress

_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
_MB: Final = 10**6


def _seconds(_context: click.Context, _option: click.Parameter, text: str | None) -> float | None:
    if text is None:
        return None
    match = re.fullmatch(r"([1-9][0-9]{0,5})([smhd])", text, re.ASCII)
    if match is None:
        raise click.BadParameter(f"expected a whole number with its unit such as 90s, 10m, 6h or 2d, was {text!r}")
    return float(int(match[1]) * _UNITS[match[2]])


def _addresses(_context: click.Context, _option: click.Parameter, texts: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for text in texts:
        name, equals, address = text.partition("=")
        if not equals or not address:
            raise click.BadParameter(f"expected NAME=URL such as deribit=ws://127.0.0.1:8080, was {text!r}")
        found[name] = address
    return found


@click.command(epilog="Example: cme record configs/live/btc-eth.toml --out recording --for 10m")
@click.argument("plan", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path),
              help="Folder of the recording; one that exists is continued.")  # fmt: skip
@click.option("--for", "seconds", callback=_seconds, metavar="TIME",
              help="Stop after this time, such as 10m; without it at SIGTERM or Ctrl-C.")  # fmt: skip
@click.option("--venue-url", "addresses", multiple=True, callback=_addresses, metavar="NAME=URL",
              help="Another address of a venue, such as deribit=ws://127.0.0.1:8080.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout and nothing else there.")
@click.option("--quiet", is_flag=True, help="No progress and no remarks on stderr.")
def record(plan: Path, out: Path, seconds: float | None, addresses: dict[str, str], as_json: bool, quiet: bool) -> int:
    """Record what PLAN names from its venues into the folder OUT, until stopped.

    \b
    OUT/raw/FEED/HOUR.PART.seg   every message byte for byte, with its stamps; `zstd -dc` reads it
    OUT/control/HOUR.PART.jsonl  connections, subscriptions, and each gap with its proof
    OUT/segments.jsonl           hash chain over the closed files: what was known, within the hour
    OUT/journals/                how each call of this command went

    \b
    1  cme record configs/live/btc-eth.toml --out recording --for 10m     try it: needs internet, no account
    2  configs/live/cme-record.service                                    run it for good

    A message counts as recorded once it is on the disk, at most a second after its receipt.  Whatever is lost is in the
    control log: a connection that ended, silence beyond a stream's limit, numbers that do not follow, messages dropped
    because the disk was too slow or full, steps of the clock, and the time without a recorder.

    Addresses and limits of the venues stand in configs/venues/feeds; forms of messages that no stored sample shows are
    listed at the start.  Stop it with SIGTERM or Ctrl-C: it closes its files and says where it stands.

    Exit codes: 0 done; 2 PLAN or an option; 3 a file of PLAN is missing; 4 the recording is damaged; 5 the disk
    refuses; 42 another recorder writes into OUT; 130, 143 ended by a signal, in order.
    """
    from backtest.record.clocks import SYSTEM
    from backtest.record.record_plan import load_record_plan
    from backtest.record.recording import require_free
    from backtest.record.session import record as record_session
    from backtest.terminal import progress
    from backtest.tracking import journal

    loaded = _at_addresses(load_record_plan(plan), addresses)
    require_free(out)  # before the journal: cron tries each minute
    unverified = _say_unverified(loaded, quiet or as_json)
    uid = str(uuid4())
    log = journal.start(out / "journals", loaded.name, "record", f"record {plan.name}", now_us, uid)
    log.param("plan_sha256", loaded.sha256)
    with journal.ended(log) as ending:
        with progress("recording", quiet) as on_progress:
            session = record_session(loaded, out, uid, SYSTEM, seconds, lambda counts: _show(on_progress, counts))
        for key, value in _numbers(session).items():
            log.metric(f"record/{key}", value)
        log.tag("head", session.head)
        ending.code = INTERRUPTED + session.signal if session.signal else 0
    _print(session, out, unverified, as_json)
    if session.signal:
        raise Interrupted(session.signal)
    return 0


def _at_addresses(plan: RecordPlan, addresses: dict[str, str]) -> RecordPlan:
    from dataclasses import replace

    from backtest.record.venue_file import with_addresses

    known = [feed.file.name for feed in plan.feeds]
    if unknown := sorted(set(addresses) - set(known)):
        raise UsageError(f"--venue-url: expected a venue of {', '.join(known)}, was {unknown[0]!r}")
    return replace(plan, feeds=tuple(replace(feed, file=with_addresses(feed.file, addresses)) for feed in plan.feeds))


def _say_unverified(plan: RecordPlan, quiet: bool) -> list[dict[str, str]]:
    """Print the table of forms without a stored sample to stderr, unless ``quiet``; return it."""
    from backtest.record.venue_file import unverified_forms

    rows = [form for feed in plan.feeds for form in unverified_forms(feed.file)]
    if rows and not quiet:
        echo("unverified: forms that no stored sample shows, and facts taken from documents", err=True)
        for row in rows:
            echo(f"  {row.venue:14} {row.what:26} {row.form}", err=True)
    return [asdict(row) for row in rows]


def _show(on_progress: OnProgress, counts: RecorderCounts) -> None:
    gaps = f", {counts.streams_in_a_gap} streams in a gap" if counts.streams_in_a_gap else ""
    dropped = f", {counts.dropped} DROPPED" if counts.dropped else ""
    disk = "" if counts.disk == "ok" else f", disk {counts.disk}"
    stored = f"{counts.acknowledged:,} records on disk, {counts.stored_bytes / _MB:.1f} MB"
    on_progress(f"{counts.connected} of {counts.feeds} feeds, {stored}{gaps}{dropped}{disk}", 0, None)


def _numbers(session: RecordSession) -> dict[str, int]:
    return {key: value for key, value in asdict(session.counts).items() if isinstance(value, int)}


def _print(session: RecordSession, out: Path, unverified: list[dict[str, str]], as_json: bool) -> None:
    facts = {"path": str(out), **asdict(session.counts), "segments": session.segments, "head": session.head}
    if as_json:
        echo(json.dumps({**facts, "unverified": unverified}, indent=1))
        return
    echo("\n".join(f"{key:17} {value}" for key, value in facts.items()))
    if not session.counts.messages:
        remark(
            f"nothing was received: the reasons stand in {out / 'control'} as refused; is there a way to the venues?"
        )
    if session.counts.dropped:
        remark(f"{session.counts.dropped} messages were dropped: the disk is too slow or was full; see OUT/control")
