"""The first screen: three answers side by side, what follows from them, and the largest risks to them."""

from __future__ import annotations

import numpy as np

from backtest.results.vocabulary import WORD_OF_STATUS
from engine.records import FloatArray
from reports.base import AnswerCard, Answers, Block, Points, Text
from reports.citation import Cited, SourcedFloat, SourcedInt, derived, ratio, total
from reports.figures import strip
from reports.load import Run
from reports.rows import RETURNS, SIGNALS, TRADES, Rows
from reports.sections.performance import shares_of_gains
from reports.sections.verdicts import TONE
from reports.words import NAMES, count, general, interval, number, plural, share, usd, usd_micro

MOST_RISKS = 3
LEAST_COVERAGE = SourcedFloat(0.8, "reports/sections/lead.py: LEAST_COVERAGE")
MOST_CONCENTRATION, MOST_FALLBACK = 0.5, 0.1
"""Shares beyond which coverage, one constraint's part of the profit and costs without depth are named as risks."""
DAYS_A_YEAR = 365
GRADES = {
    "robust": "robust: the further conditions of the plan are met too",
    "fragile": "fragile: a further condition of the plan is not met",
}
"""Grade of a supported H1 -> the grade and what it means, for a reader who meets it first here."""


def build(run: Run) -> tuple[Block, ...]:
    """Return the three answers as cards, what follows from them, what it cost, and at most three risks."""
    return (Answers((_h1(run), _h2(run), _h3(run))), Text(follows(run)), Text(paid(run)), _risks(run))


def _badge(run: Run, answer: str) -> str:
    """Return the answer with the mode of the run: no answer stands without it."""
    words = (answer.upper(), str(run.manifest["mode"]), *(["synthetic"] if run.synthetic else []))
    return ", ".join(words)


def _h1(run: Run) -> AnswerCard:
    h1, claim = run.verdicts["H1"], general(run.manifest["claims"]["sharpe"])
    ends = (float(h1["ci"][0]), float(h1["ci"][1])) if h1["ci"] else (None, None)
    point = None if h1["sharpe"] is None else float(h1["sharpe"])
    tone = TONE[h1["verdict"]]
    grade = f"; {GRADES[h1['grade']]}" if h1.get("grade") else ""
    level = share(run.level, 0)
    bounds = Cited("{} interval {}{}").format(level, interval(h1["ci"]), grade)
    return AnswerCard(
        tone,
        _badge(run, h1["verdict"]),
        Cited("H1: the net Sharpe ratio is above {}, and not by chance").format(claim),
        number(h1["sharpe"]),
        bounds if point is not None else "undefined: no return to judge",
        strip.draw(tone, point, ends, float(claim), f"claim: above {claim}"),
        f"Sharpe ratio {number(h1['sharpe'])} beside the claim of {claim}",
        "verdicts.json: H1.sharpe, H1.ci; manifest.json: claims.sharpe",
    )


def _h2(run: Run) -> AnswerCard:
    h2, claim = run.verdicts["H2"], run.manifest["claims"]["ev_usd"]
    point = None if h2["mean_usd_per_day"] is None else float(h2["mean_usd_per_day"])
    ends = tuple(None if h2.get(key) is None else float(h2[key]) for key in ("lower_95", "upper_95"))
    tone = TONE[h2["verdict"]]
    return AnswerCard(
        tone,
        _badge(run, h2["verdict"]),
        Cited("H2: the modelled profit is below {} a day").format(usd(claim)),
        usd(h2["mean_usd_per_day"]),
        Cited("upper {} bound {}").format(share(run.level, 0), usd(h2["upper_95"])),
        strip.draw(tone, point, (ends[0], ends[1]), float(claim), f"claim: below {usd(claim)}"),
        f"{usd(point)} a day beside the claim of {usd(claim)}",
        "verdicts.json: H2.mean_usd_per_day, H2.lower_95, H2.upper_95; manifest.json: claims.ev_usd",
    )


def _h3(run: Run) -> AnswerCard:
    h3 = run.verdicts["H3"]
    kept = SourcedInt(len(h3["retained"]), "verdicts.json: count(H3.retained)")
    of = SourcedInt(len(h3["constraints"]), "verdicts.json: count(H3.constraints)")
    by_word: dict[str, list[str]] = {}
    for row in h3["constraints"]:
        by_word.setdefault(WORD_OF_STATUS[row["status"]], []).append(row["code"])
    tone = TONE[h3["verdict"]]
    return AnswerCard(
        tone,
        _badge(run, h3["verdict"]),
        "H3: each no-arbitrage constraint earns by itself",
        Cited("{} of {} retained").format(count(kept), count(of)),
        "; ".join(f"{word}: {' '.join(codes)}" for word, codes in by_word.items()),
        strip.draw(tone, float(kept), (0.0, float(kept)), float(of), f"claim: all {of}"),
        f"{kept} of {of} constraints retained",
        "verdicts.json: H3.retained, H3.constraints",
    )


