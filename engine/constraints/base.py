"""The shape of a constraint: a dense scan of a block, and the packages of the cells that matter.  [S2.0]

A member file states its rule and formula, and defines one `Constraint`.  Both of its functions are pure: row t of a
result depends on rows <= t of the view only, and the order of instruments does not matter.

* ``scan(view, fitted, floor)`` evaluates every (grid time, key) at once.  It returns the best package of each key whose
  bound reaches the floor, with that bound: the net before impact, so that no package that could fire is left out.
* ``build(view, scan, row, key, fitted)`` returns the packages of chosen cells: legs, quantities, gross, carry.
* ``inputs(view)`` returns what the rule is registered for, each pair or venue with what the block lacks of it, so that
  one that cannot be judged is named while another of the coin is.
* ``keys(view)`` returns the keys that the rule watches on a block, where they do not depend on prices.  Only then may
  several days be scanned at once: the keys of each day are computed again from its listing.

Costs, thresholds, persistence, sizes and ids are the same for all constraints and are computed elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from engine.constraints.scan_cells import Scan
from engine.market.view import PreparedPanel
from engine.params import Fitted
from engine.records import CodeArray, Keys, Packages


class ScanFunction(Protocol):
    """Returns the scan of a block; with the default floor, -inf, every package is kept."""

    def __call__(self, view: PreparedPanel, fitted: Fitted | None, floor: float = ...) -> Scan: ...


@dataclass(frozen=True, slots=True)
class RegisteredInput:
    """One pair, triangle or venue that a constraint is registered for, and what the block lacks of it.

    ``missing`` is None where nothing lacks; it names the instrument.  ``venue`` is the venue of its keys, None where
    the keys come in the order of the inputs that are whole, as many for each.
    """

    name: str
    missing: str | None
    venue: str | None = None


BuildFunction = Callable[[PreparedPanel, Scan, CodeArray, CodeArray, Fitted | None], Packages]
KeysFunction = Callable[[PreparedPanel], Keys]
OthersFunction = Callable[[PreparedPanel, int, int], Packages]
"""Returns every package of one sold leg (a panel column) at one row, the chosen one among them."""
InputsFunction = Callable[[PreparedPanel], tuple[RegisteredInput, ...]]


@dataclass(frozen=True, slots=True)
class Constraint:
    """One member of the family; threshold, lookback and life are registered, not here."""

    code: str  # C1 .. C7
    name: str  # the name in records [audit 4.1]
    title: str  # the name in reports
    rule: str  # S2.C1 ..
    version: int  # bumped when the rule's meaning changes
    option_legs: bool  # whether a package may hold options: their charge near expiry follows the longest such life
    roles: tuple[str, ...]  # role in a signal's provenance of leg 0, 1, ...; of C6, whose legs vary, of each corner
    scan: ScanFunction
    build: BuildFunction
    keys: KeysFunction | None = None  # the keys it watches; None where they depend on prices
    one_sided: Callable[[PreparedPanel], int] | None = None  # packages that lack the bid of a bought leg only  [S1.4]
    others: OthersFunction | None = None  # the packages that it did not choose; None where there is no choice
    inputs: InputsFunction | None = None  # what it is registered for, one by one; None: one input a coin
