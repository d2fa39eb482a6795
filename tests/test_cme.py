"""The front door: exit codes, one paragraph an error, one document with --json, nothing half-written.  [interface]"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import cme
from tests.tiny import Tiny, document, toml, write_config

DOWN = "http://127.0.0.1:9"
"""A tracker that refuses at once: runs here need none."""

STANDING = ("manifest.json", "verdicts.json", "results.float.json", "report.html", "report.md")
"""Files that say how the run stands to a freeze and to the journals beside it, of which only the door knows."""

T0_MS, HOUR_MS = 1_767_571_200_000, 3_600_000
OPTIONS = {
    "venue": "binance", "kind": "spot", "base": "BTC", "quote": "USDC", "feed": "bar", "bar": "1h",
    "label": "ms", "drop_zero_volume": True, "drop_last": False,
}  # fmt: skip


@dataclass(frozen=True)
class Done:
    """How a command ended and what it said."""

    code: int
    out: str
    err: str


Door = Callable[..., Done]


@pytest.fixture
def door(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Door:
    """Call ``cme`` in this process; no data folder or tracker of the machine is seen."""
    monkeypatch.delenv("CME_DATA", raising=False)
    monkeypatch.setenv("CME_TRACKING", DOWN)

    def call(*arguments: object) -> Done:
        with pytest.raises(SystemExit) as ended:
            cme.main([str(word) for word in arguments])
        said = capsys.readouterr()
        return Done(int(ended.value.code or 0), said.out, said.err)

    return call


def refused(done: Done, code: int, *words: str) -> None:
    """The command ended with ``code``, nothing on stdout, and one paragraph that holds ``words``."""
    lines = [line for line in done.err.splitlines() if line and "MLflow was not brought up" not in line]
    assert done.code == code, done.err
    assert done.out == ""
    assert "Traceback" not in done.err
    assert len(lines) == 1, done.err
    for word in words:
        assert word in done.err


def bars(prices: Mapping[int, object] | None = None, stamps: list[int] | None = None, head: str = "close") -> str:
    """An hour's candles a row as CSV; ``prices`` replaces closes by row."""
    labels = stamps if stamps is not None else [T0_MS + HOUR_MS * k for k in range(48)]
    closes = {k: 95_000 + k for k in range(len(labels))} | dict(prices or {})
    return f"timestamp,open,{head},volume\n" + "".join(f"{t},1,{closes[k]},5\n" for k, t in enumerate(labels))


def study(folder: Path, text: str = "", options: Mapping[str, Any] | None = None, **more: Any) -> tuple[Path, Path]:
    """A study of one file of candles: its registration and its data folder."""
    source = {"path": "bars.csv", "licence": "none", "reason": "a test", "adapter": "candles_csv"}
    source |= {"options": {**OPTIONS, **(options or {})}, **more}
    config = write_config(
        folder,
        {
            "synthetic": False,
            "data.kind": "sources",
            "data.synthetic": {},
            "data.sources": [source],
            "grid.step_s": "3600",
        },
    )
    (folder / "real").mkdir()
    (folder / "real" / "bars.csv").write_text(text or bars())
    return config, folder / "real"


def test_help_lists_every_command_with_its_line(door: Door) -> None:
    """`cme --help` names all commands, in the order of a day's work, and every exit code's meaning."""
    done = door("--help")

    assert done.code == 0
    places = [done.out.index(f"\n  {name} ") for name in cme.COMMANDS]
    assert places == sorted(places)
    for words in ("2 usage", "130 interrupted", "cme run configs/demo.toml"):
        assert words in " ".join(done.out.split())


def leaves() -> list[tuple[str, ...]]:
    """Every command, the members of groups included."""
    found: list[tuple[str, ...]] = []
    for name in cme.COMMANDS:
        command = cme.cme.get_command(click.Context(cme.cme), name)
        if isinstance(command, click.Group):
            found += [(name, member) for member in command.commands]
        else:
            found.append((name,))
    return found


