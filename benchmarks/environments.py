"""Write docs/environments.md: one small registered study, one digest in every environment.  [audit 10.3, 15.3]

``python benchmarks/environments.py`` runs the study once a variation, each in a process of its own, and writes the
table; ``--one CONFIG FOLDER WORKERS`` is such a process.  Beside the digest stand statistics of the kinds that the
exact tier forbids: the test could fail, because they do differ.  Exits 32 where the digests differ, or nothing does.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

PAGE = ROOT / "docs" / "environments.md"


def one(config: Path, folder: Path, workers: int) -> dict[str, Any]:
    """Run the study here and return its digests and the statistics that may differ."""
    from backtest.audit.bundle.variations import differing_statistics
    from tests.helpers.small_run import make

    made = make(config, folder, workers=workers)
    manifest = json.loads((made.folder / "manifest.json").read_text(encoding="utf-8"))
    return {
        "digest": (made.folder / "digest.txt").read_text(encoding="utf-8").strip(),
        "data": manifest["dataset_hash"],
        "emit": manifest["ledgers"]["emit"]["root"],
        "resolution": manifest["ledgers"]["resolution"]["root"],
        "signals": manifest["ledgers"]["emit"]["size"] - 1,
        "control": differing_statistics(),
    }


def every(place: Path) -> dict[str, dict[str, Any]]:
    """Return what came out under each variation."""
    from backtest.audit.bundle.variations import environment_of, variations
    from tests.helpers.small_run import write_config

    config, found = write_config(place), {}
    for at, variation in enumerate(variations()):
        folder = place / f"v{at}"
        folder.mkdir()
        begun = time.monotonic()
        done = subprocess.run(
            [sys.executable, str(Path(__file__).resolve()), "--one", config, folder, str(variation.workers)],
            env=environment_of(variation),
            cwd=folder if variation.elsewhere else ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(f"{variation.name}: {done.stderr[-2000:]}")
        found[variation.name] = json.loads(done.stdout.splitlines()[-1]) | {"seconds": time.monotonic() - begun}
        print(f"{variation.name:28} {found[variation.name]['digest']}", file=sys.stderr)
    return found


def page(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the text of docs/environments.md."""
    import numpy as np

    first = next(iter(found.values()))
    names = list(first["control"])
    lines = [
        "# One digest in every environment",
        "",
        "Written by `python benchmarks/environments.py`; do not edit. A small registered study (ten folds of a day,",
        f"{first['signals']} signals) from drawing its market to its verdicts, once in each environment of the matrix,",
        f"each in a process of its own. Python {platform.python_version()}, NumPy {np.__version__}, "
        f"{platform.machine()}, {' '.join(platform.libc_ver())}.",
        "",
        "`digest` is of the results document; `ledgers` of the two Merkle roots and the data set. The columns after",
        "them are statistics of the kinds that may not decide anything here: they are allowed to differ, and do.",
        "",
        f"| environment | digest | ledgers | {' | '.join(names)} |",
        f"|---|---|---|{'---|' * len(names)}",
    ]
    for name, row in found.items():
        ledgers = f"`{row['emit'][:8]}` `{row['resolution'][:8]}` `{row['data'][:8]}`"
        control = " | ".join(f"`{row['control'][n][:8]}`" for n in names)
        lines.append(f"| {name} | `{row['digest'][:16]}` | {ledgers} | {control} |")
    count = {n: len({row["control"][n] for row in found.values()}) for n in names}
    said = ", ".join(f"{n} {count[n]}" for n in names)
    lines += [
        "",
        f"Environments: {len(found)}. Digests: {len(digests(found))}. Different outcomes of the rest: {said}.",
    ]
    return "\n".join(lines) + "\n"


def digests(found: Mapping[str, Mapping[str, Any]]) -> set[tuple[str, ...]]:
    """Return the different exact outcomes: digest, both roots, data set."""
    return {tuple(str(row[key]) for key in ("digest", "emit", "resolution", "data")) for row in found.values()}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the matrix, or one of its processes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--one", nargs=3, metavar=("CONFIG", "FOLDER", "WORKERS"))
    given = parser.parse_args(arguments)
    if given.one:
        print(json.dumps(one(Path(given.one[0]), Path(given.one[1]), int(given.one[2]))))
        return 0
    with tempfile.TemporaryDirectory(prefix="cme-environments-") as place:
        found = every(Path(place))
    PAGE.write_text(page(found), encoding="utf-8")
    differ = any(len({row["control"][n] for row in found.values()}) > 1 for n in next(iter(found.values()))["control"])
    return 0 if len(digests(found)) == 1 and differ else 32


if __name__ == "__main__":
    sys.exit(main())
