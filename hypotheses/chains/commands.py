"""The door of `cme detect`: the engine's packages, or with ``--joint`` the joint static solve of option chains."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backtest.commands.detect import detect as packages
from backtest.commands.journals import leaves_journal
from backtest.terminal import echo, remark
from engine.errors import UsageError

if TYPE_CHECKING:
    from backtest.data.format.dataset import Dataset
    from backtest.records import Registration
    from hypotheses.chains.study import ChainTally

JOINT = click.Option(
    ["--joint"],
    is_flag=True,
    help="Instead of packages: the option quotes that contradict their chain as a whole, and how far.",
)
EXCLUDED = {"codes": "--constraint", "mids_only": "--mids-only", "min_gross_bps": "--min-gross-bps"}
"""Options of `cme detect` that ask for packages: the joint solve has all relations, bid and ask, and no floor."""


@click.command(
    "detect",
    params=[*packages.params, JOINT],
    help=f"""{packages.help}

    \b
    With --joint, one row a guilty quote: t_ns underlying venue currency expiry_ns instrument side bid ask price
    beyond_bps least_bps most_bps chain_bps chain_quotes. The quotes of all expiries are moved as little as possible
    beyond bid and ask until verticals, butterflies, parity and calendars hold together; no row for a chain means no
    executable arbitrage in it. About a second a chain of 600 quotes and grid time: bound it with --from and --to.
    """,
    epilog=packages.epilog,
)
@click.pass_context
@leaves_journal()
def detect(context: click.Context, /, joint: bool, **options: Any) -> None:
    """Run one of the two; the parameters are those of `backtest.commands.detect.detect`.

    Raises ``UsageError`` (2) for --joint with an option that asks for packages.
    """
    if not joint:
        context.invoke(packages, **options)
        return
    for name, option in EXCLUDED.items():
        if context.get_parameter_source(name) == click.core.ParameterSource.COMMANDLINE:
            raise UsageError(f"--joint: expected no {option}, which chooses packages, was both: leave one out")
    _solve(**{name: value for name, value in options.items() if name not in EXCLUDED})


def _solve(
    folder: Path, first: str | None, last: str | None, out: Path, config: Path | None, as_json: bool, quiet: bool
) -> None:
    from backtest.commands.detect import parquet_whole, registration_of, span_of, time_of
    from backtest.data.format.dataset import open_dataset
    from backtest.pipeline.check_plan import check_plan
    from backtest.terminal import progress
    from hypotheses.chains.study import GUILTY, ChainTally, guilty_quotes

    dataset = open_dataset(folder)
    registration = registration_of(dataset, config)
    # Fees take no part: a lot, tick or fee that is not known yet refuses nothing.
    check_plan(dataset, registration, at_mids=True)
    begin, end = span_of(dataset)
    from_ns = begin if first is None else time_of(first, "--from")
    to_ns = end if last is None else time_of(last, "--to")
    tally = ChainTally()
    with progress("joint", quiet) as on_progress, parquet_whole(out, GUILTY) as write:
        for done, (t_ns, name, table) in enumerate(guilty_quotes(dataset, registration, from_ns, to_ns, tally), 1):
            write(table)
            on_progress(f"{name} {t_ns}: {done} chains", 0, None)
    remarks = _remarks(tally)
    if not quiet:
        for sentence in remarks:
            remark(sentence)
    document = _document(dataset, registration, (from_ns, to_ns), tally, out, remarks)
    echo(json.dumps(document, indent=1) if as_json else _text(document))


def _remarks(tally: ChainTally) -> list[str]:
    remarks = [] if tally.chains else ["no option quote with an executable bid and ask: nothing was solved"]
    return remarks + [
        f"{' '.join(key)}: most quotes of an expiry are guilty, {count} times: look at its forward first"
        for key, count in tally.whole_expiries.items()
        if count
    ]


def _document(
    dataset: Dataset,
    registration: Registration,
    span_ns: tuple[int, int],
    tally: ChainTally,
    out: Path,
    remarks: Sequence[str],
) -> dict[str, Any]:
    return {
        "path": str(out),
        "dataset_hash": dataset.dataset_hash,
        "config_hash": registration.config_hash,
        "study": registration.study,
        "from_ns": span_ns[0],
        "to_ns": span_ns[1],
        "rows": sum(counts.guilty for counts in tally.chains.values()),
        "chains": [
            {
                "underlying": underlying,
                "venue": venue,
                "currency": currency,
                "times": counts.times,
                "without_arbitrage": counts.without_arbitrage,
                "quotes": counts.quotes,
                "left_out": counts.left_out,
                "guilty": counts.guilty,
                "largest_bps": counts.largest_bps,
            }
            for (underlying, venue, currency), counts in sorted(tally.chains.items())
        ],
        "remarks": list(remarks),
    }


def _text(document: dict[str, Any]) -> str:
    lines = [f"{document['path']}: {document['rows']} guilty quotes"]
    for chain in document["chains"]:
        name = f"{chain['underlying']} at {chain['venue']}, premiums in {chain['currency']}"
        lines.append(
            f"{name}: no executable arbitrage before fees in {chain['without_arbitrage']} of {chain['times']} chains; "
            f"{chain['quotes']} quotes, {chain['left_out']} options without one on both sides"
        )
        if chain["guilty"]:
            lines.append(f"{'':4}{chain['guilty']} guilty quotes, {chain['largest_bps']:.4g} bps in the worst chain")
    return "\n".join(lines)