@pytest.mark.parametrize("command", leaves(), ids=" ".join)
def test_every_command_has_help_with_an_example(door: Door, command: tuple[str, ...]) -> None:
    """--help of each shows, besides its usage, a line that calls it."""
    done = door(*command, "--help")
    called = command[:1] if command == ("verify", "path") else command  # the word may be left out
    text = done.out if called == command else done.out + door(*called, "--help").out
    lines = [line for line in text.splitlines() if f"cme {' '.join(called)} " in f"{line} " and "Usage:" not in line]

    assert done.code == 0
    assert lines


WRONG = {
    "nonsense": "no such command 'nonsense'; `cme --help`",
    "rnu a.toml": "(did you mean 'run'?)",
    "data chek set": "cme data: no such command 'chek' (did you mean 'check'?)",
    "run": "cme run: missing argument 'CONFIG'; `cme run --help`",
    "run a.toml --workers many": "'many' is not a valid integer",
    "run --nope": "no such option '--nope'",
    "run a.toml --quite": "'--quiet'",
}


@pytest.mark.parametrize("words", WRONG)
def test_wrong_words_are_usage_in_one_paragraph(door: Door, words: str) -> None:
    """Exit 2, nothing on stdout, what was wrong, the nearest word there is, and where the example stands."""
    refused(door(*words.split()), 2, WRONG[words], "--help` shows how it is called, with an example")


@pytest.mark.parametrize("command", ["judge", "report", "verify"])
def test_a_run_that_is_not_there_is_missing(door: Door, tmp_path: Path, command: str) -> None:
    """Exit 3 with its name, whichever command was asked of it."""
    refused(door(command, tmp_path / "no-run"), 3, "no-run")


def test_a_file_that_is_not_there_is_missing(door: Door, tmp_path: Path) -> None:
    """Exit 3; not even the folder of runs is made."""
    refused(door("run", tmp_path / "no.toml", "--out", tmp_path / "runs"), 3, "no.toml", "expected a configuration")
    assert list(tmp_path.iterdir()) == []


def test_a_registration_without_a_key_names_it(door: Door, tmp_path: Path) -> None:
    """Exit 2: file and key; no default stands in; nothing is written."""
    tree = document()
    del tree["grid"]["persistence"]
    config = tmp_path / "tiny.toml"
    config.write_text(toml(tree))

    refused(door("run", config, "--out", tmp_path / "runs"), 2, "tiny.toml", "grid.persistence")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("text", ["a = ", "schema = 'registration/1'", "\x00"])
def test_text_that_is_no_registration_is_usage(door: Door, tmp_path: Path, text: str) -> None:
    """Broken TOML, and TOML that says nothing of a plan."""
    config = tmp_path / "c.toml"
    config.write_text(text)

    refused(door("run", config, "--out", tmp_path / "runs"), 2, "c.toml")


