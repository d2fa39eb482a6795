"""The live store: replay, refusals, marks, two writers, defences of the table.  [audit 5, 6]"""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import CmeError, MissingError, UsageError
from engine.ledger.chain import Conflict
from engine.ledger.store.export import export, export_lines
from engine.ledger.store.high_water_mark import read_mark
from engine.ledger.store.live_store import Store, open_store
from engine.ledger.verification.verify import opened, verify_ledger
from tests.helpers.ledgers import NOON, REPLAY, genesis, ledger, live, look, resolution, signal, signals, store


def exported(of: Store) -> bytes:
    return b"".join(export_lines(of))


def refused(code: int, act: Any, *arguments: Any, **options: Any) -> CmeError:
    with pytest.raises(CmeError) as error:
        act(*arguments, **options)
    assert code == error.value.exit_code, error.value
    return error.value


@pytest.mark.parametrize("case", REPLAY, ids=lambda c: c["ledger_id"][:8])
def test_replay_follows_the_shared_vector_step_by_step(case: dict, tmp_path: Path) -> None:
    """Outcomes, sizes and heads equal the vector after every transaction, the conflict included."""
    with store(tmp_path, case["genesis"]) as live_store:
        assert case["ledger_id"] == live_store.ledger_id
        for step in case["steps"]:
            if step["exit"]:
                with pytest.raises(Conflict) as conflict:
                    live_store.append("signal", step["batch"])
                outcomes, code = conflict.value.outcomes, conflict.value.exit_code
            else:
                outcomes, code = live_store.append("signal", step["batch"]).outcomes, 0
            assert step["exit"] == code
            assert [tuple(outcome) for outcome in step["outcomes"]] == list(outcomes), step["step"]
            tail = live_store.tail()
            assert (step["rows_after"] - 1, step["head_after"]) == (tail.seq, tail.row_hash), step["step"]


@settings(deadline=None, max_examples=15)
@given(schedule=st.lists(st.lists(st.integers(0, 7), max_size=8), max_size=6))
def test_any_schedule_of_replays_leaves_the_file_as_it_is(
    tmp_path_factory: pytest.TempPathFactory, schedule: list[list[int]]
) -> None:
    """Prefixes, suffixes, permutations and unions of what is on record change no byte.  [audit 15.2]"""
    with store(tmp_path_factory.mktemp("replay")) as live_store:
        live_store.append("signal", signals(8))
        before = exported(live_store)
        for numbers in schedule:
            receipt = live_store.append("signal", [signal(n) for n in numbers])
            assert {"duplicate"} >= {outcome for _, outcome in receipt.outcomes}

        assert before == exported(live_store)
        assert b"".join(ledger(8)) == before


def test_the_same_ticks_split_over_processes_give_the_same_head(tmp_path: Path) -> None:
    """One open store or one for each tick: the export is the same, and it is the pure chain's."""
    for n in range(4):
        with store(tmp_path) as again:
            again.append("signal", [signal(2 * n + 1), signal(2 * n)])

    with store(tmp_path) as last:
        assert b"".join(ledger(8)) == exported(last)


def test_an_export_verifies_and_two_of_one_size_are_equal(tmp_path: Path) -> None:
    """The export is a ledger file that holds, written whole, with nothing left beside it."""
    with store(tmp_path) as live_store:
        live_store.append("signal", signals(5))
        export(live_store, tmp_path / "one.jsonl")
        export(live_store, tmp_path / "two.jsonl")

    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()
    with opened(tmp_path / "one.jsonl") as stream:
        assert verify_ledger(stream).report.exit == 0
    assert not list(tmp_path.glob("*.writing"))


@pytest.mark.parametrize(
    ("field", "code"),
    [("engine_hash", 20), ("freeze_hash", 20), ("dataset_hash", 21), ("config_hash", 26), ("seeds_hash", 26)],
)
def test_a_ledger_is_bound_to_its_genesis(field: str, code: int, tmp_path: Path) -> None:
    """Opening with another engine, data set or plan is refused with the gate's code.  [audit 4.4]"""
    store(tmp_path).__exit__(None, None, None)

    refused(code, store, tmp_path, genesis(**{field: "0" * 64}))


def plan(from_us: int, config_hash: str, **fields: Any) -> dict[str, Any]:
    """Return a ``plan/1``: the plan that is in force from a time on."""
    rest = {"judging_hash": "b" * 64, "freeze_hash": genesis()["freeze_hash"], "amendment": "0001"}
    return {"schema": "plan/1", "from_us": from_us, "config_hash": config_hash, **rest, **fields}


