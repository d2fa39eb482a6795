"""The venue files say of each rate until when its source was read.

Rules: [S3.4].
"""

from __future__ import annotations

import re
import shutil
import tomllib
from hashlib import sha256
from pathlib import Path

import pytest

from backtest.registration.load import whole_text
from engine.errors import UsageError

VENUES = Path(__file__).resolve().parents[3] / "configs" / "venues"


def test_the_last_row_of_every_deribit_rate_is_unverified() -> None:
    """No page of 2026-02 or later was read: a special rate, too, may not count as verified beyond its sheet.  [V5]"""
    fees = tomllib.loads((VENUES / "deribit.toml").read_text())["venues"][0]["fees"]
    last = {(fee["kind"], fee.get("settle"), fee.get("settlement_period")): fee for fee in fees}
    assert len(last) == 8
    assert {key: (fee["from"], fee["verified"]) for key, fee in last.items()} == dict.fromkeys(
        last, ("2026-02-01", False)
    )


def test_an_edit_of_a_venue_file_needs_an_amendment(tmp_path: Path) -> None:
    """The registered plan is refused where a fee is another than its amendments fixed; with a new sum it is read."""
    shutil.copytree(VENUES.parent, tmp_path / "configs")
    home = tmp_path / "configs" / "prereg" / "288615"
    plan, venue = home / "registration.toml", tmp_path / "configs" / "venues" / "deribit.toml"
    before = whole_text(plan)
    venue.write_text(venue.read_text().replace('taker_bps = "5"', 'taker_bps = "4"', 1))

    with pytest.raises(UsageError, match="venues_sha256"):
        whole_text(plan)
    # A freeze of before has its own sum of the whole text.
    assert whole_text(plan, 8) != before

    names = tomllib.loads(plan.read_text())["venue_files"]
    found = sha256("\n".join((home / name).read_text() for name in names).encode()).hexdigest()
    last = max((home / "amendments").glob("*.toml"))
    following = f"{int(last.stem) + 1:04d}"
    text = (home / "amendments" / "0009.toml").read_text().replace('"0009"', f'"{following}"')
    text = re.sub(r'venues_sha256 = ".*"', f'venues_sha256 = "{found}"', text)
    text = re.sub(r'parent_sha256 = ".*"', f'parent_sha256 = "{sha256(last.read_bytes()).hexdigest()}"', text)
    (home / "amendments" / f"{following}.toml").write_text(text)
    assert found in whole_text(plan)
