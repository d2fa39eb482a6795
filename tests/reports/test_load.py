"""A run directory as data: read whole, or refused with the command that would complete it.  [S8.6]"""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from engine.errors import MissingError
from reports.load import FILES, load
from tests.helpers.small_run import FOLDS, Tiny


def test_frames_hold_every_fold_in_order(tiny: Tiny) -> None:
    """Rows of all ten test folds and of no history; the registration is the run's own."""
    run = load(tiny.folder)

    assert run.synthetic
    assert len(run.trades) == len(tiny.run.trades)
    assert run.trades["fold"].is_monotonic_increasing
    assert run.trades["fold"].between(0, FOLDS - 1).all()
    assert run.registration["study"] == "tiny"


@pytest.mark.parametrize("name", [*FILES, "registration.toml", "returns.parquet"])
def test_a_missing_file_is_named_with_its_command(tiny: Tiny, tmp_path: Path, name: str) -> None:
    """Exit 3: the path, the file, and what writes it."""
    copy = tmp_path / "run"
    shutil.copytree(tiny.folder, copy)
    (copy / name).unlink()
    with pytest.raises(MissingError, match=f"{name}.*`cme {'judge' if name == 'verdicts.json' else 'run'}`"):
        load(copy)


def test_a_run_without_folds_is_refused(tiny: Tiny, tmp_path: Path) -> None:
    """No table at all is no empty study."""
    copy = tmp_path / "run"
    shutil.copytree(tiny.folder, copy)
    for folder in (copy / "folds").glob("[0-9]*"):
        shutil.rmtree(folder)
    with pytest.raises(MissingError, match=r"signals\.parquet"):
        load(copy)


def test_empty_folds_keep_their_columns(tiny: Tiny, tmp_path: Path) -> None:
    """Where no fold has a row the frame has none either, and all of its columns."""
    copy = tmp_path / "run"
    shutil.copytree(tiny.folder, copy)
    for file in copy.glob("folds/[0-9]*/trades.parquet"):
        pd.read_parquet(file).iloc[:0].to_parquet(file)

    assert len(load(copy).trades) == 0
    assert list(load(copy).trades.columns) == list(load(tiny.folder).trades.columns)


@pytest.mark.parametrize("name", ["manifest.json", "registration.toml", "returns.parquet", "folds/03/trades.parquet"])
def test_a_file_that_was_cut_short_is_missing_and_no_defect_of_ours(tiny: Tiny, tmp_path: Path, name: str) -> None:
    """Exit 3, whatever its reader says of half a file."""
    copy = tmp_path / "run"
    shutil.copytree(tiny.folder, copy)
    data = (copy / name).read_bytes()
    (copy / name).write_bytes(data[: len(data) * 6 // 10])
    with pytest.raises(MissingError, match="expected whole files of a run"):
        load(copy)
