"""The data set of a registration: made once, found again, made anew when anything it came from changes.  [S8.1]"""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from backtest import seeds
from backtest.config import load_registration
from backtest.data import prepare
from backtest.data.prepare import _key, prepare_dataset
from backtest.seeds import lock_content
from engine.errors import DataError, GateError, MissingError, UsageError
from tests.tiny import ROOT, Tiny, write_config

CSV = "timestamp,open,high,low,close,volume\n" + "".join(
    f"{1_767_571_200_000 + 3_600_000 * k},{100 + k},{101 + k},{99 + k},{100 + k},5\n" for k in range(48)
)
SOURCE = {
    "adapter": "candles_csv",
    "path": "bars/*.csv",
    "licence": "none",
    "reason": "a test",
    "options": {
        "venue": "binance", "kind": "spot", "base": "BTC", "quote": "USDC", "feed": "bar", "bar": "1h",
        "label": "ms", "drop_zero_volume": True, "drop_last": False,
    },
}  # fmt: skip
STUDY = {
    "synthetic": False,
    "data.kind": "sources",
    "data.synthetic": {},
    "data.sources": [SOURCE],
    "grid.step_s": "3600",
}


@pytest.fixture
def streams():
    return seeds.load(ROOT / "seeds.lock")


@pytest.fixture
def study(tmp_path: Path) -> Path:
    (tmp_path / "real" / "bars").mkdir(parents=True)
    (tmp_path / "real" / "bars" / "binance_BTCUSDC_1h.csv").write_text(CSV)
    return write_config(tmp_path, STUDY)


def test_a_data_set_is_made_once_and_found_again(tiny: Tiny, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second call opens what the first one wrote and builds nothing."""
    monkeypatch.setattr(prepare, "build_synthetic", lambda *_: pytest.fail("built twice"))
    again = prepare_dataset(tiny.registration, None, tiny.seeds, tiny.folder.parent, 1, None)

    assert again.dataset_hash == tiny.dataset.dataset_hash
    assert again.path == tiny.dataset.path


def test_the_data_set_holds_the_registration_it_was_made_for(tiny: Tiny) -> None:
    """Beside the data stands the text of the plan, venues included."""
    text = (tiny.dataset.path / "registration.toml").read_text()

    assert text == tiny.registration.text


def test_another_plan_or_root_is_another_data_set(tiny: Tiny) -> None:
    """The key changes with a byte of the registration and with the root of chance."""
    here = _key(tiny.registration, None, tiny.seeds)
    other = seeds.Seeds(lock_content("another root", tiny.seeds.content["streams"]), tiny.seeds.replicates)

    assert _key(replace(tiny.registration, text=tiny.registration.text + "\n"), None, tiny.seeds) != here
    assert _key(tiny.registration, None, other) != here
    assert _key(replace(tiny.registration, study="x"), None, tiny.seeds) == here


def test_a_changed_source_file_is_noticed(study: Path, streams, tmp_path: Path) -> None:
    """Size, time or name of a source file changes the key; a file that no source asks for does not."""
    registration, root = load_registration(study), tmp_path / "real"
    file = root / "bars" / "binance_BTCUSDC_1h.csv"
    here = _key(registration, root, streams)
    (root / "bars" / "notes.txt").write_text("x")
    assert _key(registration, root, streams) == here
    os.utime(file, ns=(1, 1))
    moved = _key(registration, root, streams)
    assert moved != here
    shutil.copy2(file, root / "bars" / "b.csv")
    assert _key(registration, root, streams) not in (here, moved)


def test_a_study_needs_its_folder(study: Path, streams, tmp_path: Path) -> None:
    """None named: usage (2).  Named and not there: missing (3).  Neither writes anything."""
    registration, out = load_registration(study), tmp_path / "runs"
    with pytest.raises(UsageError, match=r"--data DIR or set CME_DATA"):
        prepare_dataset(registration, None, streams, out, 1, None)
    with pytest.raises(MissingError, match="check --data"):
        prepare_dataset(registration, tmp_path / "nowhere", streams, out, 1, None)
    assert not out.exists()


def test_a_study_is_built_from_its_sources(study: Path, streams, tmp_path: Path) -> None:
    """Bars of the folder become a data set below out/data, marked as observed."""
    dataset = prepare_dataset(load_registration(study), tmp_path / "real", streams, tmp_path / "runs", 1, None)

    assert dataset.path.parent == tmp_path / "runs" / "data"
    assert (dataset.synthetic, dataset.grid_ns) == (False, 3600 * 10**9)
    assert "binance:BTCUSDC" in dataset.instruments.name


def test_a_refused_source_leaves_nothing(study: Path, streams, tmp_path: Path) -> None:
    """A negative price is refused (4); no data set and no dot folder of one stays behind."""
    (tmp_path / "real" / "bars" / "binance_BTCUSDC_1h.csv").write_text(CSV.replace(",147,5", ",-147,5"))
    with pytest.raises(DataError):
        prepare_dataset(load_registration(study), tmp_path / "real", streams, tmp_path / "runs", 1, None)

    assert [path for path in tmp_path.rglob("runs/**/*") if path.is_file()] == []
    assert list((tmp_path / "runs").rglob("manifest.json")) == []


def test_a_registered_data_set_is_opened_where_it_stands(tiny: Tiny, streams, tmp_path: Path) -> None:
    """data.kind = path: relative to --data where one is given, as written otherwise; its hash is checked."""
    copy = tmp_path / "sets" / "mine"
    shutil.copytree(tiny.dataset.path, copy)
    plan = SimpleNamespace(data=SimpleNamespace(kind="path", path="mine"))
    absolute = SimpleNamespace(data=SimpleNamespace(kind="path", path=str(copy)))

    for registration, root in ((plan, tmp_path / "sets"), (absolute, None)):
        dataset = prepare_dataset(registration, root, streams, tmp_path / "runs", 1, None)  # type: ignore[arg-type]
        assert dataset.dataset_hash == tiny.dataset.dataset_hash
    with pytest.raises(MissingError):
        prepare_dataset(plan, tmp_path, streams, tmp_path / "runs", 1, None)  # type: ignore[arg-type]


def test_bytes_that_differ_from_the_manifest_are_refused(tiny: Tiny, streams, tmp_path: Path) -> None:
    """A day's file changed after it was written is found when it is read (21)."""
    copy = tmp_path / "mine"
    shutil.copytree(tiny.dataset.path, copy)
    day = sorted((copy / "quotes" / "BTC").iterdir())[3]
    day.write_bytes(day.read_bytes()[:-9] + b"corrupted")
    plan = SimpleNamespace(data=SimpleNamespace(kind="path", path=str(copy)))
    dataset = prepare_dataset(plan, None, streams, tmp_path, 1, None)  # type: ignore[arg-type]
    with pytest.raises(GateError) as refused:
        list(dataset.panels("BTC", tiny.run.plan.history_ns, tiny.run.plan.t1_ns))

    assert refused.value.exit_code == 21
