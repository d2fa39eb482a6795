"""The claims of a run side by side: as registered, as reported, as recomputed.  [audit 12]"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backtest.records import Registration
from backtest.results.vocabulary import claim_words
from engine.constraints.codes import COUNT_IN_WORDS
from hypotheses.reproduction.levels import Results

FIELDS = ("statistic", "p_num", "p_den", "ci_low", "ci_high", "decision")
ANSWER = "answer"
"""The decision in the words for readers; the other fields are those of the document."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One id of the results document; ``recomputed`` is None where no level that recomputes was asked for."""

    id: str
    registered: str
    reported: Mapping[str, Any] | None
    recomputed: Mapping[str, Any] | None

    @property
    def same(self) -> bool | None:
        return None if self.recomputed is None else self.reported == self.recomputed


def claims_of(registration: Registration, reported: Results, recomputed: Results | None) -> tuple[Claim, ...]:
    """Return the claims of both documents, sorted by id; a claim that one of them lacks is None there."""
    first, other = _by_id(reported), {} if recomputed is None else _by_id(recomputed)
    return tuple(
        Claim(name, registered_text(name, registration), first.get(name), other.get(name) if recomputed else None)
        # Of both: a claim that only one document has is the difference to be seen.
        for name in sorted({*first, *other})
    )


def registered_text(name: str, registration: Registration) -> str:
    """Return the registered claim behind an id, with the registered numbers."""
    stats, params = registration.stats, registration.params
    if name.startswith("h3/"):
        rule = params.rules.get(name.removeprefix("h3/"))
        what = rule.name if rule is not None and hasattr(rule, "name") else name.removeprefix("h3/")
        return f"{what}: Sharpe > 0, {float(stats.level):.0%} interval excludes 0"
    return {
        "h1": f"net Sharpe > {stats.sharpe_claim}, p(N1), p(N2) < {stats.alpha}",
        "h1/n1": f"signs of folds: p < {stats.alpha}",
        "h1/n2": f"days of signals: p < {stats.alpha}",
        "h2": f"modelled EV < {stats.ev_claim_usd:,} USD a day",
        "h3": f"all {COUNT_IN_WORDS} constraints retained",
    }.get(name, "")


def table(claims: Sequence[Claim]) -> list[str]:
    """Return the claims as lines of text: registered, reported, recomputed side by side."""
    rows = [("claim", "registered", "reported", "recomputed", "")]
    rows += [
        (claim.id, claim.registered, _text(claim.reported), _text(claim.recomputed), _word(claim.same))
        for claim in claims
    ]
    widths = [max(len(row[n]) for row in rows) for n in range(5)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _word(same: bool | None) -> str:
    return "" if same is None else "same" if same else "DIFFERS"


def _text(fields: Mapping[str, Any] | None) -> str:
    if fields is None:
        return "-"
    parts = [str(fields["statistic"] if fields["statistic"] is not None else "undefined")]
    if fields["ci_low"] is not None and fields["ci_high"] is not None:
        parts.append(f"[{fields['ci_low']}, {fields['ci_high']}]")
    if fields["p_num"] is not None:
        parts.append(f"p {fields['p_num']}/{fields['p_den']}")
    return " ".join([*parts, str(fields[ANSWER])])


def _by_id(results: Results) -> dict[str, Mapping[str, Any]]:
    return {
        str(row["id"]): {field: row[field] for field in FIELDS}
        | {ANSWER: claim_words(str(row["id"]), str(row["decision"]), results.statuses)}
        for row in results.document.get("hypotheses", ())
    }
