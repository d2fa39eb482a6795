"""A day is sealed once, in order, and joined with the same digest; a changed field is a gap.  [live L0.3, L2.1]"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backtest.data.format.dataset import open_dataset
from backtest.data.format.schema import RECORDED_SCHEMA, VALUE_COLUMNS, Channel
from backtest.live.day_chain import DAYS_FILE, read_days, restarted
from backtest.live.day_source import CanonicalSource, SourcedDay
from backtest.live.digest import day_digest
from backtest.live.join import join_days
from backtest.live.seal import seal_day, starts_recording
from backtest.live.seal_rows import quoted_shares
from backtest.live.status_page import quoted_text
from engine.errors import GateError, LedgerError
from engine.records import Kind
from engine.units import NS_PER_DAY, NS_PER_HOUR, NS_PER_SECOND
from tests.backtest.data.markets import DAY, START, instrument, instruments
from tests.backtest.live.sealed_days import DATES, NOW, market, refused, sealed


def test_days_are_a_chain_and_a_second_sealing_changes_nothing(tmp_path: Path) -> None:
    source = CanonicalSource(market(tmp_path))
    chain = sealed(tmp_path / "days", source)
    assert [row["day"] for row in chain.rows] == list(DATES)
    body = (tmp_path / "days" / DAYS_FILE).read_bytes()
    assert sealed(tmp_path / "days", source).head == chain.head == read_days(tmp_path / "days").head
    assert (tmp_path / "days" / DAYS_FILE).read_bytes() == body
    first = chain.rows[0]
    assert (first["rows"], first["instruments"], first["gaps"], first["missing"]) == (27, 1, 0, 0)
    assert first["digest"] == day_digest(source.dataset, DAY)
    assert chain.evidence(first)["gap_ms"] == {}


def test_a_day_with_another_result_is_refused_and_so_is_a_day_left_out(tmp_path: Path) -> None:
    source = CanonicalSource(market(tmp_path))
    chain = sealed(tmp_path / "days", source, days=2)
    other = CanonicalSource(market(tmp_path / "other", out=range(20, 21)))
    message = refused(21, seal_day, chain, other, other.read(DAY), other.dataset.grid_ns, NOW)
    assert "2024-10-04" in message
    assert "is sealed once" in message
    late = source.read(DAY + 1)
    refused(21, seal_day, chain, source, replace(late, day=DAY + 5, tables={}), source.dataset.grid_ns, NOW)
    assert read_days(tmp_path / "days").head == chain.head


def test_a_kill_after_the_folder_of_a_day_is_written_loses_nothing(tmp_path: Path) -> None:
    source = CanonicalSource(market(tmp_path))
    whole = sealed(tmp_path / "days", source)
    lines = (tmp_path / "days" / DAYS_FILE).read_bytes().splitlines(keepends=True)
    (tmp_path / "days" / DAYS_FILE).write_bytes(b"".join(lines[:1]))  # as after a kill before the append
    assert sealed(tmp_path / "days", source).head == whole.head


def test_an_outage_over_midnight_is_a_gap_of_both_days_and_an_empty_day_can_be_sealed(tmp_path: Path) -> None:
    source = CanonicalSource(market(tmp_path, out=range(18, 30)))
    chain = sealed(tmp_path / "days", source)
    gaps = [chain.evidence(row)["gaps"] for row in chain.rows]
    assert [(gap["from_ns"], gap["to_ns"]) for gap in (*gaps[0], *gaps[1], *gaps[2])] == [
        (START + 17 * NS_PER_HOUR, START + NS_PER_DAY),
        (START + NS_PER_DAY, START + 30 * NS_PER_HOUR),
    ]
    assert chain.rows[0]["gap_ms"] == 7 * 3_600_000
    assert not starts_recording(source.read(DAY))
    assert starts_recording(source.read(DAY + 2))
    empty = source.read(DAY + 2)
    chain = seal_day(chain, source, replace(empty, day=DAY + 3, tables={}), source.dataset.grid_ns, NOW)
    assert chain.rows[-1]["rows"] == 0


def test_a_settlement_and_a_delivery_that_are_not_there_are_named_missing(tmp_path: Path) -> None:
    data = market(tmp_path, expiry=True)
    table = pq.read_table(data.path / "quotes" / "BTC" / "2024-10-04.parquet")
    without = table.filter([not (row["channel"] == Channel.SETTLE and row["t_ns"] == START + 8 * NS_PER_HOUR)
                            for row in table.to_pylist()])  # fmt: skip
    source = CanonicalSource(data)
    day = replace(source.read(DAY), tables={"BTC": without})
    (tmp_path / "days").mkdir()
    chain = seal_day(read_days(tmp_path / "days"), source, day, data.grid_ns, NOW)
    named = chain.evidence(chain.rows[0])["missing"]
    assert named == ["SETTLE binance:BTCUSDT 2024-10-04T08:00", "DELIVERY deribit:BTC-4OCT24"]
    assert chain.rows[0]["missing"] == 2


def test_minutes_with_a_quote_are_counted_with_and_without_refresh(tmp_path: Path) -> None:
    """Of two contracts one has quotes in minutes 0, 0 and 2, and is refreshed in 1 and 2; the other has one quote."""
    listed = instruments(instrument("binance:ABTC", Kind.SPOT), instrument("binance:BTCUSDT"))
    rows = [(0, 0, False), (30, 0, False), (60, 0, True), (120, 0, False), (130, 0, True), (600, 1, False)]
    table = pa.table(
        {"channel": [0] * 6, "t_ns": [START + at * NS_PER_SECOND for at, _, _ in rows],
         "code": [code for _, code, _ in rows], **dict.fromkeys(VALUE_COLUMNS, [1.0] * 6),
         "lag_ns": [1] * 6, "refreshed": [again for _, _, again in rows]},
        RECORDED_SCHEMA,
    )  # fmt: skip
    day = SourcedDay(DAY, listed, {"BTC": table}, (), {})
    assert quoted_shares(day) == {
        "binance": {"with_refresh": round(4 / 2 / 1440, 6), "without_refresh": round(3 / 2 / 1440, 6)}
    }


def test_the_minutes_with_a_quote_are_in_the_evidence(tmp_path: Path) -> None:
    chain = sealed(tmp_path / "days", CanonicalSource(market(tmp_path)), days=1)
    share = round(24 / 1440, 6)
    expected = {"binance": {"with_refresh": share, "without_refresh": share}}
    assert chain.evidence(chain.rows[0])["quoted_share"] == expected
    assert quoted_text(expected) == "binance 1.7% (1.7% without refresh)"
    assert quoted_text({}) == "-"


@pytest.mark.parametrize("field", ["tick", "contract_size"])
def test_an_instrument_whose_field_the_venue_changed_is_a_gap_until_an_amendment(tmp_path: Path, field: str) -> None:
    source = CanonicalSource(market(tmp_path))
    chain = sealed(tmp_path / "days", source, days=2)
    later = source.read(DAY + 2)
    changes: Mapping[str, object] = {field: 0.5}
    names = [instrument("binance:ABTC", Kind.SPOT, **changes), instrument("binance:BTCUSDT")]
    chain = seal_day(chain, source, replace(later, instruments=instruments(*names)), source.dataset.grid_ns, NOW)
    assert open_dataset(tmp_path / "days" / DATES[2]).instruments.name == ("binance:BTCUSDT",)
    (gap,) = chain.evidence(chain.rows[2])["gaps"]
    assert gap["instrument"] == "binance:ABTC"
    assert field in gap["why"]
    join_days(tmp_path / "days", tmp_path / "set", "joined")


def test_a_chain_that_was_edited_or_restarted_shows_it(tmp_path: Path) -> None:
    source = CanonicalSource(market(tmp_path))
    chain = sealed(tmp_path / "days", source)
    path = tmp_path / "days" / DAYS_FILE
    body = path.read_bytes()
    path.write_bytes(body.replace(b'"rows":27', b'"rows":28', 1))
    with pytest.raises(LedgerError) as error:
        read_days(tmp_path / "days")
    assert error.value.exit_code == 12
    path.write_bytes(body)
    (tmp_path / "days" / DATES[0] / "evidence.json").write_text("{}")
    with pytest.raises(GateError):
        chain.evidence(chain.rows[0])
    again = restarted(chain)
    again = seal_day(again, source, source.read(DAY), source.dataset.grid_ns, NOW, chain.head.hash)
    assert again.rows[0]["restart_of"] == chain.head.hash
    assert (tmp_path / "days" / f"days-{chain.head.hash[:16]}.jsonl").read_bytes() == body
