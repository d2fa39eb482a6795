"""Twins of capacity.py and pivoting.py: the joint programme against closed forms and scipy's SLSQP."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from engine.errors import CmeError
from hypotheses.statistics import capacity, joint_capacity, lemke
from hypotheses.statistics.capacity import Book, Demand

BOOK = Book(Decimal(4), Decimal(50_000))


def cases(vectors: Path) -> dict[str, dict]:
    return {c["id"]: c for c in json.loads((vectors / "stats" / "ev_capacity.json").read_text())["vectors"]}


def slsqp(demands: list[Demand], books: list[Book]) -> float:
    """Return J by a general-purpose solver, in variables scaled by their caps."""
    weight = np.array([[float(d.weight.get(b, 0)) for d in demands] for b in range(len(books))])
    depth = np.array([float(b.depth_usd) for b in books])
    steep = np.array([float(b.spread_bps) for b in books]) / depth
    edge = np.array([float(d.edge_bps) for d in demands])
    cap = np.array([min(depth[b] / float(w) for b, w in d.weight.items()) for d in demands])

    def loss(q: np.ndarray) -> float:
        return -1e-6 * (edge @ (q * cap) - 2 * (steep * (weight @ (q * cap)) ** 2).sum())

    found = minimize(
        loss,
        np.zeros(len(demands)),
        jac=lambda q: -1e-6 * cap * (edge - 4 * weight.T @ (steep * (weight @ (q * cap)))),
        bounds=[(0, None)] * len(demands),
        constraints={"type": "ineq", "fun": lambda q: 1 - weight @ (q * cap) / depth},
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-13},
    )
    return float(-100 * found.fun)


@st.composite
def programmes(draw: st.DrawFn) -> tuple[list[Demand], list[Book]]:
    """Signals that share books in every way: dear and cheap, thin and deep, with and without an edge, alike or not."""
    number = st.decimals("0.1", "6", places=2)
    books = [
        Book(draw(st.one_of(st.just(Decimal(0)), number)), draw(st.decimals(1_000, 300_000, places=2)))
        for _ in range(draw(st.integers(1, 6)))
    ]
    demands = []
    for _ in range(draw(st.integers(1, 8))):
        hit = draw(st.sets(st.integers(0, len(books) - 1), min_size=1, max_size=3))
        demands.append(Demand(draw(st.decimals(-5, 40, places=1)), {b: draw(number) for b in sorted(hit)}))
    if draw(st.booleans()):
        demands.append(demands[0])
    return demands, books


def test_two_signals_on_one_book_are_the_vector(vectors: Path) -> None:
    """457.50 USD together, 512.70 counted twice: the shared perp's depth is used once."""
    case = cases(vectors)["shared-depth-a"]
    names = list(case["inputs"]["books"])
    table = case["inputs"]["books"].values()
    books = [Book(Decimal(str(b["s"])), Decimal(str(b["D"]))) for b in table]
    fees = [Decimal(str(b["f"])) for b in table]
    demands = []
    for row in case["inputs"]["signals"]:
        weight = {names.index(name): Decimal(w) for name, w in row["legs"].items()}
        fixed = sum(2 * w * (fees[b] + books[b].spread_bps / 2) for b, w in weight.items())
        demands.append(Demand(Decimal(row["v"]) - fixed, weight))
    expected = case["expected"]

    alone = [capacity.best_notional(demand, books) for demand in demands]

    assert expected["edge_after_fixed_cost_bps"] == [float(d.edge_bps) for d in demands]
    assert expected["standalone_notional"] == [float(q) for q, _ in alone]
    assert expected["standalone_ev_usd"] == [float(ev) for _, ev in alone]
    assert expected["naive_sum_usd"] == float(capacity.naive(demands, books))
    assert float(joint_capacity.joint(demands, books).ev_usd) == pytest.approx(expected["joint_ev_usd"], rel=1e-9)
    assert joint_capacity.joint(demands, books).ev_usd.quantize(Decimal("1e-6")) == Decimal("457.5")


