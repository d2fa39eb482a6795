"""H3: each of the seven constraints has a positive Sharpe ratio whose 95% interval excludes zero.  [statistics 8]

Rules: [S9.H3].

A constraint is retained if it meets the floor, SR > 0 and the lower end of its interval > 0; "not enough data" if the
floor is not met or the interval is undefined; else dropped.  H3 is supported only if all seven are retained, and
refuted if the interval of any that met the floor lies at or below zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

import numpy as np

from backtest.records import Stats
from engine.exact.decimals import of_fraction, quantise, ratio
from engine.exact.sums import returns
from engine.records import FloatArray, IntArray
from engine.units import MICRO
from hypotheses.base import RunData, Sleeve, Streams, daily_returns
from hypotheses.exposure import Exposure
from hypotheses.h1_answer import annual_interval, annualised
from hypotheses.records import H3, Answer, ConstraintRow, Interval, Proportion, Status
from hypotheses.statistics.inference import Inference, common_blocks, infer_sharpe
from hypotheses.statistics.intervals import equal_tailed, p_positive, symmetric
from hypotheses.statistics.multiplicity import holm, step_down_p
from hypotheses.statistics.studentised import sharpe_t
from hypotheses.statistics.ties import exceeds
from hypotheses.stress import loss_days, rule_of_three, with_loss

ZERO = Decimal(0)
NOT_FAMILY = "constraints without enough data stay out of the family"


@dataclass(frozen=True, slots=True)
class Activity:
    """Counts of what a sleeve traded in the window.  [statistics 8.2]"""

    days: int  # with non-zero trading profit
    dislocations: int  # opened by a traded signal
    blocks: int  # with a day of non-zero trading profit


@dataclass(frozen=True, slots=True)
class JudgedSleeve:
    """One sleeve with its inference and status, before the sleeves are compared."""

    sleeve: Sleeve
    series: IntArray
    activity: Activity
    inference: Inference
    ci: Interval | None
    status: Status
    reason: str


def evaluate(run: RunData, stats: Stats, streams: Streams, exposure: Exposure) -> H3:
    """Return the verdict with a row for each constraint.

    Parameters
    ----------
    run : RunData
        One test window; its sleeves, blocks and trades are read.
    stats : Stats
        The registered numbers.
    streams : Streams
        The named streams of chance; ``h3/bootstrap/<code>`` and ``h3/stepm`` are read.
    exposure : Exposure
        By code the registered loss on the most that stood open at once, days with an open position, dislocations.

    Returns
    -------
    H3
        The answer, the codes retained, and a row for each sleeve; an undefined value is None, with its reason in the
        row's ``reasons``.

    Examples
    --------
    >>> from pathlib import Path
    >>> import pandas as pd
    >>> from backtest.registration.load import load_registration
    >>> stats = load_registration(Path("configs/demo.toml")).stats
    >>> profit_micro = (np.arange(90) * 37 % 101 - 40) * 1_000_000
    >>> sleeve = Sleeve("C1", profit_micro - 137_000, profit_micro, 10**12)
    >>> trades = pd.DataFrame({"status": ["traded"] * 90, "constraint": ["C1"] * 90})
    >>> run = RunData(
    ...     day=np.arange(20_548, 20_638), has_data=np.ones(90, dtype=np.bool_), block=np.arange(90) // 9,
    ...     portfolio=sleeve, sleeves=(sleeve,), signals=pd.DataFrame(), trades=trades, missing={},
    ... )
    >>> streams = lambda name: lambda replicate: np.random.PCG64(replicate)
    >>> verdict = evaluate(run, stats, streams, Exposure(10**9, {"C1": 10**9}, {"C1": 90}, {"C1": 90}))
    >>> verdict.answer.value, verdict.retained, round(verdict.constraints[0].ci.low, 3)
    ('supported', ('C1',), Decimal('3.985'))
    """
    judged = [_judge(run, sleeve, stats, streams, exposure) for sleeve in run.sleeves]
    p_holm = _holm(judged)
    p_stepm = _step_down(judged, stats, streams)
    traded = run.trades.loc[run.trades["status"] == "traded", "constraint"].value_counts().to_dict()
    rows = tuple(
        _row(
            sleeve,
            traded.get(code, 0),
            run.untradable.get(code),
            stats,
            streams,
            p_holm.get(code),
            p_stepm.get(code),
            exposure,
        )
        for sleeve in judged
        for code in [sleeve.sleeve.code]
    )
    retained = tuple(row.code for row in rows if row.status is Status.RETAIN)
    answer = _answer(judged, len(retained) == len(rows))
    statement = f"{len(retained)} of {len(rows)} constraints retained"
    short = [row.code for row in rows if row.status is Status.INSUFFICIENT]
    if short:
        statement += f"; not enough data for {', '.join(short)}"
    return H3(answer, answer is Answer.SUPPORTED, statement, retained, rows, {})


def activity(run: RunData, sleeve: Sleeve, exposure: Exposure) -> Activity:
    """Return the counts that the registered floor bounds, from the sleeve's profit and the run's dislocations."""
    active = sleeve.profit != 0
    return Activity(
        days=int(np.count_nonzero(active)),
        dislocations=exposure.dislocations.get(sleeve.code, 0),
        blocks=len(set(run.block[active].tolist())),
    )


def floor_reason(done: Activity, stats: Stats) -> str | None:
    """Return which counts are under the registered floor, in words, or None if all meet it.  [statistics 8.2]"""
    short = [
        f"{count} {word}, fewer than {least}"
        for count, least, word in (
            (done.days, stats.floor_days, "active days"),
            (done.dislocations, stats.floor_trades, "dislocations"),
            (done.blocks, stats.floor_blocks, "active blocks"),
        )
        if count < least
    ]
    return "; ".join(short) or None


def _judge(run: RunData, sleeve: Sleeve, stats: Stats, streams: Streams, exposure: Exposure) -> JudgedSleeve:
    series = daily_returns(sleeve)
    done = activity(run, sleeve, exposure)
    bits = streams(f"h3/bootstrap/{sleeve.code}")
    inference = infer_sharpe(series, stats.bootstrap_draws, bits, stats.bootstrap_discard_share)
    ci = annual_interval(symmetric(inference, stats.level))
    lacking = run.missing.get(sleeve.code)
    reason = f"not evaluable: {lacking}" if lacking else floor_reason(done, stats)
    # An undefined interval is insufficient too, and not a drop.  [statistics 8.3]
    if reason is None and ci is None:
        reason = f"the interval is undefined: {inference.undefined or 'too few bootstrap draws for the level'}"
    if reason is not None:
        return JudgedSleeve(sleeve, series, done, inference, ci, Status.INSUFFICIENT, reason)
    retain = (
        ci is not None and exceeds(ci.low, ZERO, stats.tied_relative) and (annualised(inference.point) or ZERO) > ZERO
    )
    return JudgedSleeve(sleeve, series, done, inference, ci, Status.RETAIN if retain else Status.DROP, "")


def _answer(judged: list[JudgedSleeve], all_retained: bool) -> Answer:
    """Return the three-way answer: refuted where a constraint that met the floor has its whole interval <= 0."""
    if all_retained:
        return Answer.SUPPORTED
    # A sleeve under the floor refutes nothing: its interval is wrong by a factor.  [statistics 8.2]
    refuted = any(
        sleeve.status is Status.DROP and sleeve.ci is not None and sleeve.ci.high <= ZERO for sleeve in judged
    )
    return Answer.REFUTED if refuted else Answer.CANNOT_TELL


def _holm(judged: list[JudgedSleeve]) -> dict[str, Decimal]:
    """Return Holm's adjusted p-values by code; the family is always the seven, an insufficient one counting as 1."""
    raw = [p_positive(sleeve.inference) if sleeve.status is not Status.INSUFFICIENT else None for sleeve in judged]
    # an insufficient constraint counts as 1: a family that shrank with the data would adjust less where less was seen
    adjusted = holm([Fraction(1) if p is None else Fraction(p.count, p.of) for p in raw])
    pairs = zip(judged, raw, adjusted, strict=True)
    return {sleeve.sleeve.code: quantise(of_fraction(value)) for sleeve, p, value in pairs if p is not None}