def test_a_ledger_is_opened_with_its_last_plan(tmp_path: Path) -> None:
    """Once a plan is on record, it and its freeze are what opens; engine and data stay those of the genesis."""
    first, second = "1" * 64, "2" * 64
    with store(tmp_path) as ledger:
        name = ledger.ledger_id
        ledger.append("plan", [plan(NOON, first)])
        ledger.append("signal", [signal(0)])
        ledger.append("plan", [plan(NOON + 9, second, freeze_hash="9" * 64)])
    refused(26, store, tmp_path, genesis(config_hash=first, freeze_hash="9" * 64))
    refused(20, store, tmp_path, genesis(config_hash=second))
    refused(26, store, tmp_path, genesis(freeze_hash="9" * 64))
    refused(20, store, tmp_path, genesis(config_hash=second, freeze_hash="9" * 64, engine_hash="0" * 64))
    with store(tmp_path, genesis(config_hash=second, freeze_hash="9" * 64)) as again:
        assert again.ledger_id == name
        again.append("plan", [plan(NOON + 9, second, freeze_hash="9" * 64)])  # a replay
        assert again.tail().seq == 3


def test_a_plan_belongs_into_a_ledger_of_signals(tmp_path: Path) -> None:
    """Outcomes and looks know no plan; another plan from the same time is a conflict."""
    outcomes = genesis(ledger_kind="resolution", emit_ledger_id=None)
    with store(tmp_path / "r", outcomes) as ledger, pytest.raises(UsageError, match="plan"):
        ledger.append("plan", [plan(NOON, "1" * 64)])
    with store(tmp_path / "e") as ledger:
        ledger.append("plan", [plan(NOON, "1" * 64)])
        refused(40, ledger.append, "plan", [plan(NOON, "2" * 64)])
        refused(10, ledger.append, "plan", [plan(NOON + 1, "short")])
        refused(12, ledger.append, "plan", [plan(NOON - 1, "2" * 64)])
        assert ledger.tail().seq == 1


def test_a_live_ledger_may_be_reopened_at_another_time(tmp_path: Path) -> None:
    """``opened_at_us`` says when the ledger was begun and binds nobody who comes later."""
    with store(tmp_path, live()) as first:
        name = first.ledger_id

    with store(tmp_path, {**live(), "opened_at_us": NOON + 99}) as again:
        assert name == again.ledger_id


def test_live_rows_carry_the_callers_time_which_never_falls(tmp_path: Path) -> None:
    """A clock that was set back gives the time of the row before; in backtest mode there is no time at all."""
    with store(tmp_path, live()) as live_store:
        live_store.append("signal", [signal(0)], recorded_at_us=NOON + 10)
        live_store.append("signal", [signal(1)], recorded_at_us=NOON + 5)
        refused(2, live_store.append, "signal", [signal(2)])
        rows = exported(live_store).splitlines()
    assert (
        rows[1].count(b'"recorded_at_us":%d' % (NOON + 10)) == rows[2].count(b'"recorded_at_us":%d' % (NOON + 10)) == 1
    )

    (tmp_path / "past").mkdir()
    with store(tmp_path / "past") as past:
        refused(2, past.append, "signal", [signal(0)], recorded_at_us=NOON)


def test_a_malformed_or_misnamed_record_never_gets_in(tmp_path: Path) -> None:
    """Tables (10) and derived ids (13) are checked before the lock is taken; other kinds are refused (2)."""
    with store(tmp_path) as live_store:
        before = exported(live_store)
        refused(10, live_store.append, "signal", [signal(0), {**signal(1), "note": 1}])
        refused(13, live_store.append, "signal", [signal(0), {**signal(1), "signal_id": signal(2)["signal_id"]}])
        refused(2, live_store.append, "look", [look("open")])
        assert before == exported(live_store)


