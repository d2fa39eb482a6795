"""The examples of `cme data sources`: each adapter has one, and reads it."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pandas as pd
import pytest

from backtest.data.adapters.base import Adapter, SourceSpec
from backtest.data.adapters.examples import example_of
from backtest.data.adapters.registry import ADAPTERS
from tests.fuzz.data_readers import packed
from tests.fuzz.whole_data import CONTRACTS
from tests.helpers.cli import RunCommand, refused

SHAPES = {"": "table", "gzip": "recording", "zip": "member", "xlsx": "grid", "feather": "columns"}


def file_of(sample: str, inside: str) -> bytes:
    """The bytes of a file that holds the sample."""
    if inside == "xlsx":
        rows = [[_number(cell) for cell in line.split(",")] for line in sample.splitlines()]
        return packed(json.dumps(rows).encode(), "grid")
    if inside == "feather":
        frame = pd.read_csv(pd.io.common.StringIO(sample))
        return packed(json.dumps(frame.to_dict("list")).encode(), "columns")
    return packed(sample.encode(), SHAPES[inside])


def _number(cell: str) -> object:
    try:
        return float(cell) if cell else None
    except ValueError:
        return cell


@pytest.mark.parametrize("member", ADAPTERS, ids=lambda member: member.name)
def test_each_adapter_reads_its_own_example(member: Adapter, tmp_path: Path) -> None:
    """The source as a person would paste it into a plan, and the sample in the file that its path matches."""
    example = example_of(member.name)
    (source,) = tomllib.loads(example.source)["data"]["sources"]
    assert sorted(source) == ["adapter", "licence", "options", "path", "reason"]
    assert source["adapter"] == member.name
    path = tmp_path / example.file
    path.parent.mkdir(parents=True)
    path.write_bytes(file_of(example.sample, example.inside))
    if member.name == "binance_quarterly":
        (path.parent / "fut_expirys.csv").write_bytes(CONTRACTS)
    spec = SourceSpec(member.name, source["path"], source["options"], source["reason"], source["licence"])

    assert sum(len(chunk.rows) + len(chunk.deliveries) for chunk in member.read(tmp_path, spec)) >= 1


def test_the_command_lists_all_and_explains_one(run_command: RunCommand) -> None:
    """Every name in the list; of one its options, the example and the sample as they stand in the file."""
    listed = run_command("data", "sources").out
    assert [line.split()[0] for line in listed.splitlines()[: len(ADAPTERS)]] == [each.name for each in ADAPTERS]

    one = run_command("data", "sources", "tardis_trades")
    example = example_of("tardis_trades")
    assert one.code == 0
    for part in (example.source.strip(), example.sample.strip(), "Options: bar, its length"):
        assert part in one.out

    documents = json.loads(run_command("data", "sources", "--json").out)["sources"]
    assert [each["name"] for each in documents] == [each.name for each in ADAPTERS]
    refused(run_command("data", "sources", "tardis_trade"), 2, "did you mean 'tardis_trades'")
