"""The three verdicts: claim, computed numbers, answer, and the limits of each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backtest.results.vocabulary import WORD_OF_STATUS
from engine.constraints.codes import COUNT_IN_WORDS
from reports.base import Block, Note, Section, Table, Text
from reports.load import Run
from reports.sections import calibration, nulls, stress
from reports.words import NONE, interval, number, p_value, plural, sentence, usd, usd_micro

TONE = {"supported": "good", "refuted": "bad", "cannot tell": "unsure"}


def build(run: Run) -> Sequence[Block]:
    """Return the mode of the run, the three verdicts, and the table of claims."""
    h1, h2, h3 = (run.verdicts[key] for key in ("H1", "H2", "H3"))
    blocks: list[Block] = [Text(_happened(run)), _standing(run)]
    blocks += [
        Note(
            TONE[h1["verdict"]],
            f"H1: net annualised Sharpe ratio {_claim(run, 'H1')}, and not by chance",
            _lines(_h1(h1), calibration.certificate_sentence(run, "H1")),
        ),
        Note(TONE[h2["verdict"]], f"H2: modelled net EV {_claim(run, 'H2')} on average", _h2(h2)),
        Note(
            TONE[h3["verdict"]],
            "H3: every constraint earns, its interval above zero",
            _lines(_h3(h3), calibration.certificate_sentence(run, "H3")),
        ),
    ]
    if run.manifest["cannot_say"]:
        blocks.append(Note("warning", "What these data cannot say", "\n".join(run.manifest["cannot_say"])))
    return [*blocks, _claims(run, h1, h2, h3)]


def _happened(run: Run) -> str:
    """Return the window in one paragraph: packages examined, signals, trades, profit before and after costs."""
    # Constraints with a remark are shown and do not trade: their counts would blur the sums.
    shown = [row for row in run.funnel.values() if row["remark"]]
    rows = [row for row in run.funnel.values() if not row["remark"]]
    examined, violations, over, signals, traded = (
        sum(int(row[stage]) for row in rows)
        for stage in ("examined", "violations", "over_threshold", "episodes", "traded")
    )
    net, trading = (int(run.returns[name].sum()) for name in ("x", "pnl"))
    aside = " (constraints that are shown and do not trade are left out here)" if shown else ""
    silent = (
        " Without a trade there is no return to judge: the three answers below say that nothing could be decided, not "
        "that there is nothing to find."
    )
    return (
        f"{plural(examined, 'package')} of instruments examined, {violations:,} with a gross violation at mid prices, "
        f"{over:,} over their threshold after costs, {plural(signals, 'signal')}, {plural(traded, 'trade')}{aside}. "
        f"Trading earned {usd_micro(trading)} USD; with the registered cost of {usd(run.manifest['capital_usd'])} of "
        f"capital the window ends at {usd_micro(net)} USD.{'' if traded else silent}"
    )


def _claim(run: Run, key: str) -> str:
    """Return the registered bound of H1 or H2 in words."""
    claims = run.manifest["claims"]
    return f"above {number(claims['sharpe'], 1)}" if key == "H1" else f"below {usd(claims['ev_usd'])} a day"


def _standing(run: Run) -> Block:
    mode = run.verdicts["run"]["mode"]
    deviations = run.verdicts["run"]["deviations"]
    # A confirmatory run has no deviation to name: one would have made it exploratory.  [S8.1]
    if mode == "confirmatory":
        return Text("This is the confirmatory run of the registered plan.")
    reasons = "; ".join(deviations) if deviations else "the configuration says so"
    return Note(
        "plain",
        "Exploratory run",
        _lines(
            "Its numbers illustrate; they confirm nothing.",
            f"Reason: {reasons}.",
            "This is an independent implementation of the public page of AsPredicted #288615: the original freeze and "
            "its modules are not available, and every choice of ours is listed below.",
        ),
    )


def _lines(*parts: str) -> str:
    """Return the parts that are not empty, one a line."""
    return "\n".join(part.strip() for part in parts if part.strip())


def _h1(h1: dict[str, Any]) -> str:
    """Return the answer, its numbers, the words allowed for the profit, and the limits of a failure to reject."""
    # Without a ratio there is no interval or p-value to quote.
    if h1["sharpe"] is None:
        why = h1.get("sharpe_reason", "no reason was recorded")
        return f"{sentence(h1['statement'])} The Sharpe ratio is undefined: {why}."
    reason = (
        "The interval does not exclude the claim, so that neither it nor its contrary is shown: one cannot tell. "
        if h1["verdict"] == "cannot tell" and h1["ci"]
        else ""
    )
    return _lines(
        sentence(h1["statement"]),
        f"Net annualised Sharpe ratio {number(h1['sharpe'])}, 95% interval {interval(h1['ci'])}, sign-flip p(N1) = "
        f"{p_value(h1['p_n1'])} over {plural(h1['n_days'], 'day')}. {nulls.null_sentences(h1)}{reason}",
        stress.stress_sentences(h1),
        "A failure to reject is no evidence of absence: the power table below says what a window of this length can "
        "show.",
    )


def _h2(h2: dict[str, Any]) -> str:
    """Return the answer, its numbers, and a caution for readers."""
    days = f"{h2['zero_days']:,} of {h2['n_days']:,} days had no modelled profit at all"
    return _lines(
        sentence(h2["statement"]),
        f"Jointly optimised net EV {usd(h2['mean_usd_per_day'], 2)} a day, upper 95% bound {usd(h2['upper_95'], 2)}; "
        f"{plural(h2['signals'], 'signal')}, {days}; realised over modelled {number(h2['realised_over_modelled'])}.",
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
    return f"{sentence(h3['statement'])}{''.join(parts)}{caution}"


def _claims(run: Run, h1: dict[str, Any], h2: dict[str, Any], h3: dict[str, Any]) -> Table:
    def yes(flag: bool) -> str:
        return "yes" if flag else "no"

    retained = len(h3["retained"])
    rows = (
        (
            "H1",
            f"Sharpe ratio {_claim(run, 'H1')}, p < {number(run.manifest['claims']['alpha'])}",
            number(h1["sharpe"]),
            interval(h1["ci"]),
            yes(h1["registered"]),
            h1["verdict"],
        ),
        (
            "H2",
            f"mean EV {_claim(run, 'H2')}",
            usd(h2["mean_usd_per_day"], 2),
            NONE if h2["upper_95"] is None else f"below {usd(h2['upper_95'], 2)}",
            yes(h2["registered"]),
            h2["verdict"],
        ),
        (
            "H3",
            f"all {COUNT_IN_WORDS} retained",
            f"{retained} of {len(h3['constraints'])}",
            "one a constraint, below",
            yes(h3["registered"]),
            h3["verdict"],
        ),
    )
    head = ("claim", "as registered", "computed", "95% interval or bound", "registered yes/no", "answer")
    return Table("Every claim: as registered, as computed", head, rows, right=(2, 3))


SECTION = Section("verdicts", "Verdicts", "S9", build)
