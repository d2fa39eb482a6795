"""The whole way of a message: sent by a venue on loopback, recorded, read as rows, sealed.  [live L0.4, L1, L4]"""

from __future__ import annotations

import json
import time
from pathlib import Path

from backtest.data.format.schema import Channel
from backtest.live.day_chain import read_days
from backtest.live.raw_source import RawSource
from backtest.live.seal import seal_day
from engine.units import NS_PER_DAY, NS_PER_SECOND
from tests.backtest.record.loopback import feed_file, plan_of, received, record
from tests.helpers.loopback_venue import LoopbackVenue
from tests.helpers.raw_messages import recording


def test_the_best_quotes_of_a_stored_recording_are_the_rows_of_its_day(tmp_path: Path) -> None:
    """Spot quotes carry no event time, so stored ones can be received today: a row a message, at its receipt."""
    stored = [message for message in recording("binance-spot/cryptofeed.BINANCE.ws.1.0")
              if message.stream.endswith("@bookTicker") and "usdt@" in message.stream]  # fmt: skip
    symbols = sorted({message.stream.split("@")[0].upper() for message in stored})
    day = time.time_ns() // NS_PER_DAY
    with LoopbackVenue("binance", stored, pause_s=0) as venue:
        record(tmp_path / "raw", plan_of(feed_file("binance-spot", venue.url), symbols, ["quote"]),
               lambda _: 0 in venue.finished)  # fmt: skip
    source = RawSource(tmp_path / "raw")
    sourced = source.read(day)
    found = {}
    for table in sourced.tables.values():
        for row in table.to_pylist():
            assert row["channel"] == Channel.QUOTE
            found[sourced.instruments.name[row["code"]], row["t_ns"]] = (row["bid"], row["ask"], row["bid_size"])
    expected = {}
    for message in received(tmp_path / "raw")[0]:
        data = json.loads(message.body).get("data")
        if data:  # the last of one receipt is the quote
            expected[f"binance:{data['s']}", message.wall_ns] = (float(data["b"]), float(data["a"]), float(data["B"]))
    assert expected
    assert found == expected
    assert {name for name, _ in found} == {f"binance:{symbol}" for symbol in symbols}
    (tmp_path / "days").mkdir()
    chain = seal_day(read_days(tmp_path / "days"), source, sourced, 60 * NS_PER_SECOND, 1)
    assert (chain.rows[0]["rows"], chain.rows[0]["segments"] > 0) == (len(found), True)
