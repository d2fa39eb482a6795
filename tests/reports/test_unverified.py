"""A page names every row of a venue's conventions that was in force and that nothing verifies.  [venues V5]"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from reports.base import Note
from reports.sections.costs import unverified


def run_of(venue: dict[str, Any]) -> Any:
    """A run of 2024 with history from 2023-10, of one venue."""
    window = {"history_start": "2023-10-01T00:00:00Z", "start": "2024-01-01T00:00:00Z", "end": "2024-04-01T00:00:00Z"}
    return SimpleNamespace(
        registration={"split": {"windows": [window]}, "venues": [venue]}, manifest={"window": {"end": window["end"]}}
    )


def test_rows_of_every_table_are_named_with_day_and_source() -> None:
    """A fee and a delivery rule without proof in force, beside one too late, one replaced before, and one verified."""
    fee = {"kind": "perp", "taker_bps": "5", "source": "a sheet", "verified": False}
    fees = [
        fee | {"from": "2020-01-01", "taker_bps": "1"}, fee | {"from": "2021-01-01"},
        fee | {"from": "2024-04-02", "taker_bps": "2"},
        fee | {"from": "2020-01-01", "settle": "USDC", "verified": "it"},
    ]  # fmt: skip
    rule = {"kind": "future", "from": "2019-09-01", "average_s": "3600", "source": "a copy", "verified": False}
    blocks = unverified(run_of({"name": "binance", "funding_paid_on": "mark", "fees": fees, "delivery": [rule]}))

    assert [block.title for block in blocks if isinstance(block, Note)] == [
        "Conventions of this plan that are not verified"
    ]
    (note,) = blocks
    assert isinstance(note, Note)
    assert str(note.text).splitlines() == [
        "fees: binance perp, from 2021-01-01: taker 5 bps (a sheet)",
        "delivery: binance future, from 2019-09-01: average 3600 s (a copy)",
    ]


def test_a_plan_of_verified_rows_has_no_note() -> None:
    """Silence where there is nothing to say."""
    row = {"kind": "perp", "from": "2020-01-01", "taker_bps": "5", "source": "a page", "verified": "the page"}

    assert unverified(run_of({"name": "binance", "fees": [row]})) == []
