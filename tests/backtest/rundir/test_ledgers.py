"""The two ledgers of a run, checked from their bytes alone: frame, chain, names, references.  [audit 4, 5]"""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import pandas as pd
import pytest
import rfc8785

from backtest.results.ledger import Ledger
from tests.helpers.small_run import Tiny

NS_ROOT = uuid5(NAMESPACE_URL, "urn:cme-audit:1")
Line = dict[str, Any]


def tagged(tag: str, value: object) -> str:
    """H(tag, CJ(value)) by another library's canonical form."""
    return sha256(b"cme-audit/1/" + tag.encode() + b"\0" + rfc8785.dumps(value)).hexdigest()  # type: ignore[arg-type]


def named(kind: str) -> UUID:
    return uuid5(NS_ROOT, kind)


def read(tiny: Tiny, kind: str) -> list[Line]:
    return [json.loads(line) for line in (tiny.folder / f"ledger/{kind}.jsonl").read_text().splitlines()]


def merkle(leaves: list[bytes]) -> bytes:
    """RFC 6962, by its recursive definition."""
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0]).digest()
    k = 1 << ((len(leaves) - 1).bit_length() - 1)
    return sha256(b"\1" + merkle(leaves[:k]) + merkle(leaves[k:])).digest()


@pytest.mark.parametrize("kind", ["emit", "resolution"])
def test_lines_form_a_chain(tiny: Tiny, kind: str) -> None:
    """Each row commits to the one before; its hash, and its content's, are recomputed; no clock was read."""
    previous = "0" * 64
    for seq, line in enumerate(read(tiny, kind)):
        row = line["row"]
        assert line["row_hash"] == tagged("row", row)
        assert (row["seq"], row["prev_hash"], row["recorded_at_us"]) == (seq, previous, None)
        assert row["content_hash"] == tagged(row["kind"], row["content"])
        previous = line["row_hash"]
    manifest = json.loads((tiny.folder / "manifest.json").read_text())["ledgers"][kind]
    assert (manifest["head"], manifest["size"]) == (previous, len(read(tiny, kind)))


@pytest.mark.parametrize("kind", ["emit", "resolution"])
def test_a_ledger_is_named_by_its_genesis_and_rooted_in_its_rows(tiny: Tiny, kind: str) -> None:
    """ledger_id is the UUIDv5 of the genesis; the root is that of RFC 6962 over the canonical rows."""
    lines = read(tiny, kind)
    genesis = lines[0]["row"]["content"]
    manifest = json.loads((tiny.folder / "manifest.json").read_text())

    assert genesis["mode"] == "backtest"
    assert genesis["ledger_kind"] == kind
    assert {line["row"]["ledger_id"] for line in lines} == {str(uuid5(named("ledger"), tagged("ledger", genesis)))}
    assert {key: genesis[key] for key in ("engine_hash", "config_hash", "dataset_hash", "seeds_hash")} == {
        key: manifest[key] for key in ("engine_hash", "config_hash", "dataset_hash", "seeds_hash")
    }
    assert manifest["ledgers"][kind]["root"] == merkle([rfc8785.dumps(line["row"]) for line in lines]).hex()


def test_ids_are_recomputed_from_provenance(tiny: Tiny) -> None:
    """signal_id names the provenance, resolution_id the signal, its rule and revision.  [audit 3.2]"""
    for line in read(tiny, "emit")[1:]:
        content = line["row"]["content"]
        digest = tagged("provenance", content["provenance"])
        assert content["provenance_hash"] == digest
        assert content["signal_id"] == str(uuid5(named("signal"), digest))
    for line in read(tiny, "resolution")[1:]:
        content = line["row"]["content"]
        expected = uuid5(named("resolution"), f"{content['signal_id']}/registered/0")
        assert content["resolution_id"] == str(expected)


def test_a_resolution_names_the_row_of_its_signal(tiny: Tiny) -> None:
    """Every signal has one resolution, which carries the hash of the signal's row, and knows the emit ledger."""
    rows = {line["row"]["content"]["signal_id"]: line["row_hash"] for line in read(tiny, "emit")[1:]}
    resolutions = [line["row"]["content"] for line in read(tiny, "resolution")]

    assert {r["signal_id"]: r["signal_row_hash"] for r in resolutions[1:]} == rows
    assert len(resolutions) - 1 == len(rows) > 20
    assert resolutions[0]["emit_ledger_id"] == read(tiny, "emit")[0]["row"]["ledger_id"]


def test_the_ledger_says_what_the_tables_say(tiny: Tiny) -> None:
    """Money, times and reasons of each resolution are those of its trade; gross, net and size those of its signal."""
    trades = pd.concat([pd.read_parquet(f) for f in tiny.folder.glob("folds/[0-9]*/trades.parquet")])
    signals = pd.concat([pd.read_parquet(f) for f in tiny.folder.glob("folds/*/signals.parquet")])
    found = {line["row"]["content"]["signal_id"]: line["row"]["content"] for line in read(tiny, "resolution")[1:]}
    for row in trades.to_dict("records"):
        content = found[row["signal_id"]]
        for field, micro in (
            ("gross_pnl_usd", row["gross_usd_micro"]),
            ("fees_usd", row["fees_usd_micro"]),
            ("slippage_usd", row["slippage_usd_micro"]),
            ("funding_usd", row["borrow_usd_micro"] - row["funding_usd_micro"]),
            ("net_pnl_usd", row["net_usd_micro"]),
        ):
            assert round(float(content[field]) * 1e6) == micro, field
        assert (content["entry_us"], content["exit_us"]) == (row["entry_ns"] // 1000, row["exit_ns"] // 1000)
        assert content["exit_reason"] == row["exit_reason"]
    emitted = {line["row"]["content"]["signal_id"]: line["row"]["content"] for line in read(tiny, "emit")[1:]}
    for row in signals.to_dict("records"):
        content = emitted[row["signal_id"]]
        assert content["provenance_hash"] == row["provenance_hash"]
        for field in ("gross_bps", "cost_bps", "net_bps", "size_usd", "ev_usd"):
            assert float(content["result"][field]) == pytest.approx(row[field], abs=5.1e-7)


def test_signals_stand_in_order_of_decision_and_resolutions_in_order_of_exit(tiny: Tiny) -> None:
    """The order of the file is the order in which a live ledger would have grown."""
    signals = [line["row"]["content"] for line in read(tiny, "emit")[1:]]
    ends = [line["row"]["content"] for line in read(tiny, "resolution")[1:]]

    assert signals == sorted(signals, key=lambda c: (c["provenance"]["as_of_us"], c["signal_id"]))
    assert ends == sorted(ends, key=lambda c: (c["exit_us"], c["resolution_id"]))


def test_an_empty_ledger_is_its_genesis() -> None:
    """Its size counts the genesis row; its root is that of one leaf."""
    row = b'{"a":1}'
    line = b'{"row":' + row + b',"row_hash":"' + b"0" * 64 + b'"}\n'

    assert Ledger("x", (line,), "0" * 64).facts() == {
        "ledger_id": "x",
        "size": 1,
        "root": merkle([row]).hex(),
        "head": "0" * 64,
    }
