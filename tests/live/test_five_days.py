"""Five days end to end by an injected clock: outage over midnight, amendment, two emitters, kills; then join and run.

[live L0.2, L0.5, L2, L4]
"""

from __future__ import annotations

import json
import threading
import tomllib
from contextlib import suppress
from pathlib import Path

import pytest

from backtest.live import emit as emit_module
from backtest.live import operate as operate_module
from backtest.live.day_chain import read_days
from backtest.live.emit_progress import read_progress
from backtest.live.operate import operate
from backtest.pipeline import emission as emission_module
from backtest.registration.load import load_registration
from engine.errors import AppendError, CmeError
from engine.units import NS_PER_DAY
from tests.helpers import five_days
from tests.helpers.cli import RunCommand
from tests.helpers.five_days import Study, amend, emitted, operation, rows, signals


class Killed(BaseException):
    """A kill: nothing of ours catches it."""


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The five days, emitted morning by morning, with kills on days 2, 3 and 4.

    After day 2 a fee as of day 4 is amended, which judges nothing; after day 3 when a rule re-arms, which does.
    """
    made = five_days.make(tmp_path_factory.mktemp("five"))
    emitted(made, 1)
    for stage in ("seal", "judge"):
        with pytest.raises(Killed):
            emitted(made, 2, killed_at(stage))
    emitted(made, 2)
    before = load_registration(made.plan)
    fees = tomllib.loads(before.text)["venues"][1]["fees"]
    dated = amend(made.plan, "venues[deribit].fees", fees, [*fees, {**fees[-1], "from": "2026-01-08"}])
    assert (dated.config_hash != before.config_hash, dated.judging_hash) == (True, before.judging_hash)
    killed_then_emitted(made, 3)
    amended = amend(made.plan, "exits.rearm_share", "0.5", "0.4")
    assert amended.judging_hash != before.judging_hash
    killed_then_emitted(made, 4)
    emitted(made, 5)
    return made


def killed_then_emitted(made: Study, days: int) -> None:
    """Emit the day after kills behind each step of the judging."""
    for name in ("append_plan", "publish", "set_judged"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(emit_module, name, killer(getattr(emit_module, name)))
            with suppress(Killed):
                emitted(made, days)
    emitted(made, days)


def killed_at(wanted: str) -> operate_module.OnStage:
    def stop(stage: str) -> None:
        if stage == wanted:
            raise Killed

    return stop


def killer(call: object) -> object:
    """The function does its work and the process dies at once."""

    def done(*arguments: object) -> None:
        call(*arguments)  # type: ignore[operator]
        raise Killed

    return done


def test_the_chain_has_the_five_days_and_the_outage_is_a_gap_of_two(study: Study) -> None:
    chain, _ = emitted(study, 5)
    assert [row["day"] for row in chain.rows] == [f"2026-01-0{day}" for day in range(5, 10)]
    midnight = (five_days.FIRST_DAY + 2) * NS_PER_DAY
    spans = {(gap["from_ns"], gap["to_ns"]) for row in chain.rows[1:3] for gap in chain.evidence(row)["gaps"]}
    assert sum(to_ns == midnight and from_ns <= five_days.OUT_NS[0] for from_ns, to_ns in spans) == 3  # one a venue
    assert [from_ns for from_ns, to_ns in spans if to_ns >= five_days.OUT_NS[1] and from_ns == midnight]
    assert "SETTLE hyperliquid:BTC-PERP 2026-01-06T23:00" in chain.evidence(chain.rows[1])["missing"]


def test_a_second_emission_appends_nothing(study: Study) -> None:
    ledgers = sorted(study.live.root.glob("ledgers/*/emit.jsonl"))
    before = [path.read_bytes() for path in ledgers]
    _, judged = emitted(study, 5)
    assert [(ledger.days, ledger.appended) for ledger in judged] == [((), 0)]
    assert [path.read_bytes() for path in ledgers] == before
    assert [path.parent.name for path in ledgers] == ["five", "five-history"]


def test_each_amended_plan_is_on_record_before_its_first_signal_and_moved_no_earlier_id(study: Study) -> None:
    """A fee as of day 4 is in no id of days 2 and 3; what judges otherwise is in the ids of day 4 alone."""
    known = rows(study)
    plans = [row["content"] for row in known if row["kind"] == "plan"]
    day_us = 86_400_000_000
    assert [(plan["amendment"], plan["from_us"] // day_us - five_days.FIRST_DAY) for plan in plans] == [
        ("0001", 2),
        ("0002", 3),
    ]
    first, last = plans[0]["judging_hash"], plans[1]["judging_hash"]
    assert first != last == load_registration(study.plan).judging_hash
    seen = first  # the plan of the genesis judged as the first amended one
    for row in known[1:]:
        if row["kind"] == "plan":
            seen = row["content"]["judging_hash"]
        else:
            assert row["content"]["provenance"]["engine"]["config_hash"] == seen
            assert row["content"]["result"]["ev_usd"] is None
    kinds = [row["kind"] for row in known]
    assert kinds[0] == "genesis"
    assert kinds.index("plan") > 1
    assert known[-1]["content"]["provenance"]["engine"]["config_hash"] == last


def test_two_emitters_at_once_leave_one_ledger(study: Study) -> None:
    outcomes: list[object] = []

    def work() -> None:
        try:
            outcomes.append(operate(operation(study, 5))[1][0].appended)
        except AppendError as error:
            outcomes.append(error.exit_code)

    threads = [threading.Thread(target=work) for _ in range(2)]
    with study.live.sole_writer():
        refused = threading.Thread(target=work)
        refused.start()
        refused.join()
    assert outcomes == [42]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(outcomes[1:]) <= {0, 42}
    assert len(set(signals(study))) == sum(row["kind"] == "signal" for row in rows(study))


def test_the_run_on_the_joined_days_is_what_was_emitted(study: Study, run_command: RunCommand, tmp_path: Path) -> None:
    """Join, run, verify, bundle, reproduce: at level 2 from the joined days, each day under its plan."""
    joined = tmp_path / "data" / "joined"
    done = run_command("data", "join", study.live.days, "--out", joined, "--registration", study.plan, "--quiet")
    assert done.code == 0, done.err
    call = ("--data", tmp_path / "data", "--out", tmp_path / "runs", "--workers", 1, "--quiet", "--json")
    done = run_command("run", study.plan, "--live", study.live.root, *call)
    assert done.code == 0, done.err
    folder = Path(json.loads(done.out)["runs"][0]["path"])
    lines = (folder / "ledger" / "emit.jsonl").read_text().splitlines()
    replayed = [json.loads(line)["row"]["content"] for line in lines][1:]
    assert {content["signal_id"] for content in replayed} == set(signals(study))
    assert len(json.loads((folder / "manifest.json").read_text())["emitted"]["plans"]) == 2  # those that judge
    compare_progress(study, folder)
    assert run_command("verify", folder, "--quiet").code == 0
    done = run_command("bundle", folder, "--out", tmp_path / "five.zip", "--quiet")
    assert done.code == 0, done.err
    again = ("--level", 2, "--data", joined, "--workers", 1, "--out", tmp_path / "again", "--quiet")
    done = run_command("reproduce", tmp_path / "five.zip", *again)
    assert done.code == 0, done.err


def compare_progress(study: Study, folder: Path) -> None:
    """Coverage as emitted is that of the run; what is shown beside the floors of H3 bounds what the run counts."""
    progress = read_progress(study.live.ledger("five"))
    assert progress is not None
    totals = json.loads((folder / "coverage_days.json").read_text())["totals"]
    assert any(judged for judged, _ in totals.values())
    for code, total in totals.items():
        cells = [day[code] for day in progress["days"].values() if code in day]
        assert [sum(cell[at] for cell in cells) for at in range(2)] == total
    counted = {row["code"]: row for row in json.loads((folder / "verdicts.json").read_text())["H3"]["constraints"]}
    assert sum(row["dislocations"] for row in counted.values())
    for code, emitted_of in progress["constraints"].items():
        assert counted[code]["dislocations"] <= emitted_of["dislocations"] <= emitted_of["signals"]
        assert counted[code]["active_days"] <= len(emitted_of["open_days"])


def test_a_blinded_run_equals_the_ledger_and_fits_no_threshold(
    study: Study, run_command: RunCommand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its thresholds are those of the emitted rows; counts are shown, no answer's file is left.  [live L0.7]"""

    def fitted(*_: object) -> float:
        raise AssertionError("a threshold was fitted on outcomes")

    monkeypatch.setattr(emission_module, "choose_z", fitted)
    joined, out = tmp_path / "data" / "joined", tmp_path / "runs"
    done = run_command("data", "join", study.live.days, "--out", joined, "--registration", study.plan, "--quiet")
    assert done.code == 0, done.err
    call = ("--data", tmp_path / "data", "--out", out, "--workers", 1, "--quiet", "--json", "--blinded")
    done = run_command("run", study.plan, "--live", study.live.root, *call)
    assert done.code == 0, done.err
    (document,) = json.loads(done.out)["blinded"]
    gaps = sum(row["gaps"] for row in read_days(study.live.days).rows[1:])  # the first day is history
    assert document["emitted"]["signals"] == document["counts"]["signals"] == len(signals(study))
    assert document["counts"] == {
        "days": 4, "days_without_data": 0, "gaps": gaps, "signals": len(signals(study)),
        "ledger_rows": len(rows(study)), "ledger_intact": True,
    }  # fmt: skip
    assert "id for id" in (Path(document["path"]) / "blinded.md").read_text()
    assert not [*out.rglob("verdicts.json"), *out.rglob("resolution.jsonl"), *out.rglob("returns.parquet")]


