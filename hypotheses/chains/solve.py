"""Least movement that makes a chain free of arbitrage: which quotes contradict the others, and by how much."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from engine.records import FloatArray
from engine.units import BPS
from hypotheses.chains.program import Program, build_program
from hypotheses.chains.records import JointSolution, QuotedChain

Method = Literal["highs-ds", "highs-ipm"]
"""Of `scipy.optimize.linprog`: simplex, or interior point with crossover."""
TOLERANCE_BPS = 1e-3
"""Of the forward: a movement beyond bid or ask that is less is the solver's rounding.  A tick is 1 bps or more."""
REDUCED = 1e-7
"""Below it a reduced cost is the solver's zero."""
FACE_BPS = 1e-8
"""What the cost may exceed the least one by and still count as least."""
ASKED_AT_MOST = 80
"""Quotes whose range is computed, a second or so each; where more contradict each other, a whole expiry is wrong."""


@dataclass(frozen=True, slots=True)
class _Standard:
    """The programme as `linprog` takes it: ``upper v <= upper_at``, ``equal v = equal_at``."""

    upper: sparse.csr_matrix
    upper_at: FloatArray
    equal: sparse.csr_matrix
    equal_at: FloatArray
    bounds: FloatArray  # [n, 2]


@dataclass(frozen=True, slots=True)
class _Optimum:
    unknowns: FloatArray
    reduced_cost: FloatArray  # at the lower bounds
    cost: float


def solve_jointly(chain: QuotedChain, method: Method = "highs-ds") -> JointSolution:
    """Return the least total movement beyond bid and ask under which the relations of `program` hold.

    Parameters
    ----------
    chain : QuotedChain
        Q quotes of E expiries; with none the answer is empty and its total 0.
    method : str
        Of `scipy.optimize.linprog`: ``highs-ds`` (simplex) or ``highs-ipm`` (interior point with crossover).

    Returns
    -------
    JointSolution
        ``side`` is 0 everywhere if and only if no static portfolio of the quotes, at bid and ask and before fees,
        locks a profit under the relations.  Where two quotes contradict each other and nothing else decides, both are
        named, with ``least_bps`` 0 and ``most_bps`` the whole.

    Raises
    ------
    RuntimeError
        If the solver ends without an optimum; a chain always has one.

    Examples
    --------
    A call at 70,000 bid above the ask of the call at 67,000, in coin; two quotes alone do not say which is wrong:

    >>> chain = QuotedChain(
    ...     True, np.array([0]), np.array([79_300.0]), np.array([79_350.0]), np.zeros(2, dtype=np.int32),
    ...     np.array([67_000.0, 70_000.0]), np.ones(2, dtype=bool), np.array([0.166, 0.175]), np.array([0.1725, 0.18]),
    ... )
    >>> solution = solve_jointly(chain)
    >>> round(solution.total_bps, 6), solution.side.tolist(), solution.most_bps.round(3).tolist()
    (25.0, [1, -1], [25.0, 25.0])
    """
    quotes = len(chain.strike)
    if not quotes:
        nothing = np.empty(0)
        forward = np.full(len(chain.expiry_ns), np.nan)
        return JointSolution(0.0, nothing, forward, nothing.astype(np.int64), nothing, nothing, nothing)
    program = build_program(chain)
    standard = _standard(program)
    answer = _optimum(program.cost, standard, method)
    moves = answer.unknowns[: 4 * quotes].reshape(-1, 4)
    beyond = moves[:, [1, 3]]
    price = 0.5 * (chain.bid + chain.ask) + (moves[:, 0] + moves[:, 1] - moves[:, 2] - moves[:, 3]) * program.unit
    total = float(beyond.sum())
    least, most = np.zeros((2, quotes, 2))
    if total > TOLERANCE_BPS:
        least, most = _ranges(program, standard, answer, method)
    # A quote cannot be too dear and too cheap in answers of one cost: the mid of the two would cost less.
    way = np.argmax(np.fmax(most, beyond), axis=1)
    least, most, beyond = (values[np.arange(quotes), way] for values in (least, most, beyond))
    named = np.fmax(most, beyond) > TOLERANCE_BPS
    least, most, beyond = (np.where(named, values, 0.0) for values in (least, most, beyond))
    side = np.where(named, 1 - 2 * way, 0)
    return JointSolution(total, price, _forwards(chain, program, answer.unknowns), side, beyond, least, most)


def _standard(program: Program) -> _Standard:
    equal = program.low == program.high
    bounds = np.column_stack([program.least, program.most])
    return _Standard(-program.matrix[~equal], -program.low[~equal], program.matrix[equal], program.low[equal], bounds)


def _optimum(cost: FloatArray, given: _Standard, method: Method) -> _Optimum:
    # Sparse matrices and an array of bounds, which the stubs of scipy do not know.
    limits: dict[str, Any] = {"A_ub": given.upper, "A_eq": given.equal, "bounds": given.bounds}
    answer = linprog(cost, b_ub=given.upper_at, b_eq=given.equal_at, method=method, **limits)
    if answer.status != 0:
        raise RuntimeError(f"joint solve: expected an optimum, was status {answer.status}: {answer.message}")
    unknowns = np.asarray(answer.x, dtype=np.float64)
    return _Optimum(unknowns, np.asarray(answer.lower.marginals), float(cost @ unknowns))


def _ranges(program: Program, standard: _Standard, answer: _Optimum, method: Method) -> tuple[FloatArray, FloatArray]:
    """Return the least and the most of each movement beyond the ask and the bid over all answers of least cost.

    Each ``[Q, 2]``.  A movement with a reduced cost is zero in every such answer; the others are asked, two programmes
    each.  NaN for those that move if there are more than `ASKED_AT_MOST`.
    """
    shape = len(program.unit), 2
    columns = 4 * np.arange(shape[0])[:, None] + [1, 3]
    asked = answer.reduced_cost[columns] < REDUCED
    if np.count_nonzero(asked) > ASKED_AT_MOST:
        unknown = np.where(answer.unknowns[columns] > TOLERANCE_BPS, np.nan, 0.0)
        return unknown, unknown
    face = sparse.csr_matrix(program.cost[None, :])
    tied = _Standard(
        sparse.vstack([standard.upper, face], format="csr"),
        np.append(standard.upper_at, answer.cost + FACE_BPS),
        standard.equal,
        standard.equal_at,
        standard.bounds,
    )
    least, most = np.zeros((2, *shape))
    for place in zip(*np.nonzero(asked), strict=True):
        toward = np.zeros(len(program.cost))
        toward[columns[place]] = 1.0
        most[place] = _optimum(-toward, tied, method).unknowns[columns[place]]
        if most[place] > TOLERANCE_BPS:
            least[place] = _optimum(toward, tied, method).unknowns[columns[place]]
    return least, most


def _forwards(chain: QuotedChain, program: Program, unknowns: FloatArray) -> FloatArray:
    forward = np.full(len(chain.expiry_ns), np.nan)
    for number, curve in enumerate(program.curves):
        e = int(chain.expiry[np.flatnonzero(program.curve == number)[0]])
        share = unknowns[curve.forward] / BPS
        if share > 0.0:
            forward[e] = curve.unit / share if chain.coin else curve.unit * share
    return forward