def follows(run: Run) -> str:
    """Return in one or two sentences what a reader may conclude from the three answers, by mode and market."""
    answers = [run.verdicts[name]["verdict"] for name in ("H1", "H2", "H3")]
    if run.synthetic:
        return (
            "What follows: nothing for any venue. This market was drawn, with violations planted in it; the answers "
            "say what the harness makes of them."
        )
    if run.verdicts["run"]["mode"] != "confirmatory":
        return "What follows: nothing is confirmed or refuted by an exploratory run; it shows what the data can say."
    sentence = {
        "supported": "the registered claim of a net edge holds in this window",
        "refuted": "the registered claim of a net edge is refuted in this window",
        "cannot tell": "this window cannot tell whether there is a net edge, which is no evidence that there is none",
    }[answers[0]]
    capacity = {
        "supported": "its modelled size stays below the registered ceiling",
        "refuted": "its modelled size is above the registered ceiling",
        "cannot tell": "whether its modelled size stays below the registered ceiling is open",
    }[answers[1]]
    dropped = [r["code"] for r in run.verdicts["H3"]["constraints"] if WORD_OF_STATUS[r["status"]] == "dropped"]
    gone = f"; {', '.join(dropped)} failed and leave{'s' if len(dropped) == 1 else ''} the engine" if dropped else ""
    return f"What follows: {sentence}; {capacity}{gone}."


def paid(run: Run) -> str:
    """Return in one sentence what the trades earned before costs, what each cost took, and what is left."""
    trades, returns = Rows(run.trades, TRADES).where(status="traded"), Rows(run.returns, RETURNS)
    gross, funding, fees, slippage, borrow = (
        trades.total(f"{term}_usd_micro") for term in ("gross", "funding", "fees", "slippage", "borrow")
    )
    before, left = returns.total("pnl"), returns.total("x")
    earned = total((gross, funding))
    capital = derived(int(before) - int(left), "-", before, left)
    return Cited(
        "What it cost, in USD: of {} that the trades earned with funding, fees took {}, slippage {}, borrowing {} and "
        "capital {}; {} is left."
    ).format(*(usd_micro(amount) for amount in (earned, fees, slippage, borrow, capital, left)))


def _risks(run: Run) -> Points:
    """Return the largest risks: those with a known effect on the Sharpe ratio by its size, then the others."""
    found = [*_measured(run), *((0.0, text) for text in _others(run))]
    # Stable: what has no known effect keeps the order of its rule.
    ordered = [text for _, text in sorted(found, key=lambda risk: -risk[0])]
    shown = (
        *ordered[:MOST_RISKS],
        *(["More points are below, in the sections they belong to."] if len(ordered) > MOST_RISKS else []),
    )
    return Points("What could be wrong with these answers", shown or ("No rule of this page names a risk.",))


def _measured(run: Run) -> list[tuple[float, str]]:
    """Return the risks whose effect on the Sharpe ratio is known, as (fall of the ratio, sentence)."""
    h1 = run.verdicts["H1"]
    if h1["sharpe"] is None:
        return []
    risks: list[tuple[float, str]] = []
    before = float(h1["sharpe"])
    stressed = h1.get("stressed") or {}
    if stressed.get("sharpe") is not None:
        after = float(stressed["sharpe"])
        loss = usd(stressed["loss_usd"])
        risks.append(
            (
                before - after,
                Cited(
                    "A crash that takes the registered loss on all positions open at once on one underlying, venue and "
                    "expiry (one joint loss, {}) takes the Sharpe ratio from {} to {}."
                ).format(loss, number(h1["sharpe"]), number(stressed["sharpe"])),
            )
        )
    best, part = next(iter(shares_of_gains(run).items()), ("", 0.0))
    if part > MOST_CONCENTRATION:
        x, pnl = (run.returns[name].to_numpy(np.float64) for name in ("x", f"pnl_{best}"))
        without = Rows(run.returns, RETURNS).measure(_sharpe(x - pnl), "sharpe", f"x - pnl_{best}")
        words = Cited("{} ({}) earned {} of the gains; without it the Sharpe ratio is {}.").format(
            best, NAMES[best], share(part, 0), number(without)
        )
        risks.append((before - without if without == without else before, words))
    return risks


def _sharpe(daily: FloatArray) -> float:
    """Return the annualised ratio of daily profits, shape ``[n]``; NaN where they do not vary."""
    deviation = float(daily.std(ddof=1))
    return float(daily.mean()) / deviation * DAYS_A_YEAR**0.5 if deviation else float("nan")


def _others(run: Run) -> list[str]:
    """Return the risks without a known effect on the ratio, in the order of the rule."""
    h1, h3, window = run.verdicts["H1"], run.verdicts["H3"], run.verdicts["window"]
    risks: list[str] = []
    if failed := h1.get("failed_conditions"):
        risks.append(Cited("H1 is fragile: {}.").format(Cited("; ").join(failed)))
    if departures := run.verdicts["run"]["deviations"]:
        departed = plural(SourcedInt(len(departures), "verdicts.json: count(run.deviations)"), "departure")
        risks.append(departed + " from the registered plan; they are listed below.")
    low = {
        code: value for code, value in window["coverage"].items() if value is not None and float(value) < LEAST_COVERAGE
    }
    if low:
        listed = Cited(", ").join(Cited("{} {}").format(code, share(value, 0)) for code, value in low.items())
        risks.append(Cited("Judged at fewer than {} of the grid times: {}.").format(share(LEAST_COVERAGE, 0), listed))
    undecided = [row["code"] for row in h3["constraints"] if WORD_OF_STATUS[row["status"]] == "not enough data"]
    if undecided:
        risks.append(f"Not enough data to decide {', '.join(undecided)}.")
    signals = Rows(run.signals, SIGNALS)
    without_depth = ratio(signals.where(cost_model="fallback").count(), signals.count())
    if without_depth is not None and without_depth > MOST_FALLBACK:
        risks.append(share(without_depth, 0) + " of the signals were charged a fallback: no depth was known.")
    return risks
