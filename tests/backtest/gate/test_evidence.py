"""A bundle's freeze, data seal and looks against its run: each name that differs has its code.  [audit 9, 11, 12]"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backtest.audit.bundle import layout
from backtest.audit.bundle.freeze_evidence import check_freeze, check_looks, files_beside, split
from backtest.audit.verify_ledger import TrustedInputs, trusted_inputs
from backtest.gate.checks import Situation
from backtest.gate.freeze import seal
from backtest.gate.looks import registry
from engine.errors import CmeError
from engine.ledger.format.canonical_json import canonical
from tests.backtest.gate import sandbox

DIGEST = "d" * 64
RUN = "rehearsal-1"


@pytest.fixture
def bundle(study: Situation, tmp_path: Path) -> Path:
    """The files of a bundle that hold a confirmatory run in place, and of the run what is compared with them."""
    (permit,) = study.permits()
    for event in ("open", "close"):
        ended = {"results_digest": DIGEST} if event == "close" else {}
        registry.record(
            study.looks, permit, event, sandbox.LEDGERS, sandbox.NOW_US, reason=f"results of {RUN}", **ended
        )
    folder, frozen = tmp_path / "bundle", study.frozen
    files = files_beside(study.place.freeze_path)
    files["registration.toml"] = study.place.registration.text.encode()
    files["digest.txt"] = f"{DIGEST}\n".encode()
    manifest = {
        "id": RUN, "study": frozen["study"], "analysis_id": permit.inputs.analysis_id,
        "freeze_hash": study.freeze_hash, "engine_hash": frozen["engine"]["tree_hash"],
        "config_hash": frozen["config"]["config_hash"], "seeds_hash": frozen["seeds"]["seeds_hash"],
        "dataset_hash": permit.inputs.dataset_hash, "lock_sha256": frozen["env"]["lock_sha256"],
        "ledgers": {kind: {**facts, "head": "0" * 64} for kind, facts in sandbox.LEDGERS.items()},
    }  # fmt: skip
    files["manifest.json"] = json.dumps(manifest).encode()
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def code(bundle: Path) -> int:
    """The first code of the two checks, with the checkpoints that are in the bundle; 0 where both hold."""
    try:
        check_freeze(bundle, bundle)
        mine, _ = split(bundle / layout.LOOKS, trusted_inputs(sorted(bundle.glob("checkpoints/*/*.ckpt")), (), None))
        check_looks(bundle / layout.LOOKS, bundle, mine)
    except CmeError as error:
        return error.exit_code
    return 0


def stated(key: str, value: object) -> Callable[[Path], None]:
    def change(bundle: Path) -> None:
        manifest = json.loads((bundle / "manifest.json").read_text())
        (bundle / "manifest.json").write_text(json.dumps({**manifest, key: value}))

    return change


def frozen_again(part: str, key: str, value: str) -> Callable[[Path], None]:
    """Another freeze, whose hash the run is made to name: the forger has no look under it."""

    def change(bundle: Path) -> None:
        content: dict[str, Any] = json.loads((bundle / layout.FREEZE).read_text())
        content[part][key] = value
        (bundle / layout.FREEZE).write_text(json.dumps(content))
        stated("freeze_hash", seal.freeze_hash(content))(bundle)

    return change


def take(name: str) -> Callable[[Path], None]:
    return lambda bundle: (bundle / name).unlink()


def plan_comment(bundle: Path) -> None:
    with (bundle / "registration.toml").open("a") as stream:
        stream.write("# later\n")


def cut_looks(bundle: Path) -> None:
    path = bundle / layout.LOOKS
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


def cut_looks_and_checkpoints(bundle: Path) -> None:
    cut_looks(bundle)
    shutil.rmtree(bundle / "checkpoints")


def other_python(bundle: Path) -> None:
    path = bundle / layout.FREEZE
    path.write_text(path.read_text().replace('"python": "3', '"python": "4'))


def other_digest(bundle: Path) -> None:
    (bundle / "digest.txt").write_text("e" * 64 + "\n")


FAULTS: list[tuple[str, Callable[[Path], None], int]] = [
    ("no freeze", take(layout.FREEZE), 3),
    ("no looks", take(layout.LOOKS), 3),
    ("another freeze", other_python, 20),
    ("no freeze named", stated("freeze_hash", None), 20),
    ("another engine", frozen_again("engine", "tree_hash", "0" * 64), 20),
    ("another plan", frozen_again("config", "config_hash", "0" * 64), 26),
    ("other seeds", frozen_again("seeds", "seeds_hash", "0" * 64), 24),
    ("another lock", frozen_again("env", "lock_sha256", "0" * 64), 23),
    ("other data", frozen_again("data", "dataset_hash", "0" * 64), 21),
    ("another look's freeze", frozen_again("git", "commit", "0" * 40), 25),
    ("a comment in the plan", plan_comment, 26),
    ("another study", stated("study", "x"), 26),
    ("another run", stated("id", "rehearsal-2"), 25),
    ("another analysis", stated("analysis_id", "rehearsal/2030-01-01"), 25),
    ("another digest", other_digest, 30),
    ("other ledgers", stated("ledgers", {kind: {**f, "size": 2} for kind, f in sandbox.LEDGERS.items()}), 16),
    ("the close cut off", cut_looks, 16),
    ("the close cut off, and its checkpoints", cut_looks_and_checkpoints, 25),
]  # fmt: skip


def test_a_run_as_it_was_sealed_and_looked_at_holds(bundle: Path) -> None:
    """Freeze, looks ledger and its three checkpoints are in the bundle."""
    assert code(bundle) == 0
    assert len(list(bundle.glob("checkpoints/*/*.ckpt"))) == 3


@pytest.mark.parametrize(("what", "fault", "wanted"), FAULTS, ids=[name for name, _, _ in FAULTS])
def test_each_name_that_differs_has_its_code(
    bundle: Path, what: str, fault: Callable[[Path], None], wanted: int
) -> None:
    """Of freeze, plan, engine, seeds, lock, data, look, digest and ledgers."""
    fault(bundle)
    assert code(bundle) == wanted


def test_data_sealed_after_the_freeze_are_held_to_it(study: Situation, bundle: Path) -> None:
    """A freeze without data: data-seal.json names them and the freeze."""
    content = json.loads((bundle / layout.FREEZE).read_text())
    named, content["data"]["dataset_hash"] = content["data"]["dataset_hash"], None
    (bundle / layout.FREEZE).write_text(json.dumps(content))
    stated("freeze_hash", seal.freeze_hash(content))(bundle)
    data = {
        "schema": "data-seal/1", "freeze_hash": seal.freeze_hash(content), "dataset_hash": named, "path": "set",
        "sealed_at_us": 1,
    }  # fmt: skip

    def asked() -> int:
        with pytest.raises(CmeError) as caught:
            check_freeze(bundle, bundle)
        return caught.value.exit_code

    assert asked() == 21
    (bundle / layout.DATA_SEAL).write_bytes(canonical({**data, "dataset_hash": "0" * 64}))
    assert asked() == 21
    (bundle / layout.DATA_SEAL).write_bytes(canonical({**data, "freeze_hash": "0" * 64}))
    assert asked() == 21
    (bundle / layout.DATA_SEAL).write_bytes(canonical(data))
    check_freeze(bundle, bundle)


def test_what_is_brought_for_the_looks_is_asked_of_the_looks(bundle: Path) -> None:
    """A checkpoint and an anchor of the looks ledger leave the run's ledgers alone; of neither, they go to the run."""
    from engine.ledger.verification.anchors import Anchor

    checkpoints = trusted_inputs(sorted(bundle.glob("checkpoints/*/*.ckpt")), (), None).checkpoints
    name = next((bundle / "checkpoints").iterdir()).name
    mine = Anchor(name, 1, "a" * 64, "git_tag", "freeze/rehearsal", 1, None)
    other = Anchor("0" * 8 + "-0000-5000-8000-" + "0" * 12, 1, "a" * 64, "git_tag", "x", 1, None)

    of_looks, rest = split(bundle / layout.LOOKS, TrustedInputs(checkpoints, (), (mine,)))
    assert (of_looks.checkpoints, of_looks.anchors, rest.checkpoints, rest.anchors) == (checkpoints, (mine,), (), None)
    of_looks, rest = split(bundle / layout.LOOKS, TrustedInputs((), (), (mine, other)))
    assert (of_looks.anchors, rest.anchors) == ((mine,), (other,))
    with pytest.raises(CmeError) as caught:  # the anchored hash is not this ledger's
        check_looks(bundle / layout.LOOKS, bundle, of_looks)
    assert caught.value.exit_code == 18
