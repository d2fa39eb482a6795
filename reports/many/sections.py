"""The sections of a comparison: answers, constraints, and what differs between the runs."""

from __future__ import annotations

import json
from collections.abc import Sequence

from engine.errors import escaped
from reports.base import Block, Figure, Section, Table, Text
from reports.citation import Cited, SourcedInt, key_name, key_of, sourced
from reports.figures import forest
from reports.load import PLAN
from reports.many.summary import CLAIMS, MANIFEST, VERDICTS, Summary
from reports.words import CODES, NONE, count, interval, number, p_value, plural, share, usd

Runs = Sequence[Summary]
MOST_KEYS, MOST_NAMES = 100, 3
"""Plan keys that a page shows, and runs that a row names; more are counted."""


def answers(runs: Runs) -> Sequence[Block]:
    """Return a caution, the table of answers, and the Sharpe ratios with their intervals as a picture."""
    rows = tuple(
        (
            label,
            run.end,
            run.mode + ", synthetic" if run.synthetic else run.mode,
            *(run.answers.get(name, NONE) for name in CLAIMS),
            count(run.trades),
            number(run.sharpe),
            interval(run.sharpe_interval),
            p_value(run.p_n1),
            p_value(run.p_n2),
            usd(run.ev_usd),
            usd(run.ev_upper_usd),
        )
        for label, run in zip(labels(runs), runs, strict=True)
    )
    head = (
        "run", "until", "mode", *CLAIMS, "trades", "Sharpe ratio", _level(runs) + " interval", "p(N1)", "p(N2)",
        "mean EV a day", "upper " + _level(runs),
    )  # fmt: skip
    table = Table("Answers of each run", head, rows, right=(0, 1, 6, 7, 8, 9, 10, 11, 12))
    return [Text(caution(runs)), table, *_picture(runs)]


def caution(runs: Runs) -> str:
    """Return what may not be concluded from several runs side by side."""
    shared = [
        (a, b) for i, a in enumerate(runs) for b in runs[i + 1 :] if a.start < b.end and b.start < a.end
    ]  # dates as text sort as time does
    sharing = plural(SourcedInt(len(shared), f"RUN/{MANIFEST}: pairs_that_share_days(window)"), "pair")
    overlap = " " + sharing + " of them share days: their answers are not independent." if shared else ""
    return Cited(
        "{} side by side. To pick the best of several runs is no test: each interval and each p-value holds for one "
        "run that was chosen beforehand, and nothing here corrects for the choice.{}"
    ).format(counted(runs), overlap)


def counted(runs: Runs) -> str:
    """Return how many runs there are, in words."""
    return plural(SourcedInt(len(runs), f"RUN/{MANIFEST}: count()"), "run")


def _level(runs: Runs) -> str:
    """Return the registered level of the intervals, of the first run with a plan; no word where none has one."""
    levels = (run.plan["statistics.level"] for run in runs if "statistics.level" in run.plan)
    level = next(levels, None)
    # the plan's value is JSON text: "0.95" in quotes
    return "" if level is None else share(sourced(json.loads(level), key_of(level)), 0)


def constraints(runs: Runs) -> Sequence[Block]:
    """Return the status and the Sharpe ratio of each constraint in each run."""
    rows = tuple(
        (label, *(_status(run, code) for code in CODES)) for label, run in zip(labels(runs), runs, strict=True)
    )
    return [Table("What became of each constraint, with its annualised net Sharpe ratio", ("run", *CODES), rows)]


def differences(runs: Runs) -> Sequence[Block]:
    """Return the inputs and the keys of the plans that are not equal in all runs, each value with its runs."""
    inputs = [
        row for name in differing_inputs(runs) for row in _values(name, [run.inputs.get(name) for run in runs], runs)
    ]
    keys = differing_keys(runs)
    shown = [row for key in keys[:MOST_KEYS] for row in _values(key, [run.plan.get(key) for run in runs], runs)]
    more = " More keys differ than are shown; `--json` lists all." if len(keys) > MOST_KEYS else ""
    return [
        Table("Inputs that differ", ("input", "value", "runs"), tuple(inputs)),
        Table("Keys of the plan that differ", ("key", "value", "runs"), tuple(shown)),
        Text("All else in the plans is equal." + more if any(run.plan for run in runs) else "No run has a plan."),
    ]