def test_a_resolution_names_the_row_of_its_signal(tmp_path: Path) -> None:
    """An unknown signal, another row hash, and a revision without its predecessor are code 15, nothing written."""
    with store(tmp_path) as emit:
        emit.append("signal", signals(3))
        rows = emit.row_hashes([s["signal_id"] for s in signals(4)])
        name = emit.ledger_id
    assert len(rows) == 3
    (tmp_path / "r").mkdir()
    with store(tmp_path / "r", genesis(ledger_kind="resolution", emit_ledger_id=name)) as out:
        good = resolution(signal(0), rows[signal(0)["signal_id"]])
        refused(15, out.append, "resolution", [good])
        refused(15, out.append, "resolution", [resolution(signal(1), "a" * 64)], signals=rows)
        refused(15, out.append, "resolution", [resolution(signal(3), "a" * 64)], signals=rows)
        out.append("resolution", [good], signals=rows)
        first = out.row_hashes([good["resolution_id"]])[good["resolution_id"]]
        refused(15, out.append, "resolution", [{**good, **_revision(1, "b" * 64)}], signals=rows)
        out.append("resolution", [{**good, **_revision(1, first)}], signals=rows)
        assert out.tail().seq == 2


def _revision(n: int, supersedes: str) -> dict[str, Any]:
    again = resolution(signal(0), "a" * 64, n, supersedes)
    return {key: again[key] for key in ("resolution_id", "revision", "supersedes")}


def test_nothing_follows_a_seal_but_replays(tmp_path: Path) -> None:
    """A sealed ledger takes no new row (12); what is on record may still be emitted again."""
    with store(tmp_path) as live_store:
        live_store.append("signal", signals(2))
        live_store.append("seal", [{"schema": "seal/1", "reason": "closed"}])
        refused(12, live_store.append, "signal", [signal(2)])
        assert live_store.append("signal", signals(2)).size == 4


def test_an_old_backup_is_refused_and_a_mark_left_behind_by_a_crash_moves_on(tmp_path: Path) -> None:
    """A ledger behind its mark is code 41 and untouched; a mark behind its ledger is advanced.  [audit 6.3]"""
    with store(tmp_path) as live_store:
        live_store.append("signal", signals(2))
        mark = (tmp_path / "marks" / "highwater.json").read_bytes()
    shutil.copyfile(tmp_path / "ledger.db", tmp_path / "backup.db")
    with store(tmp_path) as live_store:
        live_store.append("signal", signals(4))
        (tmp_path / "marks" / "highwater.json").write_bytes(mark)
        live_store.append("signal", signals(5))
    newest = read_mark(tmp_path / "marks" / "highwater.json")
    assert newest is not None
    assert newest.seq == 5

    for left in tmp_path.glob("ledger.db*"):
        left.unlink()
    shutil.copyfile(tmp_path / "backup.db", tmp_path / "ledger.db")
    with store(tmp_path) as restored:
        refused(41, restored.append, "signal", [signal(9)])
        assert restored.tail().seq == 2

    (tmp_path / "ledger.db").unlink()
    refused(41, store, tmp_path)


def test_another_history_under_the_mark_is_refused(tmp_path: Path) -> None:
    """A ledger as long as its mark, with another row there, is code 41."""
    with store(tmp_path) as live_store:
        live_store.append("signal", [signal(0), signal(1)])
    for left in tmp_path.glob("ledger.db*"):
        left.unlink()
    mark = tmp_path / "marks" / "highwater.json"
    kept = mark.read_bytes()
    mark.unlink()
    with store(tmp_path) as other:
        other.append("signal", [signal(3), signal(4)])
        mark.write_bytes(kept)
        refused(41, other.append, "signal", [signal(5)])


def test_the_mark_lies_elsewhere_and_is_a_mark(tmp_path: Path) -> None:
    """The same folder is a usage error (2): one restored backup would bring both; another text there is code 3."""
    refused(2, open_store, tmp_path / "l.db", genesis(), tmp_path / "highwater.json")
    (tmp_path / "marks").mkdir()
    for other in ("{}", " " * 2_000_000):
        (tmp_path / "marks" / "highwater.json").write_text(other)
        refused(3, store, tmp_path)


