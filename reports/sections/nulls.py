"""N2 and N3 in words and pictures, for the verdicts and the section of the nulls.  [statistics 3.3, 3.4]"""

from __future__ import annotations

from typing import Any

from hypotheses.records import STATISTIC_TEXT
from reports.base import Block, Figure, Text
from reports.citation import Cited, SourcedInt
from reports.figures import permutation_nulls
from reports.words import count, number, p_value, share

TITLE = {
    "n2": "N2: the signals' days permuted within their fold.",
    "n3": "N3: all signals shifted in time, circularly.",
}


def null_sentences(h1: dict[str, Any]) -> str:
    """Return the p-values of N2 and N3, the grade and its meaning as sentences; ends with a space unless empty."""
    parts = [_p_value(name, h1) for name in ("n2", "n3")]
    if h1["grade"] is not None:
        failed = Cited(" ({})").format(Cited("; ").join(h1["failed_conditions"])) if h1["failed_conditions"] else ""
        parts.append(Cited("Grade {}{}.").format(h1["grade"], failed))
    # The words "signal alpha" need both nulls: a provisional verdict may not use them.
    if h1["provisional"]:
        parts.append("The verdict is provisional: it rests on N1 alone.")
    elif h1["signal_alpha"]:
        parts.append("N2 and N3 pass, so the profit may be called signal alpha: random entry does not earn it.")
    elif h1["n2"] is not None:
        parts.append("N2 and N3 do not both pass: a premium that random entry also earns cannot be told from skill.")
    return Cited(" ").join(part for part in parts if part) + " "


def _p_value(name: str, h1: dict[str, Any]) -> str:
    if h1[f"p_{name}"] is None:
        return Cited("p({}): {}.").format(name.upper(), h1[f"p_{name}_reason"])
    return Cited("p({}) = {}{}.").format(name.upper(), p_value(h1[f"p_{name}"]), _both(h1[name]))


def _both(null: dict[str, Any]) -> str:
    """Return the statistic that was registered for N2 and both p-values, in brackets; nothing for N3."""
    # A run of an earlier version compared ratios and said nothing of means.
    if null["name"] != "N2" or null.get("p_ratio") is None:
        return ""
    return Cited(" by {}, as registered ({} by the Sharpe ratio, {} by the mean of a day)").format(
        STATISTIC_TEXT[null["statistic"]], p_value(null["p_ratio"]), p_value(null["p_mean"])
    )


def _counted(null: dict[str, Any]) -> str:
    """Return by what the draws are counted where the picture, which has ratios, does not show it; else nothing."""
    # A run of an earlier version counted by the ratio and did not say so.
    statistic = null.get("statistic", "sharpe")
    if statistic == "sharpe":
        return ""
    return Cited(" The draws are counted by {}; the picture has their Sharpe ratios.").format(STATISTIC_TEXT[statistic])


def figures(h1: dict[str, Any]) -> list[Block]:
    """Return a small picture of each computed null, with a sentence on what it can show and what it cannot."""
    blocks: list[Block] = []
    for name in ("n2", "n3"):
        null = h1[name]
        if null is None:
            continue
        what = Cited("{} asks whether {}. Moves without a quote: {}.").format(
            null["name"], null["says"], share(null["missing"])
        )
        # A null without a p-value still says why: its absence must not look like a pass.
        if null["p"] is None:
            blocks.append(Text(Cited("{} It has no p-value: {}.").format(what, null["reason"])))
            continue
        drawn = len(null["ordered_sharpe"])
        # The file keeps some hundreds: a picture of all of thousands shows no more.
        some = (
            ""
            if drawn == null["draws"]
            else Cited(" The picture has {} of them, at even steps of their order.").format(
                count(SourcedInt(drawn, f"verdicts.json: count(H1.{name}.ordered_sharpe)"))
            )
        )
        words = Cited(
            "{} draws, {} reach the observed series, whose ratio is {}; p = {}{}. {} The observed ratio is priced here "
            "as the moved signals are, each at an untouched book.{}{}"
        ).format(
            count(null["draws"]),
            count(null["exceedances"]),
            number(null["sharpe"]),
            p_value(null["p"]),
            _both(null),
            what,
            _counted(null),
            some,
        )
        drawing = permutation_nulls.draw(name, null["ordered_sharpe"], null["sharpe"])
        blocks.append(
            Figure(name, TITLE[name], drawing, words, f"verdicts.json: H1.{name}.ordered_sharpe, H1.{name}.sharpe")
        )
    return blocks
