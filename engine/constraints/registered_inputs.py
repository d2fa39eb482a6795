"""What each registered pair, triangle and venue of a constraint saw on one block, also where it lacks an input.

A constraint is judged where any of its inputs can be; without these rows a pair that lacks its funding would vanish
while another pair of the coin is judged.  [S2.0, spec README "Data and grid"]
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.constraints.base import RegisteredInput
from engine.constraints.detect import over
from engine.constraints.registry import CONSTRAINTS
from engine.market.view import PreparedPanel
from engine.records import CodeArray, Keys, Violations


@dataclass(frozen=True, slots=True)
class InputReading:
    """One registered input on one block: grid times judged, best packages over the threshold and firing, what lacks.

    ``oldest_leg_ns`` is the age of the oldest leg summed over the packages over the threshold, ``oldest_most_ns`` the
    largest of them; both 0 where there is none.
    """

    name: str
    evaluable: int
    over_threshold: int
    fires: int
    missing: str | None
    oldest_leg_ns: int = 0
    oldest_most_ns: int = 0


def input_readings(view: PreparedPanel, violations: Violations) -> tuple[InputReading, ...]:
    """Return a reading for each registered input of one constraint, in the order of the registration.

    Parameters
    ----------
    view : PreparedPanel
        The block, ``[T, N]``.
    violations : Violations
        What `engine.constraints.detect.detect` found on it.

    Returns
    -------
    tuple of InputReading
        One for each pair, triangle or venue; one named by the coin where the rule is registered once a coin.

    Examples
    --------
    >>> from engine.constraints.detect import detect
    >>> from engine.market.view import prepare
    >>> from tests.contracts.planted import cash_carry
    >>> planted = cash_carry()
    >>> view = prepare(planted.market.block(), planted.params, planted.curves)
    >>> (found,) = detect(view, None, codes=["C1"])
    >>> [(each.name, each.evaluable, each.missing) for each in input_readings(view, found)]
    [('binance:BTCUSDC-PERP / binance:BTCUSDC', 1, None)]
    """
    inputs = inputs_of(view, violations)
    packages = violations.packages
    reaching = over(packages, violations.net_bps, view.params.rules[violations.constraint])
    age = view.panel.age_ns[packages.row[:, None], np.maximum(packages.column, 0)]
    oldest = np.where(packages.column >= 0, age, 0).max(axis=1, initial=0)
    readings = []
    for each, keys in zip(inputs, _keys_of(inputs, violations.keys), strict=True):
        mine = np.isin(packages.key, keys)
        judged = violations.evaluated[:, keys].any(axis=1) if len(keys) else np.zeros(0, dtype=np.bool_)
        readings.append(
            InputReading(
                each.name,
                int(np.count_nonzero(judged)),
                int(np.count_nonzero(mine & reaching)),
                int(np.count_nonzero(mine & violations.fires)),
                each.missing,
                int(oldest[mine & reaching].sum()),
                int(oldest[mine & reaching].max(initial=0)),
            )
        )
    return tuple(readings)


def inputs_of(view: PreparedPanel, violations: Violations) -> tuple[RegisteredInput, ...]:
    """Return the registered inputs of one constraint on a block, with what lacks of the constraint as a whole."""
    constraint = next(each for each in CONSTRAINTS if each.code == violations.constraint)
    named = constraint.inputs(view) if constraint.inputs is not None else ()
    if not named:
        return (RegisteredInput(view.panel.underlying, violations.missing),)
    # without a reference price no pair is judged, whatever it has
    whole = violations.missing if violations.missing and not any(each.missing for each in named) else None
    return tuple(RegisteredInput(each.name, each.missing or whole, each.venue) for each in named)


def _keys_of(inputs: tuple[RegisteredInput, ...], keys: Keys) -> list[CodeArray]:
    """Return the numbers of the keys of each input."""
    number = np.arange(len(keys), dtype=np.int32)
    whole = [each for each in inputs if each.missing is None and each.venue is None]
    # Inputs without a venue have equally many keys, in the order of the registration (`RegisteredInput`).
    share = len(keys) // len(whole) if whole else 0
    found, first = [], 0
    for each in inputs:
        if each.venue is not None:
            found.append(number[[venue == each.venue for venue in keys.venue]])
        elif each.missing is None:
            found.append(number[first : first + share])
            first += share
        else:
            found.append(number[:0])
    return found


def packages_without_a_bid(view: PreparedPanel, code: str) -> int | None:
    """Return how many packages S1.4 leaves out for want of the bid of a bought leg; None where none is bought only."""
    count = next(each for each in CONSTRAINTS if each.code == code).one_sided
    return None if count is None else count(view)
