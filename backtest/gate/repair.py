"""What a repair after a proven defect must show: its amendment, and a freeze that differs in the named files alone.

The amendment is the plan's last, changes no key and has a table ``defect``; seeds and the plan's text before it are
those of the first freeze, which a commit of this clone holds.  That the test fails before and passes after is shown by
whoever runs it at both commits; the gate names it in the registry and in every report.  [R12.3]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from typing import Any

from backtest.gate.freeze import git_checkout, git_history, seal, source_trees
from backtest.gate.freeze.seal import Place
from backtest.gate.looks.repairs import Defect
from backtest.gate.looks.rule import Look
from backtest.registration.load import whole_text
from engine.errors import CmeError, GateError


def defect_of(place: Place, look: str) -> Defect:
    """Return the defect that the plan's last amendment names for ``look``; ``GateError`` (26) if it names none."""
    amendments: Sequence[Mapping[str, Any]] = place.registration.content["amendments"]
    last = amendments[-1] if amendments else {}
    table = last.get("defect")
    if table is None or table["look"] != look or last["changes"]:
        raise GateError(
            f"{place.registration.path}: expected a last amendment with a table defect (look = {look!r}, commit, test, "
            f"files) and no changes, was {last.get('name', 'none')}: a repair changes no plan",
            exit_code=26,
        )
    return Defect(table["look"], table["commit"], table["test"], tuple(table["files"]))


def faults(place: Place, frozen: Mapping[str, Any], looks: Sequence[Look], name: str) -> Iterator[str]:
    """Yield how the freeze of a repair departs from the first one beyond the files that its amendment names."""
    defect = defect_of(place, name)
    first = _freeze_of(place, next(look.inputs.freeze_hash for look in looks if look.look_id == name))
    if first is None:
        yield f"expected the freeze of {name} in a commit of this clone, was none: git fetch --all"
        return
    earlier = len(place.registration.content["amendments"]) - 1
    text = sha256(whole_text(place.registration.path, earlier).encode()).hexdigest()
    if text != first["prereg"]["text_sha256"]:
        yield "expected the plan's text before the amendment as first frozen, was another: a repair changes no plan"
    if first["seeds"] != frozen["seeds"]:
        yield "expected the seeds of the first freeze, was others: a repair changes none"
    paths = (source_trees.ENGINE, *source_trees.ANALYSIS)
    changed = git_checkout.changed_files(place.root, first["git"]["commit"], frozen["git"]["commit"], paths)
    sealed = {path for path in changed if not path.startswith(f"{source_trees.RECORDER}/")}
    for path in sorted(sealed - {*defect.files}):
        yield f"expected {path} as first frozen, was changed and is not among the files of the defect"
    if defect.test.split("::")[0] not in defect.files:
        yield f"expected the test of the defect among its files, was {', '.join(defect.files)}"


def _freeze_of(place: Place, wanted: str) -> dict[str, Any] | None:
    for path, body in git_history.versions(place.root, seal.FREEZE_FILE):
        with suppress(CmeError):
            content = seal.freeze_of(path, body)
            if seal.freeze_hash(content) == wanted:
                return content
    return None
