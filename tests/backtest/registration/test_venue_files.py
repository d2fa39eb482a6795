"""The venue files say of each rate until when its source was read.

Rules: [S3.4].
"""

from __future__ import annotations

import tomllib
from pathlib import Path

VENUES = Path(__file__).resolve().parents[3] / "configs" / "venues"


def test_the_last_row_of_every_deribit_rate_is_unverified() -> None:
    """No page of 2026-02 or later was read: a special rate, too, may not count as verified beyond its sheet.  [V5]"""
    fees = tomllib.loads((VENUES / "deribit.toml").read_text())["venues"][0]["fees"]
    last = {(fee["kind"], fee.get("settle"), fee.get("settlement_period")): fee for fee in fees}
    assert len(last) == 8
    assert {key: (fee["from"], fee["verified"]) for key, fee in last.items()} == dict.fromkeys(
        last, ("2026-02-01", False)
    )
