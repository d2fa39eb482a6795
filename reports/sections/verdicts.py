"""The three verdicts: claim, computed numbers, answer, and the limits of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backtest.results.vocabulary import WORD_OF_STATUS
from engine.constraints.codes import COUNT_IN_WORDS
from reports.base import Block, Note, Section, Table, Text
from reports.citation import Cited, SourcedInt, total
from reports.load import Run
from reports.rows import RETURNS, Rows
from reports.sections import calibration, glossary, nulls, stress
from reports.sections.references import REGISTERED
from reports.words import NONE, count, interval, number, p_value, plural, sentence, share, usd, usd_micro

TONE = {"supported": "good", "refuted": "bad", "cannot tell": "unsure"}


def build(run: Run) -> Sequence[Block]:
    """Return the mode of the run, the three verdicts, and the table of claims."""
    h1, h2, h3 = (run.verdicts[key] for key in ("H1", "H2", "H3"))
    blocks: list[Block] = [Text(_happened(run)), glossary.first_words(), _standing(run)]
    blocks += [
        Note(
            TONE[h1["verdict"]],
            Cited("H1: net annualised Sharpe ratio {}, and not by chance").format(_claim(run, "H1")),
            _lines(_h1(run, h1), calibration.certificate_sentence(run, "H1")),
        ),
        Note(
            TONE[h2["verdict"]],
            Cited("H2: modelled net EV {} on average").format(_claim(run, "H2")),
            _h2(run, h2),
        ),
        Note(
            TONE[h3["verdict"]],
            "H3: every constraint earns, its interval above zero",
            _lines(_h3(h3), calibration.certificate_sentence(run, "H3")),
        ),
    ]
    if run.manifest["cannot_say"]:
        blocks.append(Note("warning", "What these data cannot say", Cited("\n").join(run.manifest["cannot_say"])))
    return [*blocks, _claims(run, h1, h2, h3)]


def _happened(run: Run) -> str:
    """Return the window in one paragraph: packages examined, signals, trades, profit before and after costs."""
    # Constraints with a remark are shown and do not trade: their counts would blur the sums.
    shown = [row for row in run.funnel.values() if row["remark"]]
    rows = [row for row in run.funnel.values() if not row["remark"]]
    examined, violations, over, signals, traded = (
        total(row[stage] for row in rows)
        for stage in ("examined", "violations", "over_threshold", "episodes", "traded")
    )
    net, trading = (Rows(run.returns, RETURNS).total(name) for name in ("x", "pnl"))
    aside = " (constraints that are shown and do not trade are left out here)" if shown else ""
    silent = (
        " Without a trade there is no return to judge: the three answers below say that nothing could be decided, not "
        "that there is nothing to find."
    )
    return Cited(
        "{} of instruments examined, {} with a gross violation at mid prices, {} over their threshold after costs, {}, "
        "{}{}. Trading earned {} USD; with the registered cost of {} of capital the window ends at {} USD.{}"
    ).format(
        plural(examined, "package"),
        count(violations),
        count(over),
        plural(signals, "signal"),
        plural(traded, "trade"),
        aside,
        usd_micro(trading),
        usd(run.manifest["capital_usd"]),
        usd_micro(net),
        "" if traded else silent,
    )


def _claim(run: Run, key: str) -> str:
    """Return the registered bound of H1 or H2 in words."""
    claims = run.manifest["claims"]
    if key == "H1":
        return "above " + number(claims["sharpe"], 1)
    return Cited("below {} a day").format(usd(claims["ev_usd"]))


def _standing(run: Run) -> Block:
    mode = run.verdicts["run"]["mode"]
    deviations = run.verdicts["run"]["deviations"]
    # A confirmatory run has no deviation to name: one would have made it exploratory.  [S8.1]
    if mode == "confirmatory":
        return Text("This is the confirmatory run of the registered plan.")
    reasons = Cited("; ").join(deviations) if deviations else "the configuration says so"
    return Note(
        "plain",
        "Exploratory run",
        _lines(
            "Its numbers illustrate; they confirm nothing.",
            Cited("Reason: {}.").format(reasons),
            Cited(
                "This is an independent implementation of the public page of {}: the original freeze and its modules "
                "are not available, and every choice of ours is listed below."
            ).format(REGISTERED),
        ),
    )


def _lines(*parts: str) -> str:
    """Return the parts that are not empty, one a line."""
    return Cited("\n").join(part[len(part) - len(part.lstrip()) : len(part.rstrip())] for part in parts if part.strip())


def _h1(run: Run, h1: dict[str, Any]) -> str:
    """Return the answer, its numbers, the words allowed for the profit, and the limits of a failure to reject."""
    # Without a ratio there is no interval or p-value to quote.
    if h1["sharpe"] is None:
        why = h1.get("sharpe_reason", "no reason was recorded")
        return Cited("{} The Sharpe ratio is undefined: {}.").format(sentence(h1["statement"]), why)
    reason = (
        "The interval does not exclude the claim, so that neither it nor its contrary is shown: one cannot tell. "
        if h1["verdict"] == "cannot tell" and h1["ci"]
        else ""
    )
    return _lines(
        sentence(h1["statement"]),
        Cited("Net annualised Sharpe ratio {}, {} interval {}, sign-flip p(N1) = {} over {}. {}{}").format(
            number(h1["sharpe"]),
            share(run.level, 0),
            interval(h1["ci"]),
            p_value(h1["p_n1"]),
            plural(h1["n_days"], "day"),
            nulls.null_sentences(h1),
            reason,
        ),
        stress.stress_sentences(h1, run.level),
        "A failure to reject is no evidence of absence: the power table below says what a window of this length can "
        "show.",
    )


def _h2(run: Run, h2: dict[str, Any]) -> str:
    """Return the answer, its numbers, and a caution for readers."""
    return _lines(
        sentence(h2["statement"]),
        Cited(
            "Jointly optimised net EV {} a day, upper {} bound {}; {}, {} of {} days had no modelled profit at all; "
            "realised over modelled {}."
        ).format(
            usd(h2["mean_usd_per_day"], 2),
            share(run.level, 0),
            usd(h2["upper_95"], 2),
            plural(h2["signals"], "signal"),
            count(h2["zero_days"]),
            count(h2["n_days"]),
            number(h2["realised_over_modelled"]),
        ),
        "A ceiling is easy to keep for an engine that finds nothing: read it with the number of signals.",
    )


def _h3(h3: dict[str, Any]) -> str:
    by_word: dict[str, list[str]] = {word: [] for word in WORD_OF_STATUS.values()}
    for row in h3["constraints"]:
        by_word[WORD_OF_STATUS[row["status"]]].append(row["code"])
    # constraints with too little data are named in the statement
    undecided = by_word.pop(WORD_OF_STATUS["insufficient"])
    parts = [f" {word.capitalize()}: {', '.join(codes)}." for word, codes in by_word.items() if codes]
    caution = " Not enough data means just that, not that there is no edge." if undecided else ""
    return Cited("{}{}{}").format(sentence(h3["statement"]), "".join(parts), caution)


def _claims(run: Run, h1: dict[str, Any], h2: dict[str, Any], h3: dict[str, Any]) -> Table:
    def yes(flag: bool) -> str:
        return "yes" if flag else "no"

    retained = SourcedInt(len(h3["retained"]), "verdicts.json: count(H3.retained)")
    of = SourcedInt(len(h3["constraints"]), "verdicts.json: count(H3.constraints)")
    rows = (
        (
            "H1",
            Cited("Sharpe ratio {}, p < {}").format(_claim(run, "H1"), number(run.manifest["claims"]["alpha"])),
            number(h1["sharpe"]),
            interval(h1["ci"]),
            yes(h1["registered"]),
            h1["verdict"],
        ),
        (
            "H2",
            "mean EV " + _claim(run, "H2"),
            usd(h2["mean_usd_per_day"], 2),
            NONE if h2["upper_95"] is None else "below " + usd(h2["upper_95"], 2),
            yes(h2["registered"]),
            h2["verdict"],
        ),
        (
            "H3",
            f"all {COUNT_IN_WORDS} retained",
            Cited("{} of {}").format(count(retained), count(of)),
            "one a constraint, below",
            yes(h3["registered"]),
            h3["verdict"],
        ),
    )
    bound = share(run.level, 0) + " interval or bound"
    head = ("claim", "as registered", "computed", bound, "registered yes/no", "answer")
    return Table("Every claim: as registered, as computed", head, rows, right=(2, 3))


SECTION = Section("verdicts", "Verdicts", "S9", build)
