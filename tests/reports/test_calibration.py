"""What the certificate measured stands beside the verdict it belongs to, with whose code it certifies.  [S9.1, S10]"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from hypotheses.results_documents import readable
from hypotheses.sensitivity import certificate as sensitivity_certificate
from reports.base import Table, Text
from reports.load import sensitivities_of
from reports.sections import calibration
from tests.hypotheses.calibration.test_certificate import PLAN, content


def run_with(folder: Path, certificate: dict[str, Any] | None) -> Any:
    """A run directory that holds nothing but the part of the certificate."""
    part = sensitivity_certificate.beside(certificate, PLAN.study.content)
    section = {
        "name": "calibration", "title": "Measured error rates", "label": "sensitivity", "rule": "statistics 10",
        "tables": [readable(asdict(table)) for table in part.tables], "notes": list(part.notes),
    }  # fmt: skip
    (folder / "sensitivities.json").write_text(json.dumps({"parts": [section], "not_asked": []}))
    return SimpleNamespace(path=folder, sensitivities=sensitivities_of(folder))


def test_the_sentence_beside_a_verdict_names_rate_interval_markets_and_seal(tmp_path: Path) -> None:
    """H1 has an engine row; H3 has only one of series, which is not cited."""
    run = run_with(tmp_path, content())
    said = calibration.certificate_sentence(run, "H1")
    assert "4.5% [2.1%, 8.4%], 200 drawn markets through the whole engine" in said
    assert "of this engine, this judging code, these statistics" in said
    assert calibration.certificate_sentence(run, "H3") == ""


def test_a_certificate_of_another_engine_says_so_in_the_sentence(tmp_path: Path) -> None:
    """The reader of the verdict need not look further."""
    other = content(seals={**content()["seals"], "engine_hash": "0" * 64})
    assert "of another engine" in calibration.certificate_sentence(run_with(tmp_path, other), "H1")


def test_without_a_certificate_the_section_says_how_to_make_one(tmp_path: Path) -> None:
    """No table, no sentence; and a run that was never judged says that too."""
    blocks = calibration.build(run_with(tmp_path, None))
    assert not [block for block in blocks if isinstance(block, Table)]
    assert any(isinstance(block, Text) and "cme calibrate" in block.text for block in blocks)
    (tmp_path / "sensitivities.json").unlink()
    assert (
        calibration.certificate_sentence(SimpleNamespace(path=tmp_path, sensitivities=sensitivities_of(tmp_path)), "H1")
        == ""
    )
