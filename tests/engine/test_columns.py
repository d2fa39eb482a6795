"""A record of columns refuses a field of a wrong kind, dtype or length where it is made, by name.  [S1]"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest

from engine.constraints.detect import detect, judge
from engine.constraints.registry import CONSTRAINTS
from engine.errors import DataError
from engine.market.view import prepare
from tests.helpers.builders import params
from tests.helpers.markets import Market, fitted, flat_history


def records() -> dict[str, Any]:
    """One record of each kind, of a market in which C1 has a package."""
    panel = Market(mids={"binance:BTCUSDC-PERP": 1.01 * 100_000.0}).block(2)
    view = prepare(panel, params(), flat_history())
    (seen,) = detect(view, fitted(), codes=("C1",))
    scan, _ = judge(view, fitted(), CONSTRAINTS[0])
    made = (panel.instruments, panel, view, view.fees, view.curves, scan, seen.keys, seen.packages, seen.costs, seen)
    return {type(record).__name__: record for record in made}


RECORDS = records()
COLUMNS = [
    (kind, f.name)
    for kind, record in RECORDS.items()
    for f in fields(record)
    if isinstance(getattr(record, f.name), np.ndarray)
]


def refused(record: Any, name: str, value: object) -> str:
    """The message with which the record refuses ``value`` in the field ``name``."""
    with pytest.raises(DataError) as problem:
        replace(record, **{name: value})
    return str(problem.value)


@pytest.mark.parametrize(("kind", "name"), COLUMNS)
def test_a_column_of_another_type_is_refused_by_name(kind: str, name: str) -> None:
    """A list, another dtype, one axis too many."""
    record = RECORDS[kind]
    array = getattr(record, name)

    for wrong in (array.tolist(), array.astype(np.float32), array[..., None]):
        assert refused(record, name, wrong).startswith(f"{kind}.{name}: expected {array.dtype} ")


@pytest.mark.parametrize(("kind", "name"), [pair for pair in COLUMNS if pair[1] != "evaluated"])
def test_a_column_of_another_length_is_refused(kind: str, name: str) -> None:
    """One row less than the other columns, of which only ``evaluated`` has rows of its own: the record is named."""
    array = getattr(RECORDS[kind], name)

    assert refused(RECORDS[kind], name, array[:-1]).startswith(f"{kind}.")


def test_the_good_records_are_accepted_again() -> None:
    """What the market really makes passes, empty packages too."""
    assert {"Panel", "Instruments", "Violations", "Packages", "Scan", "PreparedPanel"} <= set(RECORDS)
    for record in RECORDS.values():
        assert type(replace(record)) is type(record)


def test_a_detail_of_another_length_is_refused() -> None:
    """The columns that a rule records are as long as the packages."""
    packages = RECORDS["Packages"]

    message = refused(packages, "detail", {"z": np.zeros(len(packages) + 1)})

    assert message.startswith("Packages.detail['z']: expected float64 of shape")


def test_violations_are_as_many_as_their_packages() -> None:
    """A net too many, and evaluated keys that the keys lack."""
    seen = RECORDS["Violations"]

    assert refused(seen, "net_bps", np.zeros(len(seen.packages) + 1)).startswith("Violations.net_bps: expected float64")
    assert refused(seen, "evaluated", seen.evaluated[:, 1:]).startswith("Violations.evaluated: expected bool of shape")
