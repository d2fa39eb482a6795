"""The power statement of a plan: every table and curve, from the registration and `seeds.lock` alone.  [statistics 1.4]

Nothing of a run is read: no return, no trade, no resolution, no market.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod, sqrt
from typing import Any

from scipy.stats import nct

from backtest.records import Registration
from backtest.registration.acknowledged import not_acknowledged, power_hash
from backtest.results.returns import DAYS_A_YEAR
from engine.constraints.codes import CODES, COUNT_IN_WORDS
from hypotheses.base import Streams
from hypotheses.planning import capacity
from hypotheses.planning.base import REPLICATES, Curve, PlanningTable, PowerInputs, Statement, replicates
from hypotheses.planning.floors import floor_probability
from hypotheses.planning.retain import draw, retained
from hypotheses.sensitivity import certificate as kept_certificate
from hypotheses.statistics.power import days_needed, detectable_sharpe, joint_power, t_test_power

SHARPE = (0.0, 1.0, 2.0, 3.0, 5.0, 8.0)
GRID = tuple(0.5 * step for step in range(21))
WINDOWS = (30, 60, 90, 120, 180, 270, 365, 540, 730)


def statement(registration: Registration, streams: Streams, certificate: Mapping[str, Any] | None) -> Statement:
    """Return the power statement of ``registration``; every window of a plan is equally long.

    ``certificate`` is the content of the calibration certificate, None where there is none: it is no part of the name.
    """
    inputs = inputs_of(registration)
    alpha = float(inputs.stats.alpha)
    seen = detectable_sharpe(inputs.days, alpha, 0.8)
    return Statement(
        study=registration.study,
        title=registration.title,
        name=power_hash(registration.content),
        acknowledged=not_acknowledged(registration.content) is None,
        days=inputs.days,
        folds=inputs.plan.folds,
        windows=len(registration.windows),
        sentences=(
            f"A window of {inputs.days} independent normal days detects a true annual Sharpe ratio of "
            f"{'no size' if seen is None else f'{seen:.1f}'} with a power of 80%; dependence and skewness lower all of "
            "it.",
            "A failure to reject is not evidence of absence: where neither the claim nor its contrary is shown, the "
            "report's third answer is that one cannot tell, and it says why.",
            "Nothing of a run was read for this: the registration, seeds.lock and the calibration certificate alone.",
        ),
        tables=(
            _deciding(certificate, registration.content),
            *_sharpe(inputs, streams),
            _days(inputs),
            _floors(inputs),
            *retention_tables(inputs, streams),
            capacity_table(inputs, streams),
        ),
        curves=_curves(inputs, streams),
    )


def inputs_of(registration: Registration) -> PowerInputs:
    """Return the window, the registered numbers and the expected counts of a plan."""
    expected = registration.content["power"]
    active, dislocations = (
        {code: int(expected[f"expected_{name}"][code.lower()]) for code in CODES} for name in ("active_days", "trades")
    )
    return PowerInputs(registration.plan, registration.stats, active, dislocations)


def _deciding(certificate: Mapping[str, Any] | None, content: Mapping[str, Any]) -> PlanningTable:
    """Return how often the rule that decides supports H1, by the true ratio, as the certificate measured it."""
    note = kept_certificate.NONE if certificate is None else kept_certificate.freshness(certificate, content)
    rows = () if certificate is None else kept_certificate.power_rows(certificate, note)
    head = ("true annual Sharpe ratio", *(f"{row['true_sharpe']:g}" for row in rows))
    shown = (
        ("supported", *(row["share"] for row in rows)),
        ("95% interval", *(row["interval"] for row in rows)),
        ("drawn markets", *(f"{row['of']:,}" for row in rows)),
    )
    measured = "Measured on drawn markets of one pair, whose size bounds it at high ratios (docs/decisions/0717)"
    where = f"{measured}; the certificate is {note}." if rows else note
    return PlanningTable("decides", kept_certificate.POWER_TITLE, "measured", head, shown if rows else (), (where,))


def _sharpe(inputs: PowerInputs, streams: Streams) -> tuple[PlanningTable, PlanningTable]:
    """Return what H1's tests reject, and how often each of its three answers comes, by the true ratio."""
    stats, days, folds = inputs.stats, inputs.days, inputs.plan.folds
    alpha, level, claim = (float(value) for value in (stats.alpha, stats.level, stats.sharpe_claim))
    joint = joint_power(days, folds, alpha, replicates(streams, "joint"), claim, SHARPE)
    head = ("true annual Sharpe ratio", *(f"{sharpe:g}" for sharpe in SHARPE))
    refuted = [_refuted(sharpe, claim, days, level) for sharpe in SHARPE]
    rejects = PlanningTable(
        "sharpe",
        "H1 with N1 alone, on series of normal days: how often the tests reject",
        "simulated",
        head,
        (
            (f"t-test of SR <= 0 at {100 * alpha:g}%, exact", *(t_test_power(s, 0.0, days, alpha) for s in SHARPE)),
            (f"SR > {claim:g} and p(N1) < {alpha:g}, simulated", *joint),
            (f"t-test of SR <= {claim:g}, exact", *(t_test_power(s, claim, days, alpha) for s in SHARPE)),
        ),
        (
            f"N1 has {2**folds:,} elements: no p-value under {2.0**-folds:.2g}. {REPLICATES:,} simulated windows.",
            "The registered rule asks p(N2) too: the power of both together is in the first table.",
        ),
    )
    answers = PlanningTable(
        "answers",
        "H1 with N1 alone: how often each of the three answers",
        "simulated",
        head,
        (
            ("supported", *joint),
            (f"refuted: upper {100 * level:g}% end under {claim:g}", *refuted),
            ("cannot tell", *(max(0.0, 1.0 - a - b) for a, b in zip(joint, refuted, strict=True))),
        ),
        ("The interval that refutes is taken as the exact one of normal days.",),
    )
    return rejects, answers


