"""A run directory against itself, and the command that asks.  [audit 8]"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from backtest.audit.run.check import is_run, verify_run
from backtest.audit.signed_notes import ED25519, Key, sign_note
from backtest.audit.verify_ledger import TrustedInputs, checkpoint_of, verify_file
from backtest.commands.verify import verify
from backtest.rundir import checksums
from engine.errors import MissingError, UsageError
from tests.helpers.ledgers import cases, ledger


@pytest.fixture(scope="module")
def made(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run of the tiny market."""
    return Path(shutil.copytree(tiny.folder, tmp_path_factory.mktemp("runs") / tiny.folder.name))


@pytest.fixture
def copy(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / made.name))


def asked(*words: object) -> Result:
    return CliRunner().invoke(verify, [str(word) for word in words])


def document(*words: object) -> dict[str, Any]:
    result = asked(*words, "--json")
    found: dict[str, Any] = json.loads(result.stdout)
    assert found["exit"] == result.exit_code
    return found


def test_a_finished_run_holds(made: Path) -> None:
    """All that is asked of a run of ours is in order, and what was not checked is said."""
    assert is_run(made)
    found = verify_run(made, TrustedInputs())

    assert found.exit == 0, found.reason
    assert {one.name for one in found.findings} == {
        "ledger/emit",
        "ledger/resolution",
        "facts",
        "seal",
        "results",
        "verdicts",
        "tables",
        "files",
    }
    assert found.ledgers["resolution"].unresolved == {"registered": 0}
    assert len(found.document()["unchecked"]) == 3
    assert "cme reproduce" in found.document()["unchecked"][-1]


def edit(path: Path, change: Callable[[Any], object]) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def replaced(path: Path, before: bytes, after: bytes) -> None:
    data = path.read_bytes()
    assert before in data
    path.write_bytes(data.replace(before, after, 1))


