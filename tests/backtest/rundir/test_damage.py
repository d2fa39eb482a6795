"""A damaged run directory: the commands that read it name what differs, and call nothing a defect.  [interface]"""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.helpers.cli import RunCommand, refused
from tests.helpers.small_run import Tiny


def test_damage_is_named_with_its_code(tiny: Tiny, tmp_path: Path, run_command: RunCommand) -> None:
    """A file of another form is 3 or 4, never a defect: see `backtest.rundir.damage`."""
    run = tmp_path / tiny.folder.name
    shutil.copytree(tiny.folder, run)
    for name, body in DAMAGE:
        whole = (run / name).read_bytes()
        (run / name).write_bytes(body)
        for command in ("report", "judge"):
            if (name, command) not in NOT_READ:
                done = run_command(command, run, "--quiet")
                assert done.code in (3, 4), (command, name, done.err)
                refused(done, done.code, name.rpartition("/")[2])
        (run / name).write_bytes(whole)


DAMAGE = (
    ("manifest.json", b"[]"), ("manifest.json", b"{}"), ("funnel.json", b"7"), ("verdicts.json", b'{"run": null}'),
    ("coverage_days.json", b"null"), ("quality.json", b'"x"'), ("folds.json", b"{}"), ("returns.parquet", b""),
)  # fmt: skip
NOT_READ = {(name, "judge") for name in ("verdicts.json", "coverage_days.json", "quality.json", "folds.json")}