def _refuted(sharpe: float, claim: float, days: int, level: float) -> float:
    """Return P(upper end < claim) of the exact interval: t below its quantile at the claim."""
    scale = sqrt(days / DAYS_A_YEAR)
    cut = nct.ppf((1.0 - level) / 2.0, days - 1, claim * scale)
    return float(nct.cdf(cut, days - 1, sharpe * scale))


def _days(inputs: PowerInputs) -> PlanningTable:
    alpha = float(inputs.stats.alpha)
    return PlanningTable(
        "days",
        "Days the t-test of SR <= 0 needs for a power of 80%",
        "exact",
        ("true annual Sharpe ratio", *(f"{sharpe:g}" for sharpe in SHARPE[1:])),
        (("days", *(days_needed(sharpe, alpha, 0.8) for sharpe in SHARPE[1:])),),
        unit="number",
    )


def _floors(inputs: PowerInputs) -> PlanningTable:
    """Return the probability of the floor by expected active days, at one, two and four dislocations an active day."""
    stats, days = inputs.stats, inputs.days
    per_day = (1.0, 2.0, 4.0)
    return PlanningTable(
        "floors",
        f"H3: probability of the floor ({stats.floor_days} active days, {stats.floor_trades} dislocations, "
        f"{stats.floor_blocks} active blocks)",
        "exact",
        ("expected active days", *(f"{number:g} dislocations a day" for number in per_day)),
        tuple(
            (
                f"{active}",
                *(floor_probability(active, active * m, days, inputs.plan.folds, stats) for m in per_day),
            )
            for active in _active(inputs)
        ),
        ("Active days fall independently; in clusters the floor of active blocks is met less often.",),
    )


def _active(inputs: PowerInputs) -> tuple[int, ...]:
    """Return the grid of expected active days: shares of the window, and the floor itself."""
    # A set: the floor may be one of the shares.
    shares = {round(inputs.days * share) for share in (0.1, 0.2, 0.25, 1 / 3, 0.5, 2 / 3, 1.0)}
    return tuple(sorted({*shares, min(inputs.stats.floor_days, inputs.days)}))