def test_one_signal_is_the_closed_form(vectors: Path) -> None:
    """Q* = a / (2 b) and EV = 1e-4 a^2 / (4 b), below the depth's cap."""
    expected = cases(vectors)["single-interior"]["expected"]

    found = capacity.best_notional(Demand(Decimal(14), {0: Decimal(1), 1: Decimal(1)}), [BOOK, BOOK])

    assert [float(v) for v in found] == pytest.approx([expected["Q_star"], expected["ev_usd"]], rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(programmes())
def test_greedy_is_at_most_the_joint_optimum_is_at_most_naive(programme: tuple[list[Demand], list[Book]]) -> None:
    """Arriving first cannot beat planning together, and planning cannot beat counting depth twice."""
    demands, books = programme
    slack = Decimal("1e-18")  # the test itself compares at the 28 digits of the default context

    found = joint_capacity.joint(demands, books)

    assert capacity.greedy(demands, books) <= found.ev_usd + slack
    assert found.ev_usd <= capacity.naive(demands, books) + slack
    assert found.residual <= Decimal("1e-30")
    for b, book in enumerate(books):
        used = sum(d.weight.get(b, Decimal(0)) * q for d, q in zip(demands, found.notional_usd, strict=True))
        assert used <= book.depth_usd * (1 + slack)
    assert all(q >= 0 for q in found.notional_usd)


@settings(max_examples=25, deadline=None)
@given(programmes())
def test_a_general_solver_finds_the_same_optimum(programme: tuple[list[Demand], list[Book]]) -> None:
    """Scipy's SLSQP, to its own tolerance; it may stop short, it may not do better."""
    demands, books = programme

    expected, found = slsqp(demands, books), float(joint_capacity.joint(demands, books).ev_usd)

    assert found >= expected - 1e-6 * max(1.0, abs(expected))
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-3)


@settings(max_examples=25, deadline=None)
@given(programmes(), st.randoms(use_true_random=False))
def test_the_optimum_does_not_know_the_order_of_signals(programme: tuple[list[Demand], list[Book]], random) -> None:
    """J is unique: shuffling the signals moves nothing but the notionals' order."""
    demands, books = programme
    shuffled = random.sample(demands, len(demands))

    one, two = joint_capacity.joint(demands, books).ev_usd, joint_capacity.joint(shuffled, books).ev_usd

    assert abs(one - two) <= Decimal("1e-20") * max(1, abs(one))


def test_ninety_signals_on_sixty_books_are_solved_at_once() -> None:
    """A busy day, degenerate on purpose by repeated signals, holds its conditions to thirty digits."""
    draw = np.random.default_rng(5)
    books = [Book(Decimal(str(round(s, 3))), Decimal(int(d))) for s, d in draw.uniform([0.1, 1e4], [6, 3e5], (60, 2))]
    demands = [
        Demand(
            Decimal(str(round(draw.uniform(0, 40), 2))),
            {int(b): Decimal(1) for b in draw.choice(60, size=3, replace=False)},
        )
        for _ in range(80)
    ]
    demands += demands[:10]

    found = joint_capacity.joint(demands, books)

    assert found.residual < Decimal("1e-30")
    assert float(found.ev_usd) == pytest.approx(slsqp(demands, books), rel=1e-6)


def test_signals_without_edge_or_depth_take_nothing() -> None:
    """A negative edge, an empty book and an empty list are worth zero."""
    empty = Book(Decimal(4), Decimal(0))
    losing, stuck = Demand(Decimal(-1), {0: Decimal(1)}), Demand(Decimal(9), {1: Decimal(1)})

    assert joint_capacity.joint([losing, stuck], [BOOK, empty]).ev_usd == 0
    assert joint_capacity.joint([], []).ev_usd == 0
    assert capacity.naive([losing, stuck], [BOOK, empty]) == capacity.greedy([losing, stuck], [BOOK, empty]) == 0


def test_decimals_alone_find_the_active_set_that_floats_find() -> None:
    """The same pivoting on decimals is the way out when floats misjudge a tie."""
    curve = np.array([[2, 1], [1, 2]])
    matrix = np.block([[curve, np.eye(2, dtype=int)], [-np.eye(2, dtype=int), np.zeros((2, 2), dtype=int)]])
    constant = np.array([-4, -1, 1, 1])
    exact = [np.array([[Decimal(int(v)) for v in row] for row in np.atleast_2d(m)]) for m in (matrix, constant)]

    floats = lemke.lemke(matrix.astype(float), constant.astype(float), 1e-11)
    decimals = lemke.lemke(exact[0], exact[1][0], Decimal("1e-30"))

    assert floats == decimals


def test_a_singular_active_set_is_refused() -> None:
    """No number comes out of an equation that has none."""
    ones = np.full((2, 2), Decimal(1))

    with pytest.raises(CmeError, match="full rank"):
        lemke.solve(ones, ones[0])
