"""The registered yes or no of H1 and its three-way answer.  [S9.H1, statistics 3.4]"""

from __future__ import annotations

from decimal import Decimal

from backtest.records import Stats
from engine.exact.decimals import quantise
from hypotheses.records import Answer, Interval, PermutationNull, Proportion
from hypotheses.statistics.sharpe import annual
from hypotheses.statistics.ties import exceeds, falls_below, tied


def annualised(value: Decimal | None) -> Decimal | None:
    """Return a daily Sharpe ratio as an annual one: times sqrt(365), rounded once to 9 places.

    Parameters
    ----------
    value : Decimal or None
        A ratio a day.

    Returns
    -------
    Decimal or None
        The ratio a year; None where ``value`` is.

    Raises
    ------
    UsageError
        If ``value`` is neither Decimal nor None.

    Examples
    --------
    >>> annualised(Decimal("0.1"))
    Decimal('1.910497317')
    """
    return None if value is None else quantise(annual(value))


def annual_interval(daily: Interval | None) -> Interval | None:
    """Return an interval of the daily ratio as one of the annual ratio, rounded once to 9 places.

    Parameters
    ----------
    daily : Interval or None
        The ends as ratios a day.

    Returns
    -------
    Interval or None
        The ends as ratios a year; None where ``daily`` is.

    Examples
    --------
    >>> annual_interval(Interval(Decimal("-0.1"), Decimal("0.2")))
    Interval(low=Decimal('-1.910497317'), high=Decimal('3.820994635'))
    """
    return None if daily is None else Interval(quantise(annual(daily.low)), quantise(annual(daily.high)))


def answer_of(
    ratio: Decimal | None,
    ci: Interval | None,
    p: Proportion | None,
    registered: bool,
    stats: Stats,
    blocked: str | None,
) -> Answer:
    """Return the three-way answer on H1; refuted needs an interval that lies below the claim.

    Parameters
    ----------
    ratio : Decimal or None
        The net annual Sharpe ratio; None where it is undefined.
    ci : Interval or None
        Its two-sided interval, annual.
    p : Proportion or None
        The p-value of N1.
    registered : bool
        The registered yes or no of `registered_answer`.
    stats : Stats
        The registered claim and the half-width of a tie.
    blocked : str or None
        Why H1 cannot be evaluated.

    Returns
    -------
    Answer
        SUPPORTED, REFUTED or CANNOT_TELL.

    Examples
    --------
    >>> from pathlib import Path
    >>> from backtest.registration.load import load_registration
    >>> stats = load_registration(Path("configs/demo.toml")).stats
    >>> interval = Interval(Decimal("-3"), Decimal("0.8"))
    >>> answer_of(Decimal("-1"), interval, Proportion(900, 1024), False, stats, None).value
    'refuted'
    """
    if blocked is not None or ratio is None or p is None:
        return Answer.CANNOT_TELL
    # The registered rule goes first: an interval below the claim cannot take its yes back.
    if registered:
        return Answer.SUPPORTED
    if ci is not None and falls_below(ci.high, stats.sharpe_claim, stats.tied_relative):
        return Answer.REFUTED
    return Answer.CANNOT_TELL


def registered_answer(
    ratio: Decimal | None, p: Proportion | None, second: PermutationNull | None, stats: Stats, blocked: str | None
) -> tuple[bool, str]:
    """Return the registered yes or no, with its row of the table of statistics 3.4 in words.

    Parameters
    ----------
    ratio : Decimal or None
        The net annual Sharpe ratio; None where it is undefined.
    p : Proportion or None
        The p-value of N1.
    second : PermutationNull or None
        N2; None where the signals were not moved.
    stats : Stats
        The registered claim, the level of the nulls and the half-width of a tie.
    blocked : str or None
        Why H1 cannot be evaluated.

    Returns
    -------
    tuple[bool, str]
        Whether H1 is supported by the registered rule, and why.

    Examples
    --------
    >>> from pathlib import Path
    >>> from backtest.registration.load import load_registration
    >>> stats = load_registration(Path("configs/demo.toml")).stats
    >>> registered_answer(Decimal("0.7"), Proportion(3, 1024), None, stats, None)
    (False, 'not supported: the Sharpe ratio is not above 1')
    """
    # What cannot be evaluated counts as not supported.  [R1.9]
    if blocked is not None or ratio is None or p is None:
        return False, blocked or "not evaluable"
    claim = stats.sharpe_claim
    # A tie is decided against the claim.  [R11.6]
    if not exceeds(ratio, claim, stats.tied_relative):
        relation = "numerically tied with" if tied(ratio, claim, stats.tied_relative) else "not above"
        return False, f"not supported: the Sharpe ratio is {relation} {claim}"
    nulls = {"p(N1)": p} if second is None or second.p is None else {"p(N1)": p, "p(N2)": second.p}
    above = [name for name, share in nulls.items() if not share.under(stats.alpha)]
    if above:
        verb = "is" if len(above) == 1 else "are"
        return False, f"not supported (point only): {' and '.join(above)} {verb} not under {stats.alpha}"
    if second is None:
        return True, f"supported: the Sharpe ratio exceeds {claim} and p(N1) is under {stats.alpha}; N2 was not run"
    return True, f"supported: the Sharpe ratio exceeds {claim}, p(N1) and p(N2) are under {stats.alpha}"
