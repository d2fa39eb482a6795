"""What a replay and a ledger of emitted signals differ in, by day, constraint and likely cause.  [live L0.5]"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from backtest.live.comparison import differences

AT_US = 1_767_830_400_000_000  # 2026-01-08


def signal(name: str, constraint: str = "put_call", at_us: int = AT_US, ev: str | None = None) -> dict[str, Any]:
    quote = {"kind": "quote", "role": "call", "venue": "deribit", "instrument": "BTC-C", "ask": "1", "bid": "0.9"}
    series = {"kind": "series", "role": "curve_7", "venue": "deribit", "instrument": "BTC-CURVE", "series_hash": "a"}
    return {
        "signal_id": name,
        "provenance_hash": f"hash of {name}",
        "provenance": {
            "engine": {"config_hash": "c" * 64}, "constraint": constraint, "underlying": "BTC", "as_of_us": at_us,
            "inputs": [quote, series], "params": {"threshold_bps": "40", "z_threshold": "2"},
        },
        "result": {"net_bps": "12", "ev_usd": ev},
    }  # fmt: skip


def changed(base: dict[str, Any], name: str, **parts: Any) -> dict[str, Any]:
    other = deepcopy(base)
    other["signal_id"], other["provenance_hash"] = name, f"hash of {name}"
    other["provenance"] |= parts
    return other


def test_ev_is_not_compared_and_equal_sides_differ_in_nothing() -> None:
    assert differences([signal("a", ev="3.5"), signal("b")], {"a": signal("a"), "b": signal("b")}) == ()


def test_missing_is_what_was_emitted_alone_and_extra_what_was_replayed_alone() -> None:
    late = signal("late", "cash_carry", AT_US + 86_400_000_000)
    other = signal("b") | {"result": {"net_bps": "13", "ev_usd": None}}
    found = differences([late, other], {"gone": signal("gone", "calendar"), "b": signal("b")})
    assert [(one.kind, one.signal_id, one.day, one.constraint) for one in found] == [
        ("different", "b", "2026-01-08", "put_call"),
        ("missing", "gone", "2026-01-08", "calendar"),
        ("extra", "late", "2026-01-09", "cash_carry"),
    ]
    assert [one.cause.split(":")[0].split(",")[0] for one in found] == ["engine", "fold fit", "restated row"]


@pytest.mark.parametrize(
    ("constraint", "parts", "cause"),
    [
        ("put_call", {"engine": {"config_hash": "d" * 64}}, "plan: what judges"),
        ("put_call", {"params": {"threshold_bps": "50", "z_threshold": "2"}}, "plan: the terms in force"),
        ("calendar", {"params": {"threshold_bps": "40", "z_threshold": "2.5"}}, "fold fit"),
        ("put_call", {"inputs": [{"kind": "quote", "role": "call", "venue": "deribit", "instrument": "BTC-C",
                                  "ask": "2", "bid": "0.9"}]}, "restated row: call"),
    ],
)  # fmt: skip
def test_two_ids_of_one_package_show_what_is_another(constraint: str, parts: dict[str, Any], cause: str) -> None:
    emitted = signal("emitted", constraint)
    found = differences([changed(emitted, "replayed", **parts)], {"emitted": emitted})
    assert {one.kind for one in found} == {"missing", "extra"}
    assert all(one.cause.startswith(cause) for one in found), found


def test_a_day_with_a_declared_gap_is_named_where_nothing_else_is_known() -> None:
    (one,) = differences([], {"a": signal("a")}, frozenset({"2026-01-08"}))
    assert one.cause == "gap of that day"
