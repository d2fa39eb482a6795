"""A form that met no real sample is labelled where a user meets it: in the help, at the build, and on the page."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from backtest.commands.data import _print_built, data
from backtest.data.adapters.base import SourceSpec
from backtest.data.adapters.registry import adapter
from backtest.data.build.assemble import build
from backtest.data.format.dataset import SourceNote, open_dataset
from backtest.registration.load import load_registration
from reports.base import Table
from reports.load import load
from reports.sections import environment
from tests.helpers.small_run import Tiny

CONTEXTS = "time,coin,funding,oracle_px,mark_px\n2024-02-01T00:00:00Z,BTC,0.0000125,42000,42001\n"


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A data set of one source whose adapter met no real sample."""
    (tmp_path / "x.csv").write_text(CONTEXTS)
    spec = SourceSpec("hyperliquid_asset_ctxs", "x.csv", {"coins": ["BTC"], "latency_ns": 0}, "a test", "none")
    return build([spec], tmp_path, tmp_path / "set", "x", grid_ns=3_600_000_000_000)


def test_the_list_says_which_forms_met_no_sample() -> None:
    """Three adapters without one, and the one form of another."""
    lines = CliRunner().invoke(data, ["sources"]).output.splitlines()
    said = {line.split()[0]: line.partition("UNVERIFIED: ")[2] for line in lines if "UNVERIFIED" in line}

    assert sorted(said) == ["deliveries", "hyperliquid_asset_ctxs", "quotes_table", "tardis_quotes"]
    assert said["quotes_table"] == "it has met no real sample"
    assert said["tardis_quotes"].startswith("book_snapshot_25")


def test_a_build_warns_of_a_source_of_an_unverified_form(
    built: Path, tiny: Tiny, capsys: pytest.CaptureFixture[str]
) -> None:
    """On stderr, by source and adapter; a generated market has no adapter to doubt."""
    _print_built(built, load_registration(tiny.config), as_json=True, quiet=True)
    _print_built(tiny.dataset.path, load_registration(tiny.config), as_json=True, quiet=True)

    (line,) = [line for line in capsys.readouterr().err.splitlines() if "UNVERIFIED" in line]
    assert line.startswith("warning: hyperliquid_asset_ctxs:x.csv: ")
    assert line.endswith("is UNVERIFIED: it has met no real sample")


def test_the_page_says_of_each_source_what_met_no_sample(built: Path, tiny: Tiny) -> None:
    """A verified adapter with a form that is not says both."""
    notes = [*open_dataset(built).sources, *tiny.dataset.sources]
    for name in ("tardis_quotes", "candles_csv"):
        notes.append(SourceNote(name, name, adapter(name).verification_note, ("why",)))
    sources = [{"name": n.name, "adapter": n.adapter, "verified": n.verified, "notes": list(n.notes)} for n in notes]
    run = load(tiny.folder)
    made = replace(run, manifest={**run.manifest, "sources": sources})
    (table,) = (b for b in environment.build(made) if isinstance(b, Table) and b.caption == "Sources of data")

    said = [row[2] for row in table.rows]
    assert said[:2] == ["UNVERIFIED: it has met no real sample", "no"]
    assert said[2].startswith("yes; UNVERIFIED: book_snapshot_25")
    assert said[3] == "yes"
    assert [bool(note.unverified) for note in notes] == [True, False, True, False]