def test_a_run_on_restated_rows_is_refused_with_27(study: Study, run_command: RunCommand, tmp_path: Path) -> None:
    """Days whose rows were restated: missing, extra and different are named with day, constraint and cause."""
    restated = five_days.without(study.market, tmp_path / "data" / "joined", (0, 0), scale_day=five_days.FIRST_DAY + 3)
    assert restated.day_span == study.market.day_span
    call = ("--data", tmp_path / "data", "--out", tmp_path / "runs", "--workers", 1, "--quiet", "--json")
    done = run_command("run", study.plan, "--live", study.live.root, *call)
    assert done.code == 27, done.err
    document = json.loads((tmp_path / "runs" / "refused" / "five-2026-01-06.json").read_text())
    assert document["verdicts"] == dict.fromkeys(("H1", "H2", "H3"), "cannot tell (27)")
    assert document["counts"]["missing"] > 0
    assert {one["day"] for one in document["differences"]} == {"2026-01-08"}
    causes = [one["cause"] for one in document["differences"]]
    assert any("restated row" in cause for cause in causes), causes
    assert not list((tmp_path / "runs").glob("*/verdicts.json"))
    assert "cannot tell (27)" in (tmp_path / "runs" / "refused" / "five-2026-01-06.md").read_text()


def test_a_replay_with_other_ids_of_earlier_days_is_refused_with_both_sets(study: Study) -> None:
    path = study.live.ledger("five").export
    body = path.read_bytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(emit_module, "records_of", lambda *_, **__: [])
        with pytest.raises(CmeError) as error:
            emitted(study, 5)
    assert error.value.exit_code == 40
    assert next(iter(signals(study))) in str(error.value)
    assert path.read_bytes() == body


