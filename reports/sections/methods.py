"""Which statistic, null and rule decides each verdict, by name, and the exchangeability that each null rests on."""

from __future__ import annotations

from collections.abc import Sequence

from reports.base import Block, Section, Table, Text
from reports.load import Run
from reports.words import NONE

_NULLS = {
    "n1": "N1, sign flips of folds",
    "n2": "N2, signal days permuted within a fold",
    "n3": "N3, all signals shifted in time",
}


def build(run: Run) -> Sequence[Block]:
    """Return what each null needs, and the names of all methods; a note for a run that was judged without the names."""
    methods = run.verdicts.get("methods")
    if methods is None:
        return [Text("This run was judged before its methods had names.")]
    needs = tuple((_NULLS[null], methods.get(f"{null}_needs", NONE)) for null in _NULLS)
    names = tuple((key, name) for key, name in methods.items() if not key.endswith("_needs"))
    return [
        Text(
            "A p-value of a null is exact where its condition holds, and approximate otherwise; the certificate shows "
            "what it does where it does not. A plan that states another method is refused."
        ),
        Table("What each null needs", ("null", "condition"), needs),
        Table("Statistics, nulls and rules by the names of the plan", ("key", "method"), names, folded=True),
    ]


SECTION = Section("methods", "What decides, and what each null needs", "S9", build)
