"""The Merkle-sum tree: what holds, and each way to cheat.  [risk.md 16]"""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import DataError
from engine.venue import solvency_proof as tree

BALANCES = st.lists(st.integers(0, 2**64), min_size=1, max_size=9)


def leaves(balances: list[int]) -> list[tree.Node]:
    return [tree.leaf(f"a{i}", balance) for i, balance in enumerate(balances)]


@given(BALANCES)
def test_every_account_can_prove_that_it_is_counted(balances: list[int]) -> None:
    """The root's sum is the sum of balances; each proof verifies, and none for another balance or account."""
    nodes = leaves(balances)
    root = tree.root(nodes)

    assert root.total == sum(balances)
    for i, balance in enumerate(balances):
        proof = tree.prove(nodes, i)
        assert tree.verify(f"a{i}", balance, proof, root)
        assert not tree.verify(f"a{i}", balance + 1, proof, root)
        assert not tree.verify("someone", balance, proof, root)


def test_a_negative_leaf_is_refused_and_hides_nothing_in_a_proof() -> None:
    """A debtor of -90 would let 100 of liabilities look like 10."""
    with pytest.raises(DataError, match=r"account 'debtor': expected a balance in 0.*was -90"):
        tree.leaf("debtor", -90)
    debtor = tree.Node(b"\0" * 32, -90)
    with pytest.raises(DataError, match="sums >= 0"):
        tree.parent(tree.leaf("a", 100), debtor)
    assert not tree.verify("a", 100, (tree.Sibling(debtor, False),), tree.Node(b"\0" * 32, 10))


@given(BALANCES, st.integers(0, 8), st.integers(1, 100))
def test_a_tampered_sum_or_hash_on_the_path_fails(balances: list[int], place: int, change: int) -> None:
    """Sum splitting: moving an amount between the two sums of a node changes the hash."""
    nodes = leaves([*balances, 5])
    index = place % len(nodes)
    proof, root = tree.prove(nodes, index), tree.root(nodes)
    balance = [*balances, 5][index]
    for i, step in enumerate(proof):
        for node in (
            replace(step.node, total=step.node.total + change),
            replace(step.node, digest=bytes([step.node.digest[0] ^ 1]) + step.node.digest[1:]),
        ):
            forged = (*proof[:i], replace(step, node=node), *proof[i + 1 :])
            assert not tree.verify(f"a{index}", balance, forged, root)
        assert not tree.verify(
            f"a{index}", balance, (*proof[:i], replace(step, is_left=not step.is_left), *proof[i + 1 :]), root
        )


def test_a_sum_split_between_children_gives_another_root() -> None:
    """Same total, other halves: 30 + 70 is not 40 + 60."""
    a, b = tree.leaf("a", 30), tree.leaf("b", 70)
    split = tree.parent(replace(a, total=40), replace(b, total=60))

    assert split.total == tree.parent(a, b).total
    assert split != tree.parent(a, b)


def test_reserves_cover_the_root_or_do_not() -> None:
    root = tree.root(leaves([30, 70]))

    assert tree.is_solvent(root, 100)
    assert not tree.is_solvent(root, 99)
    assert tree.root([]) == tree.EMPTY
    with pytest.raises(DataError, match=r"expected a leaf in 0\.\.1, was 2"):
        tree.prove(leaves([1, 2]), 2)