def test_what_is_due_is_resolved_once_and_the_status_shows_counts_alone(
    study: Study, run_command: RunCommand, tmp_path: Path
) -> None:
    call = (study.plan, "--live", study.live.root, "--quiet", "--json")
    done = run_command("resolve", *call, "--workers", 1)
    assert done.code == 0, done.err
    ledgers = {row["study"]: row for row in json.loads(done.out)["ledgers"]}
    assert 0 < ledgers["five"]["due"] == ledgers["five"]["appended"] <= ledgers["five"]["signals"]
    again = run_command("resolve", *call, "--workers", 1)
    assert [row["appended"] for row in json.loads(again.out)["ledgers"]] == [0, 0]
    ledger = study.live.ledger("five", "resolution").export
    verified = run_command("verify", ledger, "--emit-ledger", study.live.ledger("five").export, "--quiet")
    assert verified.code == 0, verified.out
    page, metrics = tmp_path / "status.html", tmp_path / "cme.prom"
    done = run_command("status", *call, "--out", tmp_path / "runs", "--html", page, "--metrics", metrics)
    document = json.loads(done.out)
    assert (document["days"]["sealed"], document["days"]["of"], document["faults"]) == (5, 5, [])
    assert {row["study"]: row["counts"].get("resolution") for row in document["ledgers"] if row["kind"] != "emit"}[
        "five"
    ] == ledgers["five"]["due"]
    assert "usd" not in done.out
    emitted_of = {row["code"]: row["floors"]["signals"] for row in document["constraints"]}
    assert sum(emitted_of.values()) == ledgers["five"]["signals"]
    (window,) = (row for row in document["funnel"] if row["study"] == "five")
    assert 0 < window["due"] <= window["resolved"] == ledgers["five"]["due"] <= window["emitted"] < window["examined"]
    assert [row["floors"]["reachable"] for row in document["constraints"]] == [False] * 7  # 20 days in a window of 4
    text = page.read_text()
    assert "No fault." in text
    assert "<script" not in text
    assert 'cme_days_sealed{study="five"} 5' in metrics.read_text()
    assert run_command("status", study.plan, "--live", study.live.root, "--check", "--quiet").code == 0
    missing = run_command("status", study.plan, "--live", tmp_path / "nothing", "--check", "--quiet")
    assert (missing.code, missing.out) == (3, "no day is sealed\n")
