"""The long-run variance of a series: quadratic-spectral kernel, prewhitened by AR(1), in decimals.  [statistics 6]

Andrews and Monahan (1992), with the automatic bandwidth of Andrews (1991); R's ``sandwich`` is the oracle of the
vectors.  Everything is decimal at precision 50, so that the standard error is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from engine.arguments import require_number, require_numbers
from engine.exact.decimals import PI, cos_sin, exact, root

RHO_LIMIT = Decimal("0.97")
"""Andrews and Monahan's bound: nearer to 1 the recolouring 1 / (1 - rho)^2 would explode."""

FLOOR = Decimal("1e-12")
"""The least variance returned: the quadratic-spectral sum of a short series may be negative."""

BANDWIDTH = Decimal("1.3221")
"""The constant of the quadratic-spectral kernel in Andrews (1991), equation 6.2."""


@dataclass(frozen=True, slots=True)
class LongRunVariance:
    """The long-run variance of one observation, its AR(1) slope and its bandwidth; ``bandwidth`` None is infinite."""

    variance: Decimal
    rho: Decimal
    bandwidth: Decimal | None


def long_run_variance(psi: Sequence[Decimal]) -> LongRunVariance:
    """Return the prewhitened quadratic-spectral long-run variance of a mean-zero series (Andrews and Monahan 1992).

    rho by least squares without intercept, |rho| <= 0.97; e_t = psi_t - rho psi_{t-1}; S = 1.3221 (alpha m)^(1/5),
    alpha = 4 r^2 / (1 - r)^4; V = (1/n)(sum e^2 + 2 sum_j k(j/S) sum e_t e_{t-j}) / (1 - rho)^2, floored at 1e-12.

    Parameters
    ----------
    psi : Sequence[Decimal], shape (n,), at least 4 long
        Influence values; their mean is zero.

    Returns
    -------
    LongRunVariance
        The variance of one observation in the squared unit of ``psi``, its AR(1) slope and bandwidth in lags.

    Raises
    ------
    UsageError
        If ``psi`` has fewer than 4 values, or one is no finite Decimal.

    Examples
    --------
    >>> psi = [Decimal(x) for x in (1, -1, 2, -2, 1, -1)]
    >>> round(long_run_variance(psi).variance, 6)
    Decimal('0.089219')
    """
    require_numbers("psi", psi, Decimal, shortest=4)
    with exact():
        before = _dot(psi[:-1], psi[:-1])
        # A series of zeros has no slope.
        slope = _dot(psi[1:], psi[:-1]) / before if before else Decimal(0)
        rho = max(-RHO_LIMIT, min(RHO_LIMIT, slope))
        white = [now - rho * last for now, last in zip(psi[1:], psi, strict=False)]
        bandwidth = _bandwidth(white)
        around = Decimal(0)
        for lag in range(1, len(white)):
            weight = _kernel(lag, bandwidth)
            around += weight * _dot(white[lag:], white[:-lag])
        variance = (_dot(white, white) + 2 * around) / len(psi) / (1 - rho) ** 2
        return LongRunVariance(max(variance, FLOOR), rho, bandwidth)


def standard_error(variance: Decimal, n: int) -> Decimal:
    """Return sqrt(V n / ((n - 1)(n - 2))): the standard error of a mean with its small-sample factor.

    Parameters
    ----------
    variance : Decimal, at least 0
        The long-run variance of one observation.
    n : int, at least 3
        Observations.

    Returns
    -------
    Decimal
        The standard error, in the unit of the observations.

    Raises
    ------
    UsageError
        If ``variance`` is no Decimal of at least 0, or ``n`` is under 3.

    Examples
    --------
    >>> round(standard_error(Decimal(1), 90), 6)
    Decimal('0.107198')
    """
    require_number("variance", variance, Decimal, at_least=0)
    require_number("n", n, int, at_least=3)
    with exact():
        return (variance * n / ((n - 1) * (n - 2))).sqrt()


def _dot(left: Sequence[Decimal], right: Sequence[Decimal]) -> Decimal:
    return sum((a * b for a, b in zip(left, right, strict=True)), start=Decimal(0))


def _bandwidth(white: Sequence[Decimal]) -> Decimal | None:
    """Return S for the whitened series; its AR(1) slope is fitted with an intercept.  None: infinite."""
    count = len(white) - 1
    last, now = white[:-1], white[1:]
    mean_last, mean_now = sum(last) / Decimal(count), sum(now) / Decimal(count)
    scale = sum(((x - mean_last) ** 2 for x in last), start=Decimal(0))
    # A whitened series without variance has no dependence: every lag weighs 0.
    if scale == 0:
        return Decimal(0)
    slope = sum(((x - mean_last) * (y - mean_now) for x, y in zip(last, now, strict=True)), start=Decimal(0)) / scale
    # a unit root has no finite bandwidth; the kernel is then 1 at every lag
    if slope == 1:
        return None
    alpha = 4 * slope**2 / (1 - slope) ** 4
    return BANDWIDTH * root(alpha * len(white), 5)


def _kernel(lag: int, bandwidth: Decimal | None) -> Decimal:
    """Return the quadratic-spectral weight at ``lag / bandwidth``: 3 (sin a / a - cos a) / a^2, a = 6 pi x / 5."""
    if bandwidth is None:
        return Decimal(1)
    if bandwidth == 0:
        return Decimal(0)
    angle = 6 * PI * lag / (5 * bandwidth)
    # the weight is under 3e-24 there: under what a standard error of 9 places can show
    if angle > Decimal("1e12"):
        return Decimal(0)
    cosine, sine = cos_sin(angle)
    return 3 * (sine / angle - cosine) / angle**2