def _step_down(judged: list[JudgedSleeve], stats: Stats, streams: Streams) -> dict[str, Proportion]:
    """Return StepM's adjusted p-values by code: the same resampled days for all sleeves that met the floor."""
    family = [sleeve for sleeve in judged if sleeve.status is not Status.INSUFFICIENT]
    lengths = [sleeve.inference.block_length for sleeve in family if sleeve.inference.block_length is not None]
    if not family:
        return {}
    resample = common_blocks(len(family[0].series), lengths, stats.bootstrap_draws, streams("h3/stepm"))
    table: FloatArray = np.stack([sharpe_t(sleeve.series, resample).by_draw for sleeve in family], axis=1)
    # a row is one resample of all sleeves; a maximum over some of them would be too small
    table = table[~np.isnan(table).any(axis=1)]
    observed = [float(sleeve.inference.t or ZERO) for sleeve in family]
    return dict(zip([sleeve.sleeve.code for sleeve in family], step_down_p(observed, table), strict=True))


def _row(
    judged: JudgedSleeve,
    trades: int,
    untradable: int | None,
    stats: Stats,
    streams: Streams,
    p_holm: Decimal | None,
    p_stepm: Proportion | None,
    exposure: Exposure,
) -> ConstraintRow:
    inference, done, code = judged.inference, judged.activity, judged.sleeve.code
    stress = exposure.stress_micro.get(code, 0)
    after = _stressed(judged, stats, streams, stress) if judged.status is Status.RETAIN else None
    days, losses = exposure.open_days.get(code, 0), loss_days(judged.sleeve, stress)
    return ConstraintRow(
        code=code,
        status=judged.status,
        sharpe=annualised(inference.point),
        ci=judged.ci,
        ci_equal_tailed=annual_interval(equal_tailed(inference, stats.level)),
        block_length=inference.block_length,
        active_days=done.days,
        trades=trades,
        dislocations=done.dislocations,
        untradable=untradable,
        active_blocks=done.blocks,
        p=p_positive(inference),
        p_holm=p_holm,
        p_stepm=p_stepm,
        tail_fragile=None if judged.status is not Status.RETAIN else after is None or after.low <= ZERO,
        stress_usd=quantise(ratio(stress, MICRO)),
        stressed_ci=after,
        loss_days=losses,
        loss_bound=rule_of_three(days, losses),
        draws=inference.draws,
        discarded=inference.discarded,
        reasons=_reasons(judged, after, days, losses, counted=untradable is not None),
    )