def table(path: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    change(pd.read_parquet(path)).to_parquet(path)


FAULTS: dict[str, tuple[Callable[[Path], object], int, str]] = {
    "emit row": (lambda d: replaced(d / "ledger/emit.jsonl", b'"net_bps":"', b'"net_bps":"1'), 11, "ledger/emit"),
    "torn resolution": (lambda d: _torn(d / "ledger/resolution.jsonl"), 10, "ledger/resolution"),
    "manifest head": (
        lambda d: edit(d / "manifest.json", lambda m: m["ledgers"]["emit"].update(head="0" * 64)),
        16,
        "facts",
    ),
    "cut tail": (lambda d: _cut(d / "ledger/emit.jsonl"), 15, "ledger/resolution"),
    "registration": (lambda d: replaced(d / "registration.toml", b"0.05", b"0.06"), 26, "seal"),
    "data": (lambda d: replaced(d / "data.json", b'"name":"', b'"name":"x'), 21, "seal"),
    "data that is no text": (lambda d: (d / "data.json").write_bytes(b"\xff"), 21, "seal"),
    "seeds": (lambda d: replaced(d / "seeds.lock", b'"replicates":', b'"replicates":1'), 24, "seal"),
    "engine": (lambda d: edit(d / "manifest.json", lambda m: m.update(engine_hash="0" * 64)), 20, "seal"),
    "results": (lambda d: replaced(d / "results.exploratory.json", b'"void":', b'"void":1'), 30, "results"),
    "digest": (lambda d: (d / "digest.txt").write_text("0" * 64 + "\n"), 30, "results"),
    "verdicts": (lambda d: edit(d / "verdicts.json", lambda v: v["run"].update(digest="0" * 64)), 30, "results"),
    "no results": (lambda d: (d / "results.exploratory.json").unlink(), 3, "results"),
    "accruals": (
        lambda d: table(d / "accruals.parquet", lambda t: t.assign(usd_micro=t["usd_micro"] + 1)),
        15,
        "tables",
    ),
    "returns": (lambda d: table(d / "returns.parquet", lambda t: t.assign(pnl=t["pnl"] + 1)), 15, "tables"),
    "trades": (lambda d: _first(d, "trades", lambda t: t.assign(fees_usd_micro=t["fees_usd_micro"] + 1)), 15, "tables"),
    "trigger": (lambda d: _triggered(d, lambda t: t.assign(trigger="horizon")), 15, "tables"),
    "no trigger": (lambda d: _triggered(d, lambda t: t.assign(trigger="")), 15, "tables"),
    "trigger at its fill": (
        lambda d: _triggered(d, lambda t: t.assign(trigger_ns=t.exit_ns, wait_s=0.0)),
        15,
        "tables",
    ),
    "wait": (lambda d: _triggered(d, lambda t: t.assign(wait_s=t.wait_s + 1.0)), 15, "tables"),
    "signals": (lambda d: _first(d, "signals", lambda t: t.iloc[:-1]), 15, "tables"),
    "broken table": (lambda d: (d / "accruals.parquet").write_bytes(b"PAR1 and no more"), 3, "tables"),
    "broken json": (lambda d: (d / "manifest.json").write_text("[" * 3000), 3, "facts"),
}


def _cut(path: Path) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


def _torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def _first(folder: Path, name: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    path = next(p for p in sorted(folder.glob(f"folds/[0-9]*/{name}.parquet")) if len(pd.read_parquet(p)))
    table(path, change)


def _triggered(folder: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    """Change the trades whose exit was triggered and filled, the others stay."""
    for path in folder.glob("folds/[0-9]*/trades.parquet"):
        trades = pd.read_parquet(path)
        filled = trades["trigger"].isin(["stopped", "converged"]) & (trades["trigger"] == trades["exit_reason"])
        if filled.any():
            table(path, lambda t, filled=filled: pd.concat([t[~filled], change(t[filled])]))  # type: ignore[misc]
            return
    raise AssertionError("no exit was triggered and filled")


@pytest.mark.parametrize("fault", FAULTS)
def test_any_one_fault_is_named_with_its_code(fault: str, copy: Path) -> None:
    """Each file of a run is bound to the others: bending one gives the code and the check that saw it."""
    bend, code, name = FAULTS[fault]
    bend(copy)

    found = verify_run(copy, TrustedInputs())

    assert (code, name) == (found.exit, str(found.reason).partition(":")[0]), found.reason


def test_checkpoints_and_keys_reach_the_ledger_they_name(made: Path, tmp_path: Path) -> None:
    """A checkpoint of either ledger is matched by its origin, a foreign one fails, a key asks for its signature."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    seed = b"\x07" * 32
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    files = {}
    for kind in ("emit", "resolution"):
        claim = checkpoint_of(verify_file(made / "ledger" / f"{kind}.jsonl", TrustedInputs()).report)
        files[kind] = tmp_path / f"{kind}.ckpt"
        files[kind].write_text(sign_note(claim.text, claim.origin, seed))
        (tmp_path / f"{kind}.vkey").write_text(Key(claim.origin, ED25519, public).text + "\n")
    both = [f"--checkpoint={path}" for path in files.values()]

    plain = document(made, *both)
    assert plain["exit"] == 0
    assert {"unchecked"} == {s["status"] for one in plain["ledgers"].values() for s in one["signatures"]}
    signed = document(made, *both, "--key", tmp_path / "emit.vkey", "--key", tmp_path / "resolution.vkey")
    assert signed["exit"] == 0, signed["reason"]
    assert {"ok"} == {s["status"] for one in signed["ledgers"].values() for s in one["signatures"]}
    assert document(made, *both, "--key", tmp_path / "emit.vkey")["exit"] == 17

    foreign = tmp_path / "foreign.ckpt"
    foreign.write_text(next(case["checkpoint"] for case in cases("ledger_cases") if case["checkpoint"]))
    assert document(made, "--checkpoint", foreign)["exit"] == 16


@pytest.mark.parametrize("case", cases("ledger_cases"), ids=lambda c: c["name"])
def test_the_command_gives_every_shared_case_its_code(case: dict, tmp_path: Path) -> None:
    """``cme verify FILE`` ends with the code of the vector and prints the object of the specification."""
    words: list[object] = [tmp_path / "ledger.jsonl"]
    (tmp_path / "ledger.jsonl").write_bytes(case["ledger"].encode())
    for option, field in (("--checkpoint", "checkpoint"), ("--emit-ledger", "emit_ledger")):
        if case.get(field):
            (tmp_path / field).write_bytes(case[field].encode())
            words += [option, tmp_path / field]

    found = document(*words)

    assert (case["expect"]["exit"], case["expect"]["first_bad_row"]) == (found["exit"], found["first_bad_row"])
    assert {"exit", "ledger_id", "rows", "head", "root", "first_bad_row", "reason", "checkpoints", "anchors"} < set(
        found
    )
    assert {"signatures", "unchecked"} < set(found)


def test_an_emit_ledger_that_does_not_hold_fails_the_whole(tmp_path: Path) -> None:
    """References into a bent emit ledger are not followed; its own code and row are the reason."""
    case = next(c for c in cases("ledger_cases") if c["name"] == "resolution_intact")
    (tmp_path / "r.jsonl").write_text(case["ledger"])
    (tmp_path / "e.jsonl").write_text(case["emit_ledger"].replace('"short_first"', '"short_other"', 1))

    found = document(tmp_path / "r.jsonl", "--emit-ledger", tmp_path / "e.jsonl")

    assert found["exit"] == 11
    assert "emit ledger" in found["reason"]


def test_reading_lines_say_what_was_and_what_was_not_checked(tmp_path: Path) -> None:
    """For people: counts, head and root, and the sentence on what no chain can show."""
    (tmp_path / "l.jsonl").write_bytes(b"".join(ledger(3)))

    shown = asked(tmp_path / "l.jsonl")

    assert shown.exit_code == 0
    for words in ("exit 0", "4 rows (1 genesis, 3 signal)", "head ", "root ", "no checkpoint given"):
        assert words in shown.stdout


def test_comparing_tells_same_prefix_and_fork(tmp_path: Path) -> None:
    """The relation is printed; a fork ends with 16."""
    whole, part = tmp_path / "whole.jsonl", tmp_path / "part.jsonl"
    whole.write_bytes(b"".join(ledger(3)))
    part.write_bytes(b"".join(ledger(3)[:2]))

    assert asked("compare", whole, whole).stdout == "same, 4 rows in common\n"
    assert asked("compare", part, whole).stdout == "prefix, 2 rows in common\n"
    case = next(c for c in cases("ledger_compare") if c["relation"] == "fork")
    for name in "ab":
        (tmp_path / name).write_text(case[name])
    forked = asked("compare", tmp_path / "a", tmp_path / "b", "--json")
    assert (forked.exit_code, json.loads(forked.stdout)["relation"]) == (16, "fork")


def test_what_is_not_there_or_makes_no_sense_is_refused(tmp_path: Path) -> None:
    """Nothing at the path and a folder of something else are 3, a key without a checkpoint 2."""
    assert isinstance(asked(tmp_path / "absent").exception, MissingError)
    assert isinstance(asked(tmp_path).exception, MissingError)
    (tmp_path / "l.jsonl").write_bytes(b"".join(ledger(1)))
    assert isinstance(asked(tmp_path / "l.jsonl", "--key", tmp_path / "l.jsonl").exception, UsageError)


def test_an_exploratory_run_that_calls_itself_confirmatory_is_found(copy: Path) -> None:
    """Every document renamed and listed anew: no freeze is named, so it was held to none.  [S8.1]"""
    (copy / "results.exploratory.json").rename(copy / "results.exact.json")
    for name in ("manifest.json", "retained.json", "verdicts.json"):
        path = copy / name
        path.write_text(path.read_text().replace('"mode": "exploratory"', '"mode": "confirmatory"'))
    checksums.write(copy)

    assert document(copy)["exit"] == 20
    assert "mode of a run with this freeze_hash" in document(copy)["reason"]


def test_the_freeze_that_a_run_names_is_that_of_its_ledgers(copy: Path) -> None:
    """A hash in the manifest that the geneses do not have."""
    path = copy / "manifest.json"
    path.write_text(path.read_text().replace('"freeze_hash": null', f'"freeze_hash": "{"a" * 64}"'))
    checksums.write(copy)

    assert document(copy)["exit"] == 20
