"""What nobody can run on: missing, wrong, cut short, or no room to write; each with its exit code.  [interface]"""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backtest.registration.load import load_registration
from backtest.registration.named import named
from tests.helpers.cli import HOUR_MS, T0_MS, RunCommand, bars, refused, study
from tests.helpers.small_run import write_config


def test_a_study_without_its_data_is_usage(run_command: RunCommand, tmp_path: Path) -> None:
    """Exit 2 where no folder is named, 3 where it is not there; the journal says that the run failed."""
    config, _ = study(tmp_path)
    refused(run_command("run", config, "--out", tmp_path / "runs"), 2, "--data DIR", "CME_DATA")
    refused(
        run_command("run", config, "--out", tmp_path / "runs", "--data", tmp_path / "no"), 3, "check --data or CME_DATA"
    )
    assert list((tmp_path / "runs").rglob("manifest.json")) == []
    journals = sorted((tmp_path / "runs").rglob("journal.jsonl"))
    assert len(journals) == 2
    assert all('"exit_code":0' not in journal.read_text().splitlines()[-1] for journal in journals)


BAD = {
    "wrong column": (bars(head="clsoe"), {}, "close"),
    "negative price": (bars({7: -5}), {}, "bid"),
    "duplicate rows": (bars(stamps=[T0_MS, T0_MS + HOUR_MS, T0_MS + HOUR_MS]), {}, "each once"),
    "out of order": (bars(stamps=[T0_MS + HOUR_MS, T0_MS]), {}, "ascending"),
    "unknown venue": ("", {"venue": "binanse"}, "venue"),
    "words for prices": (bars({3: "high"}), {}, "'high'"),
    "stamps in another unit": ("", {"label": "s"}, ""),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_data_is_refused_whole(run_command: RunCommand, tmp_path: Path, case: str) -> None:
    """Exit 4, one paragraph naming the file or the column; no data set, whole or half, is left behind."""
    text, options, word = BAD[case]
    config, data = study(tmp_path, text, options)
    refused(run_command("run", config, "--out", tmp_path / "runs", "--data", data), 4, word)
    assert list((tmp_path / "runs").rglob("*.parquet")) == []
    refused(run_command("data", "build", config, "--out", tmp_path / "set", "--data", data, "--quiet"), 4, word)
    assert not (tmp_path / "set").exists()
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_files_of_other_days_than_the_plan_s_are_named_with_both_spans(run_command: RunCommand, tmp_path: Path) -> None:
    """The paths are right, so nothing is said of them.  Bars of 48 hours are known at their close."""
    year_ms = 365 * 24 * HOUR_MS
    config, data = study(tmp_path, bars(stamps=[T0_MS + year_ms + HOUR_MS * k for k in range(48)]))
    spans = ("expected rows from 2026-01-04T00:00:00 to 2026-02-02T00:00:00 UTC",
             "the files hold 2027-01-05T01:00:00 to 2027-01-07T00:00:00 UTC", "split.windows")  # fmt: skip

    refused(run_command("data", "build", config, "--out", tmp_path / "set", "--data", data, "--quiet"), 4, *spans)
    assert not (tmp_path / "set").exists()


def test_a_build_names_every_instrument_of_the_plan_that_no_file_holds(run_command: RunCommand, tmp_path: Path) -> None:
    """On stderr, a line each, and under `lacking`; the data set is written all the same."""
    config, data = study(tmp_path)
    done = run_command("data", "build", config, "--out", tmp_path / "set", "--data", data, "--json")
    lacking = json.loads(done.out)["lacking"]

    assert done.code == 0, done.err
    assert set(lacking) == set(named(load_registration(config).params)) - {"binance:BTCUSDC"}
    for name in lacking:
        (line,) = [line for line in done.err.splitlines() if line.startswith(f"cme: {name}, which the plan names")]
        assert "can be judged" in line


def test_a_run_says_which_instruments_are_lacking_and_where_each_constraint_ends(
    run_command: RunCommand, tmp_path: Path
) -> None:
    """An exploratory run ends with 0, but nobody takes its empty table for a finding."""
    config, data = study(tmp_path)
    done = run_command("run", config, "--out", tmp_path / "runs", "--data", data, "--workers", "1")

    assert done.code == 0, done.err
    assert (
        "cme: binance:BTCUSDT-PERP, which the plan names, is not in the data set: no package of it (C1, C2, C6)"
        in done.err
    )
    ends = [line for line in done.out.splitlines() if line.startswith("  C")]
    assert len(ends) == 7
    assert all("not evaluable: " in line for line in ends)


def test_a_truncated_binary_file_is_bad_data(run_command: RunCommand, tmp_path: Path) -> None:
    """A source that ends in the middle is exit 4 with its name, not a defect of ours."""
    config, data = cut_in_half(tmp_path)
    refused(run_command("run", config, "--out", tmp_path / "runs", "--data", data), 4, "BTC_USDT-1h-spot")
    assert list((tmp_path / "runs").rglob("*.parquet")) == []


def cut_in_half(folder: Path) -> tuple[Path, Path]:
    """A study on one binary candle file that was cut in half."""
    options = {
        "venue": "binance", "channels": ["spot"], "bar": "1h", "funding_h": 8, "perp_quote": "",
        "drop_zero_volume": True,
    }  # fmt: skip
    source = {"adapter": "candles_feather", "path": "*-1h-*.feather", "licence": "x", "reason": "x", "options": options}
    config = write_config(
        folder,
        {"synthetic": False, "data.kind": "sources", "data.synthetic": {}, "data.sources": [source],
         "grid.step_s": "3600"},
    )  # fmt: skip
    (folder / "real").mkdir()
    target = folder / "real" / "BTC_USDT-1h-spot.feather"
    pq.write_table(pa.table({"date": [1, 2, 3], "close": [1.0, 2.0, 3.0]}), target)
    target.write_bytes(target.read_bytes()[: target.stat().st_size // 2])
    return config, folder / "real"


def test_a_full_disk_is_said_and_leaves_nothing(
    run_command: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 5 while a data set is written; neither the set nor its working folder stays."""
    import backtest.data.format.writer as writer

    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "write_synced", full)
    config = write_config(tmp_path)
    refused(
        run_command("data", "synth", config, "--out", tmp_path / "set", "--quiet"), 5, "No space left", "nothing half"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.toml"]


@pytest.mark.parametrize("command", ["verify", "report", "judge", "drill", "reproduce"])
def test_a_name_too_long_for_a_file_is_a_missing_file(run_command: RunCommand, command: str) -> None:
    """Exit 3 with the beginning of the name, no defect of ours."""
    refused(run_command(command, "x" * 5000), 3, "xxx...", "too long")


@pytest.mark.parametrize("text", ["", "schema = 'registration/1'\n", '{"schema": "results/1"}', "\x00" * 100])
def test_a_file_that_is_no_ledger_is_usage(run_command: RunCommand, tmp_path: Path, text: str) -> None:
    """A plan or a page given to ``cme verify``: 2, with its name; what is named a ledger is a damaged one (10, 12)."""
    for name, code in (("plan.toml", 2), ("emit.jsonl", 10 if text else 12)):
        (tmp_path / name).write_text(text)
        done = run_command("verify", tmp_path / name)
        assert done.code == code, done.err
        assert ("plan.toml: expected a run directory" in done.err) is (code == 2)
        assert "None" not in done.out