def _stressed(judged: JudgedSleeve, stats: Stats, streams: Streams, stress_micro: int) -> Interval | None:
    """Return the interval after one registered stress loss; None where it is undefined."""
    series = returns(with_loss(judged.sleeve, stress_micro), Fraction(judged.sleeve.capital_micro))
    # The words of the decision again: only the loss differs.
    bits = streams(f"h3/bootstrap/{judged.sleeve.code}")
    inference = infer_sharpe(series, stats.bootstrap_draws, bits, stats.bootstrap_discard_share)
    return annual_interval(symmetric(inference, stats.level))


def _reasons(
    judged: JudgedSleeve, stressed: Interval | None, open_days: int, losses: int, *, counted: bool
) -> dict[str, str]:
    """Return, by field, why a value of the row is undefined; `status` says why a constraint is insufficient."""
    reasons = {} if counted else {"untradable": "the funnel of this run does not count them"}
    if judged.status is Status.INSUFFICIENT:
        reasons |= {"status": judged.reason, "p_holm": NOT_FAMILY, "p_stepm": NOT_FAMILY}
    if judged.status is not Status.RETAIN:
        reasons |= dict.fromkeys(["tail_fragile", "stressed_ci"], "only a retained constraint is stressed")
    elif stressed is None:
        reasons["stressed_ci"] = "the interval is undefined after the loss, which counts as fragile"
    if judged.inference.undefined is not None:
        names = ["ci", "ci_equal_tailed", "p"]
        names += ["sharpe"] if judged.inference.point is None else []
        names += ["block_length"] if judged.inference.block_length is None else []
        reasons |= dict.fromkeys(names, judged.inference.undefined)
    elif judged.ci is None:
        reasons |= dict.fromkeys(["ci", "ci_equal_tailed"], "too few bootstrap draws for the level")
    if losses or not open_days:
        reasons["loss_bound"] = (
            "a loss of at least half the stress loss was seen" if losses else "no position was open on any day"
        )
    return reasons