def test_a_held_lock_is_waited_for_and_then_refused(tmp_path: Path) -> None:
    """Another writer inside its transaction makes an append fail with 42, and nothing is written."""
    with store(tmp_path, lock_wait_ms=50) as live_store:
        other = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        refused(42, live_store.append, "signal", [signal(0)])
        other.execute("ROLLBACK")
        other.close()
        assert live_store.append("signal", [signal(0)]).size == 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger SET content_hash=content_hash",
        "DELETE FROM ledger WHERE seq=1",
        "INSERT INTO ledger SELECT 5,'x',content_hash,prev_hash,'{a}',row FROM ledger WHERE seq=1",
        "INSERT INTO ledger SELECT 3,'x',content_hash,prev_hash,'{a}',row FROM ledger WHERE seq=1",
        "INSERT OR REPLACE INTO ledger SELECT 3,id,content_hash,(SELECT row_hash FROM ledger WHERE seq=2),'{a}',row "
        "FROM ledger WHERE seq=1",
    ],
)
@pytest.mark.parametrize("recursive", ["ON", "OFF"])
def test_the_tables_triggers_stop_accidents(statement: str, recursive: str, tmp_path: Path) -> None:
    """Updates, deletes, gaps, wrong links and REPLACE of a used id abort, with either setting of recursive triggers."""
    with store(tmp_path) as live_store:
        live_store.append("signal", signals(2))
        before = exported(live_store)
        raw = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
        raw.execute(f"PRAGMA recursive_triggers={recursive}")
        with pytest.raises(sqlite3.IntegrityError, match=r"append-only|chain-or-duplicate"):
            raw.execute(statement.replace("{a}", "a" * 64))
        raw.close()
        assert before == exported(live_store)


def test_settings_are_those_that_survive_a_power_loss(tmp_path: Path) -> None:
    """WAL, FULL, recursive triggers, foreign keys, untrusted schema, and the waiting time are in force."""
    with store(tmp_path) as live_store:
        value = lambda name: live_store._db.execute(f"PRAGMA {name}").fetchone()[0]  # noqa: E731
        assert [
            value(name)
            for name in (
                "journal_mode",
                "synchronous",
                "recursive_triggers",
                "foreign_keys",
                "trusted_schema",
                "busy_timeout",
                "wal_autocheckpoint",
            )
        ] == ["wal", 2, 1, 1, 0, 30_000, 8000]


def test_a_schema_that_is_no_text_is_no_ledger(tmp_path: Path) -> None:
    """SQLite quotes the damaged schema in its message, which then cannot be decoded: code 3, found by the driver."""
    with store(tmp_path):
        pass
    path = tmp_path / "ledger.db"
    body = path.read_bytes()
    assert b"id TEXT NOT NULL" in body
    path.write_bytes(body.replace(b"id TEXT NOT NULL", b"id TEXT N\x80T NULL"))
    with pytest.raises(MissingError, match="expected a ledger database"):
        store(tmp_path)


@pytest.mark.parametrize(
    "damage", ["row=CAST(REPLACE(CAST(row AS TEXT),'ETH','BTC') AS BLOB)", "row_hash=REPLACE(row_hash,'a','b')"]
)
def test_a_damaged_tail_and_a_foreign_database_are_refused(damage: str, tmp_path: Path) -> None:
    """A tail whose bytes do not hash to its hash is code 11, also right after its append; another schema or file 3."""
    with store(tmp_path) as live_store:
        live_store.append("signal", signals(2))
        raw = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
        (stored,) = raw.execute("SELECT sql FROM sqlite_master WHERE name='no_update'").fetchone()
        raw.execute("DROP TRIGGER no_update")
        raw.execute(f"UPDATE ledger SET {damage} WHERE seq=2")
        refused(11, live_store.append, "signal", [signal(5)])
        refused(11, exported, live_store)
        raw.close()
    refused(3, store, tmp_path)
    assert "append-only" in stored

    (tmp_path / "junk").mkdir()
    (tmp_path / "junk" / "ledger.db").write_bytes(b"not a database, but long enough to be read as one" * 100)
    refused(3, store, tmp_path / "junk")


@pytest.mark.parametrize("at", [1, 2])
@pytest.mark.parametrize("held", ["5", "NULL", "'{}'", "1.5"])
def test_a_row_that_is_no_bytes_is_malformed(tmp_path: Path, at: int, held: str) -> None:
    """A damaged page may hold any type in a strict table: code 10 for reader and writer, found by the driver."""
    with store(tmp_path) as live_store:
        live_store.append("signal", signals(2))
        for statements in (
            (
                "PRAGMA writable_schema=ON",
                "UPDATE sqlite_master SET sql=REPLACE(REPLACE(sql,' STRICT',''),'BLOB NOT NULL','BLOB')",
            ),
            ("DROP TRIGGER no_update", f"UPDATE ledger SET row={held} WHERE seq={at}"),
        ):
            raw = sqlite3.connect(tmp_path / "ledger.db", isolation_level=None)
            for statement in statements:
                raw.execute(statement)
            raw.close()
        refused(10, exported, live_store)
        if at == 2:
            refused(10, live_store.append, "signal", [signal(5)])
            refused(10, live_store.tail)
