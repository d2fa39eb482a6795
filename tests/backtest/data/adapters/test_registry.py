"""What the table of adapters promises."""

from __future__ import annotations

import re

import pytest

from backtest.data.adapters.registry import ADAPTERS, adapter
from engine.errors import UsageError

SAMPLE = re.compile(r"SHA-256 [0-9a-f]{64}\b")
UNVERIFIED = {"hyperliquid_asset_ctxs", "quotes_table", "deliveries"}
IN_PART = {"tardis_quotes": "book_snapshot_25"}


def test_each_adapter_is_found_by_its_own_name_only() -> None:
    """Names are unique; an unknown one is answered with the list."""
    assert [adapter(each.name) for each in ADAPTERS] == list(ADAPTERS)
    with pytest.raises(UsageError, match=r"deribit_snapshots.* did you mean 'tardis_quotes'\? "):
        adapter("tardis_quote")


def test_verified_means_a_real_sample_with_source_and_hash() -> None:
    """Who never met a real file says so by an empty text; everybody else names repository, commit and hash."""
    assert {each.name for each in ADAPTERS if not each.verified} == UNVERIFIED
    assert {each.name: each.unmet.split()[0] for each in ADAPTERS if each.unmet} == IN_PART
    for each in ADAPTERS:
        if each.verified:
            assert SAMPLE.search(each.verified), each.name
            assert re.search(r"github\.com/\S+|found by its text \S+", each.verified), each.name
