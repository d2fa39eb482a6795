"""`cme leaks`: the leak battery on a data set.  [S8.8, interface]"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backtest.terminal import echo

if TYPE_CHECKING:
    from backtest.leakage.battery import Result

DISAGREE = 32
"""Two runs of one input disagree.  [audit 8.3]"""


@click.command(epilog="Example: cme leaks build/demo --cuts 12")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--cuts", default=40, show_default=True, type=click.IntRange(1), help="Times of alteration a window.")
@click.option("--config", type=click.Path(path_type=Path), help="Registration; the data set's own where not given.")
@click.option("--negative-control", is_flag=True, help="Put leaks in on purpose; every check has to find them.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout and nothing else there.")
@click.option("--quiet", is_flag=True, help="No progress on stderr.")
@click.pass_context
def leaks(
    context: click.Context,
    folder: Path,
    cuts: int,
    config: Path | None,
    negative_control: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Alter the data set in DIR after random times, and check that no earlier fact changes.

    \b
    Checks: cut, nan, scaled, shuffled, late (one venue a step late), start (read from an earlier day), rows and codes
    (other order), gap (what a fold fits). The table shows cases tried; a leak is shown as leaks/cases.
    Exit code 0: no leak; 32: something depends on what follows it. With --negative-control a constraint, a writer and
    a fit leak on purpose: 0 if each check caught them, 32 if one let them pass.
    """
    import numpy as np

    from backtest.commands.detect import registration_of
    from backtest.data.format.dataset import open_dataset
    from backtest.leakage.battery import CHECKS
    from backtest.leakage.survey import survey
    from backtest.pipeline.check_plan import check_plan
    from backtest.terminal import progress

    dataset = open_dataset(folder)
    registration = registration_of(dataset, config)
    check_plan(dataset, registration)
    # The same data set is altered in the same places: a leak that was found is found again.
    draw = np.random.Generator(np.random.PCG64(int(dataset.dataset_hash.rpartition(":")[2][:16], 16)))
    with progress("leaks", quiet) as on_progress:
        result = survey(dataset, registration, cuts, draw, on_progress, negative=negative_control)
    missed = [check for check in (*CHECKS, "gap") if not any(leak.check == check for leak in result.leaks)]
    document = _document(result) | ({"missed": missed} if negative_control else {})
    echo(json.dumps(document, indent=1) if as_json else _text(result))
    if negative_control and not as_json:
        echo(f"negative control: {'missed by ' + ', '.join(missed) if missed else 'caught by every check'}")
    context.exit(DISAGREE if (missed if negative_control else result.leaks) else 0)


def _document(result: Result) -> dict[str, Any]:
    from dataclasses import asdict

    from backtest.leakage.battery import checks_of, subjects_of

    return {
        "leaks": len(result.leaks),
        "table": {
            subject: {
                check: {"cases": result.cases.get((subject, check), 0), "leaks": result.count(subject, check)}
                for check in checks_of(result)
                if (subject, check) in result.cases
            }
            for subject in subjects_of(result)
        },
        "found": [asdict(leak) for leak in result.leaks],
    }


def _text(result: Result) -> str:
    from backtest.leakage.battery import checks_of, subjects_of

    checks = checks_of(result)
    lines = [f"{'':9}" + "".join(f"{check:>9}" for check in checks)]
    for subject in subjects_of(result):
        cells = []
        for check in checks:
            cases, differing = result.cases.get((subject, check), 0), result.count(subject, check)
            cells.append(f"{differing}/{cases}" if differing else str(cases) if cases else "")
        lines.append(f"{subject:9}" + "".join(f"{cell:>9}" for cell in cells))
    lines.append(f"{len(result.leaks)} leaks in {sum(result.cases.values())} comparisons")
    lines += [
        f"leak: {leak.underlying} {leak.subject} under {leak.check} at {leak.t_ns}: altered only after {leak.until_ns}"
        for leak in result.leaks[:20]
    ]
    return "\n".join(lines)
