"""What of the plants of a synthetic market a run found, against plain loops over its files."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from backtest.rundir.recovery import recovery
from reports.load import load
from reports.sections import funnel
from tests.helpers.small_run import Tiny

KEY = ("constraint", "underlying", "venue", "side", "short")


def found_by_loops(tiny: Tiny) -> dict[str, dict[str, list[str]]]:
    """Code -> names of plants: expected, found, thin, below; from the truth file and the folds' signals."""
    truth = pd.read_parquet(tiny.dataset.path / "truth.parquet")
    signals = pd.concat(
        [pd.read_parquet(path) for path in sorted(tiny.folder.glob("folds/[0-9]*/signals.parquet"))]
    ).to_dict("records")
    result: dict[str, dict[str, list[str]]] = {}
    for plant in truth.to_dict("records"):
        begins = tiny.run.plan.t0_ns <= plant["from_ns"] < tiny.run.plan.t1_ns
        if plant["side_effect"] or not begins:
            continue
        lists = result.setdefault(plant["constraint"], {"expected": [], "thin": [], "below": [], "found": []})
        kind = "thin" if not plant["fits"] else "expected" if plant["above_threshold"] else "below"
        lists[kind].append(plant["plant_id"])
        for signal in signals:
            if (
                all(signal[name] == plant[name] for name in KEY)
                and plant["from_ns"] <= signal["t_ns"] <= plant["to_ns"]
            ):
                lists["found"].append(plant["plant_id"])
                break
    return result


def test_counts_of_a_run_are_those_of_loops_over_its_files(tiny: Tiny) -> None:
    """Of every constraint, expected or not; the small run finds some of each."""
    stored = json.loads((tiny.folder / "recovery.json").read_text())["constraints"]
    slow, found = found_by_loops(tiny), 0
    assert set(slow) <= set(stored) == set(tiny.registration.params.rules)
    for code, of in stored.items():
        by_hand = slow.get(code, {"expected": [], "thin": [], "below": [], "found": []})
        assert of["planted"] == sum(len(by_hand[kind]) for kind in ("expected", "thin", "below"))
        assert of["expected"] == len(by_hand["expected"])
        assert of["missed"] == [plant for plant in by_hand["expected"] if plant not in by_hand["found"]]
        assert of["found"] == of["expected"] - len(of["missed"])
        for kind, name in (("below", "below"), ("untradable", "thin")):
            both = set(by_hand[name]) & set(by_hand["found"])
            assert of[kind] == {"planted": len(by_hand[name]), "found": len(both)}
        assert 0 <= of["elsewhere"] <= of["signals"]
        found += of["found"]
    assert found > 5
    assert sum(of["signals"] for of in stored.values()) == len(tiny.run.signals)


@pytest.mark.parametrize("change", [{"side": 0}, {"t_ns": 0}, {"underlying": "ETH"}, {"venue": "okx"}])
def test_a_signal_of_another_key_or_time_finds_nothing(tiny: Tiny, change: dict[str, Any]) -> None:
    """Every expected plant is missed, and the signals stand at none."""
    strange = replace(tiny.run, signals=tuple(replace(signal, **change) for signal in tiny.run.signals))
    counted = recovery(strange, tiny.dataset)
    assert counted is not None
    for of in counted["constraints"].values():
        assert of["found"] == 0
        assert len(of["missed"]) == of["expected"]
        if "side" not in change and "venue" not in change:
            assert of["elsewhere"] == of["signals"]


def test_an_expiry_that_the_truth_does_not_state_is_no_part_of_the_key(tiny: Tiny) -> None:
    """Four corners through options end with them; their plant has no expiry."""
    dated = replace(tiny.run, signals=tuple(replace(signal, expiry_ns=1) for signal in tiny.run.signals))
    assert recovery(dated, tiny.dataset) == recovery(tiny.run, tiny.dataset)


def test_data_without_a_planted_truth_have_no_recovery(tiny: Tiny) -> None:
    """Real data, and a synthetic set that is not the generator's."""
    bare = {path: entry for path, entry in tiny.dataset.files.items() if path != "truth.parquet"}
    assert recovery(tiny.run, replace(tiny.dataset, files=bare)) is None
    assert recovery(tiny.run, replace(tiny.dataset, synthetic=False)) is None


def test_the_page_shows_it_with_file_and_field(tiny: Tiny) -> None:
    """Page and twin have the row of each constraint, and the plants that were missed; without the file nothing."""
    stored = json.loads((tiny.folder / "recovery.json").read_text())["constraints"]
    twin, page = ((tiny.folder / name).read_text() for name in ("report.md", "report.html"))
    caption = "(file recovery.json, field constraints)"
    assert caption in twin
    assert caption in page
    rows = twin[twin.index(caption) :].splitlines()
    for code, of in stored.items():
        (row,) = [line for line in rows[:20] if line.startswith(f"| {code} |")]
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[2:6] == [str(of["planted"]), str(of["expected"]), str(of["found"]), str(len(of["missed"]))]
        assert cells[6:8] == [f"{of[kind]['found']} of {of[kind]['planted']}" for kind in ("below", "untradable")]
        assert all(plant in twin for plant in of["missed"])


def test_a_run_without_the_file_has_no_such_table(tiny: Tiny, tmp_path: Any) -> None:
    """A run on real data, or one from before."""
    elsewhere = replace(load(tiny.folder), path=tmp_path)
    assert not any("recovery.json" in str(block) for block in funnel.build(elsewhere))