def _values(name: str, values: Sequence[str | None], runs: Runs) -> list[tuple[str, str, str]]:
    """Return a row for each value of one input or key: its name, the value, and which runs have it."""
    named = labels(runs)
    rows = []
    for value in dict.fromkeys(values):
        having = [label for label, other in zip(named, values, strict=True) if other == value]
        which = (
            Cited(", ").join(having)
            if len(having) <= MOST_NAMES
            else plural(SourcedInt(len(having), f"RUN/{PLAN}: having({key_name(name)})"), "run")
        )
        rows.append((name, NONE if value is None else _cut(value), which))
    return rows


def differing_keys(runs: Runs) -> list[str]:
    """Return the dotted keys whose values are not equal in all plans, in the order of the first plan that has them."""
    keys = dict.fromkeys(key for run in runs for key in run.plan)
    return [key for key in keys if len({run.plan.get(key) for run in runs}) > 1]


def differing_inputs(runs: Runs) -> list[str]:
    """Return which of data, engine, seeds, plan and commit are not the same in all runs."""
    names = dict.fromkeys(name for run in runs for name in run.inputs)
    return [name for name in names if len({run.inputs.get(name) for run in runs}) > 1]


def labels(runs: Runs) -> list[str]:
    """Return a short name of each run: study and first day, with the end of its id where two would be alike.

    Runs of one study need no study in their names.
    """
    several = len({run.study for run in runs}) > 1
    # Escaped here already: a picture measures its labels, and a control character has no width.
    plain = [escaped(f"{run.study} {run.start}" if several else run.start) for run in runs]
    longer = [
        f"{label} {escaped(run.run_id[-6:])}" if plain.count(label) > 1 else label
        for label, run in zip(plain, runs, strict=True)
    ]
    # Copies of one run in two folders agree in all of it.
    unlike = [f"{label} ({place})" if longer.count(label) > 1 else label for place, label in enumerate(longer, start=1)]
    return [
        sourced(label, f"{key_name(run.path.name)}/{MANIFEST}: label(id)")
        for label, run in zip(unlike, runs, strict=True)
    ]


def _picture(runs: Runs) -> list[Block]:
    judged = [(label, run) for label, run in zip(labels(runs), runs, strict=True) if "H1" in run.answers]
    if not judged:
        return []
    named = [label for label, _ in judged]
    svg = forest.draw(
        named,
        [run.sharpe if run.sharpe_interval else None for _, run in judged],
        [run.sharpe_interval for _, run in judged],
        [run.answers["H1"] for _, run in judged],
        1.0,
        undefined="no interval",
    )
    words = Cited("; ").join(
        Cited("{}: {} {}, {}").format(label, number(run.sharpe), interval(run.sharpe_interval), run.answers["H1"])
        if run.sharpe_interval
        else Cited("{}: no interval, {}").format(label, run.answers["H1"])
        for label, run in judged
    )
    return [
        Figure(
            "forest",
            "Net annualised Sharpe ratio of each run; the line is the claim of H1.",
            svg,
            words + ".",
            f"RUN/{VERDICTS}: H1.sharpe, H1.ci, H1.verdict",
        )
    ]


def _status(run: Summary, code: str) -> str:
    if code not in run.constraints:
        return NONE
    word, ratio = run.constraints[code]
    return Cited("{} {}").format(word, number(ratio)) if ratio is not None else word


def _cut(text: str) -> str:
    return text if len(text) <= 80 else text[:77] + "..."


SECTIONS: tuple[Section[Runs], ...] = (
    Section("answers", "Answers", "S9", answers),
    Section("constraints", "Constraints", "S9", constraints),
    Section("differences", "What differs", "", differences),
)