def test_a_study_without_its_data_is_usage(door: Door, tmp_path: Path) -> None:
    """Exit 2 where no folder is named, 3 where it is not there; the journal says that the run failed."""
    config, _ = study(tmp_path)
    refused(door("run", config, "--out", tmp_path / "runs"), 2, "--data DIR", "CME_DATA")
    refused(door("run", config, "--out", tmp_path / "runs", "--data", tmp_path / "no"), 3, "check --data or CME_DATA")
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
def test_bad_data_is_refused_whole(door: Door, tmp_path: Path, case: str) -> None:
    """Exit 4, one paragraph naming the file or the column; no data set, whole or half, is left behind."""
    text, options, word = BAD[case]
    config, data = study(tmp_path, text, options)
    refused(door("run", config, "--out", tmp_path / "runs", "--data", data), 4, word)
    assert list((tmp_path / "runs").rglob("*.parquet")) == []
    refused(door("data", "build", config, "--out", tmp_path / "set", "--data", data, "--quiet"), 4, word)
    assert not (tmp_path / "set").exists()
    assert [path for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_truncated_binary_file_is_bad_data(door: Door, tmp_path: Path) -> None:
    """A source that ends in the middle is exit 4 with its name, not a defect of ours."""
    config, data = cut_in_half(tmp_path)
    refused(door("run", config, "--out", tmp_path / "runs", "--data", data), 4, "BTC_USDT-1h-spot")
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


def test_a_full_disk_is_said_and_leaves_nothing(door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 5 while a data set is written; neither the set nor its working folder stays."""
    import backtest.data.writer as writer

    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "write_synced", full)
    config = write_config(tmp_path)
    refused(door("data", "synth", config, "--out", tmp_path / "set", "--quiet"), 5, "No space left", "nothing half")
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.toml"]


def test_a_run_prints_its_verdicts_and_is_complete_without_a_tracker(tiny: Tiny, door: Door, tmp_path: Path) -> None:
    """Exit 0 and one warning where the tracker is down; the directory is that of the same run made before."""
    shutil.copytree(tiny.folder.parent / "data", tmp_path / "runs" / "data")
    done = door("run", tiny.config, "--out", tmp_path / "runs", "--workers", "1")
    folder = tmp_path / "runs" / tiny.folder.name

    assert done.code == 0
    assert [line[2:4] for line in done.out.splitlines() if line.startswith("  H")] == ["H1", "H2", "H3"]
    assert "synthetic market" in done.out
    assert str(folder / "report.html") in done.out
    assert "MLflow was not brought up" in done.err
    assert "cme track sync" in done.err
    for path in sorted(tiny.folder.rglob("*")):
        if path.is_file() and path.name not in STANDING:
            assert (folder / path.relative_to(tiny.folder)).read_bytes() == path.read_bytes(), path.name


def test_judge_and_report_repeat_from_the_directory_alone(tiny: Tiny, door: Door, tmp_path: Path) -> None:
    """Verdicts, digest and page of a copy are made again, byte for byte; --json prints one document each."""
    copy = tmp_path / tiny.folder.name
    shutil.copytree(tiny.folder, copy)
    made = ("verdicts.json", "results.exploratory.json", "results.float.json", "digest.txt", "report.html", "report.md")
    for name in made:
        (copy / name).unlink()
    judged = door("judge", copy, "--json", "--quiet")
    shown = door("report", copy, "--json")

    assert (judged.code, shown.code) == (0, 0)
    assert json.loads(judged.out) == json.loads((tiny.folder / "verdicts.json").read_text())
    assert set(json.loads(shown.out)) >= {"html", "markdown"}
    for name in made:
        assert (copy / name).read_bytes() == (tiny.folder / name).read_bytes(), name


def test_json_is_one_document_and_nothing_else(tiny: Tiny, door: Door) -> None:
    """Stdout parses as a whole, for a data set too."""
    done = door("data", "check", tiny.dataset.path, "--no-lags", "--json")

    assert done.code == 0
    assert json.loads(done.out)


def test_an_interrupted_command_says_so(door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C: 130, one line, and the journal ends with it."""
    import backtest.data.prepare as prepare

    def interrupted(*_args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(prepare, "build_synthetic", interrupted)
    done = door("run", write_config(tmp_path), "--out", tmp_path / "runs", "--quiet")

    refused(done, 130, "interrupted")
    (journal,) = (tmp_path / "runs").rglob("journal.jsonl")
    assert "130" in journal.read_text().splitlines()[-1]


def test_a_defect_is_ours_and_debug_shows_it(door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """70 with one paragraph; the traceback only under --debug."""
    import backtest.data.prepare as prepare

    def broken(*_args: object) -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(prepare, "build_synthetic", broken)
    config = write_config(tmp_path)
    refused(door("run", config, "--out", tmp_path / "runs", "--quiet"), 70, "defect of ours", "oops")
    assert "Traceback" in door("run", config, "--out", tmp_path / "runs", "--quiet", "--debug").err


def test_every_command_takes_json_and_quiet(door: Door) -> None:
    """Scripts may count on both, whatever the command."""
    for words in leaves():
        command: click.Command = cme.cme
        for word in words:
            assert isinstance(command, click.Group)
            found = command.get_command(click.Context(command), word)
            assert found is not None
            command = found
        assert {"--json", "--quiet"} <= {option for parameter in command.params for option in parameter.opts}, words