def retention_tables(inputs: PowerInputs, streams: Streams) -> tuple[PlanningTable, PlanningTable]:
    """Return the retain power by expected active days, and by sleeve with all of them."""
    uniform = draw(replicates(streams, "retain"), inputs.days, 2)
    head = ("expected active days", *(f"SR {sharpe:g}" for sharpe in SHARPE))
    rows = tuple(
        (f"{active}", *(retained(uniform, sharpe, active, 2.0 * active, inputs) for sharpe in SHARPE))
        for active in _active(inputs)
    )
    note = f"{REPLICATES:,} simulated windows a cell, two dislocations an active day; dash: so few days cannot have it."
    by_days = PlanningTable(
        "retain", "H3: how often a constraint is retained, floor included", "simulated", head, rows, (note,)
    )
    sleeves = {
        code: tuple(
            retained(uniform, sharpe, inputs.active_days[code], inputs.dislocations[code], inputs) for sharpe in SHARPE
        )
        for code in CODES
    }
    joint = tuple(
        # A constraint that cannot have the ratio leaves no product.
        None if any(value is None for value in column) else prod(value for value in column if value is not None)
        for column in zip(*sleeves.values(), strict=True)
    )
    # One tail of the two-sided interval: retention asks for its lower end alone.  [statistics 8.3]
    dense = tuple(t_test_power(s, 0.0, inputs.days, (1.0 - float(inputs.stats.level)) / 2.0) for s in SHARPE)
    expected = tuple(
        (f"{code}: {inputs.active_days[code]} active days, {inputs.dislocations[code]} dislocations expected", *values)
        for code, values in sleeves.items()
    )
    return by_days, PlanningTable(
        "sleeves",
        f"H3: by constraint as the plan expects them, and all {COUNT_IN_WORDS}",
        "simulated",
        ("constraint", *head[1:]),
        (
            *expected,
            (f"all {COUNT_IN_WORDS}, if independent", *joint),
            ("one that trades daily, exact", *dense),
            (f"all {COUNT_IN_WORDS}, if daily and independent", *(value ** len(CODES) for value in dense)),
        ),
        (f"H3 asks for all {COUNT_IN_WORDS}: one constraint that is under the floor suffices for `cannot tell`.",),
    )


def capacity_table(inputs: PowerInputs, streams: Streams) -> PlanningTable:
    """Return how often H2 is supported, a row a true mean as a share of the claim, by how uneven days are."""
    uniform = draw(replicates(streams, "capacity"), inputs.days, 1)[:, 0]
    level = float(inputs.stats.level)
    return PlanningTable(
        "capacity",
        f"H2: how often mean and upper bound are under {inputs.stats.ev_claim_usd:,} USD a day",
        "simulated",
        ("true mean, share of the claim", *(f"sd {v:g} x mean" for v in capacity.VARIATION)),
        tuple(
            (f"{share:g}", *(capacity.supported(uniform, share, v, level) for v in capacity.VARIATION))
            for share in capacity.SHARES
        ),
        ("Lognormal days; the last row is the error rate of the bound. An engine that finds nothing keeps a ceiling.",),
    )


def _curves(inputs: PowerInputs, streams: Streams) -> tuple[Curve, ...]:
    stats, days = inputs.stats, inputs.days
    alpha, level, claim = (float(value) for value in (stats.alpha, stats.level, stats.sharpe_claim))
    joint = joint_power(days, inputs.plan.folds, alpha, replicates(streams, "joint"), claim, GRID)
    lines = {
        "t-test, SR <= 0": tuple(t_test_power(s, 0.0, days, alpha) for s in GRID),
        "registered rule with N1": joint,
        f"t-test, SR <= {claim:g}": tuple(t_test_power(s, claim, days, alpha) for s in GRID),
        "one constraint retained, daily": tuple(t_test_power(s, 0.0, days, (1 - level) / 2) for s in GRID),
    }
    # A window too short to detect any ratio has no point on the curve.
    longer = tuple(number for number in WINDOWS if detectable_sharpe(number, alpha, 0.8) is not None)
    ratios = tuple(float(detectable_sharpe(number, alpha, 0.8) or 0.0) for number in longer)
    return (
        Curve("power", "Power by the true annual Sharpe ratio", "true annual Sharpe ratio", GRID, lines),
        Curve(
            "detectable",
            "True annual Sharpe ratio detected with 80% power, by days",
            "days of a window",
            tuple(map(float, longer)),
            {"t-test, SR <= 0": ratios},
            top=max(ratios, default=1.0),
        ),
    )
