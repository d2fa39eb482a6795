"""Deribit's funding: one name, what accrued in each hour as shares of its minutes, what eight hours cost.  [venues V3]

The answer is `raw-messages/deribit/excerpt.get_funding_rate_history.202609.json` of the stored data, with its values.
"""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backtest.data.adapters.base import SourceSpec
from backtest.data.build.assemble import build
from backtest.data.format.dataset import open_dataset
from backtest.data.panels import reader
from engine.errors import CmeError
from engine.units import NS_PER_DAY, NS_PER_HOUR

MINUTE = NS_PER_HOUR // 60
STAMP_MS = 1_789_693_200_000
HOUR_END = STAMP_MS * 10**6
ANSWER: dict[str, Any] = {
    "jsonrpc": "2.0",
    "result": [
        {
            "timestamp": STAMP_MS,
            "index_price": 76529.69,
            "prev_index_price": 76355.27,
            "interest_8h": 5.91821175553615e-06,
            "interest_1h": 1.257606590607552e-06,
        }
    ],
    "testnet": False,
}
OPTIONS = {
    "venue": "deribit", "kind": "inverse_perp", "base": "BTC", "quote": "USD", "feed": "book", "funding_h": 8,
    "face_usd": 10,
}  # fmt: skip


def built(folder: Path, answer: dict[str, Any], **options: Any) -> Any:
    (folder / "history.json").write_text(json.dumps(answer))
    sources = [
        SourceSpec("funding_history", "history.json", {**OPTIONS, **options}, "an example", "none"),
    ]
    return open_dataset(build(sources, folder, folder / "set", "example", grid_ns=MINUTE))


def test_the_hour_is_paid_minute_by_minute_under_the_name_of_the_tickers(tmp_path: Path) -> None:
    """Any part of the hour costs its share, pro rata; what eight hours cost is known at the stamp."""
    dataset = built(tmp_path, ANSWER)
    assert dataset.instruments.name == ("deribit:BTC-PERPETUAL",)
    assert dataset.instruments.accrues.tolist() == [True]

    begin = HOUR_END // NS_PER_DAY * NS_PER_DAY
    panels = list(reader.panels(dataset, "BTC", begin - NS_PER_DAY, begin + NS_PER_DAY))
    paid = {int(t): float(p.funding_paid[n, 0]) for p in panels for n, t in enumerate(p.times_ns) if len(p.code)}
    inside = [paid[HOUR_END - NS_PER_HOUR + MINUTE * m] for m in range(1, 61)]
    hour = Fraction(ANSWER["result"][0]["interest_1h"])
    assert sum(map(Fraction, inside[:17])) == pytest.approx(float(hour * Fraction(17, 60)), rel=1e-12)
    assert sum(map(Fraction, inside)) == pytest.approx(float(hour), rel=1e-12)

    said = {int(t): float(p.funding_8h[n, 0]) for p in panels for n, t in enumerate(p.times_ns) if len(p.code)}
    assert said[HOUR_END] == ANSWER["result"][0]["interest_8h"]
    assert np.isnan(said.get(HOUR_END - MINUTE, np.nan))


@pytest.mark.parametrize(
    ("answer", "options", "said"),
    [
        ({**ANSWER, "testnet": True}, {}, "test network"),
        ({**ANSWER, "result": [{**ANSWER["result"][0], "timestamp": STAMP_MS + 60_000}]}, {}, "whole hours"),
        ({**ANSWER, "result": ANSWER["result"] * 2}, {}, "whole hours in order"),
        ({**ANSWER, "result": [{**ANSWER["result"][0], "interest_1h": "n/a"}]}, {}, "interest_1h"),
        (ANSWER, {"funding_h": 1}, "funding_h"),
        (ANSWER, {"face_usd": 1}, "face_usd"),
        (ANSWER, {"venue": "okx"}, "accrues"),
    ],
)
def test_what_is_no_such_history_is_refused_with_its_reason(
    answer: dict[str, Any], options: dict[str, Any], said: str, tmp_path: Path
) -> None:
    """An answer of the test network, hours that are not, another schedule, another venue."""
    with pytest.raises(CmeError, match=said):
        built(tmp_path, answer, **options)
