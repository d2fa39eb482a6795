"""The data set a registration names: opened, or built or generated once and kept under the output folder.  [S1.8, S8.1]

A kept data set is found again by a key over everything it was made from: the registration, which it holds, the code
of `backtest.data`, the seeds' root, and name, size and modification time of every source file.  Its own hashes are
checked when it is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

from backtest.data.build.assemble import build
from backtest.data.build.synthesise import build_synthetic, spec_of
from backtest.data.format.dataset import Dataset, open_dataset
from backtest.environment import ROOT
from backtest.records import Registration
from backtest.registration.dates import require_dates
from backtest.seeds.streams import Seeds
from engine.errors import MissingError, UsageError
from engine.freeze import tree_hash
from engine.ledger.format.canonical_json import canonical, tagged_hash
from engine.units import NS_PER_DAY

DatasetProgress = Callable[[str, int, int | None], None]


def prepare_dataset(
    registration: Registration,
    data_root: Path | None,
    seeds: Seeds,
    out: Path,
    workers: int,
    progress: DatasetProgress | None,
) -> Dataset:
    """Return the data set of ``registration``, making it below ``out/data`` where it is not there yet.

    ``data_root`` holds the source files of a study.  Raises ``UsageError`` (2) where a study names none,
    ``MissingError`` (3) where the folder or a registered data set is not there, ``GateError`` (26) for a plan without
    dates, and whatever building raises.
    """
    require_dates(registration)
    data = registration.data
    if data.kind == "path":
        return open_dataset(_registered_path(registration, data_root))
    target = place_of_dataset(registration, data_root, seeds, out)
    if not (target / "manifest.json").is_file():
        if data.kind == "synthetic":
            spec = spec_of(data.synthetic, str(registration.path))
            build_synthetic(spec, seeds.generator, target, data.name, workers, progress, registration.text)
        else:
            root = _root(registration, data_root)
            build(
                data.sources,
                root,
                target,
                data.name,
                registration.params.grid_ns,
                data.grid_from,
                progress,
                registration_text=registration.text,
                window=window_of(registration),
                workers=workers,
            )
    return open_dataset(target)


def place_of_dataset(registration: Registration, data_root: Path | None, seeds: Seeds, out: Path) -> Path:
    """Return the folder in which the data set of ``registration`` is, or will be once it is made below ``out``.

    Raises ``UsageError`` (2) and ``MissingError`` (3) as `prepare_dataset` does.
    """
    if registration.data.kind == "path":
        return _registered_path(registration, data_root)
    return out / "data" / f"{registration.data.name}-{_key(registration, data_root, seeds)}"


def window_of(registration: Registration) -> tuple[int, int]:
    """Return the knowable times a study reads: from a day before its first history, carried in, to its last end.

    Raises ``GateError`` (26) for a plan whose windows have no dates yet.
    """
    require_dates(registration)
    first = min(plan.history_ns for plan in registration.windows)
    # A day more, because values are carried for one day.  [docs/decisions/0040]
    return (first // NS_PER_DAY - 1) * NS_PER_DAY, max(plan.t1_ns for plan in registration.windows)


def _root(registration: Registration, data_root: Path | None) -> Path:
    if data_root is None:
        raise UsageError(
            f"{registration.path}: expected the folder of its source files, was none: give --data DIR or set CME_DATA"
        )
    if not data_root.is_dir():
        raise MissingError(f"expected a folder of source files at {data_root}, found none: check --data or CME_DATA")
    return data_root


def _registered_path(registration: Registration, data_root: Path | None) -> Path:
    """Return the folder of a registered data set: relative to ``data_root`` where one is given."""
    return (data_root / registration.data.path) if data_root else Path(registration.data.path)


def _key(registration: Registration, data_root: Path | None, seeds: Seeds) -> str:
    """Return twelve hex characters that change with anything the data set is made from."""
    data = registration.data
    parts: dict[str, object] = {
        "registration": sha256(registration.text.encode("utf-8")).hexdigest(),
        # The adapters and builders decide the rows, this file which window they read.
        "code": tree_hash(ROOT / "backtest" / "data"),
        "recipe": sha256(Path(__file__).read_bytes()).hexdigest(),
    }
    if data.kind == "synthetic":
        parts["root"] = seeds.root_hex
    else:
        parts["files"] = list(_files(registration, _root(registration, data_root)))
    return tagged_hash("config", canonical(parts))[:12]


def _files(registration: Registration, root: Path) -> Iterator[list[object]]:
    for pattern in sorted({spec.path for spec in registration.data.sources}):
        for file in sorted(root.glob(pattern)):
            facts = file.stat()
            # Size and time instead of a hash, which would take as long as reading the sources.
            yield [file.relative_to(root).as_posix(), facts.st_size, str(facts.st_mtime_ns)]
