"""Write docs/environments.md: one small registered study, one digest in every environment.  [audit 10.3, 15.3]

``python benchmarks/environments.py`` runs the study once a variation, each in a process of its own, and writes the
table; ``--one CONFIG FOLDER WORKERS`` is such a process.  Beside the digest stand statistics of the kinds that the
exact tier forbids: the test could fail, because they do differ.  Exits 32 where the digests differ, or nothing does.

``--pythons`` writes the rows by version of Python alone.  The interpreter of a version is the one that
``CME_PYTHON_3_12`` names, which has requirements.lock installed; else ``python3.12`` on the path, for which a new
environment is made.  A version without an interpreter reads `not run` and counts as not tested.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
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
PYTHONS = ("3.11", "3.12", "3.13")
HEADING = "## Python"
NOT_RUN = "not run"


def interpreter(version: str, place: Path) -> Path | None:
    """Return an interpreter of ``version`` with requirements.lock installed; None where the machine has none.

    One found on the path gets a new environment below ``place``, installed with hashes.
    """
    if version == ".".join(map(str, sys.version_info[:2])):
        return Path(sys.executable)
    named = os.environ.get(f"CME_PYTHON_{version.replace('.', '_')}")
    if named:
        return Path(named)
    found = shutil.which(f"python{version}")
    # a launcher of that name may stand for a version that is not installed
    if found is None or subprocess.run([found, "--version"], capture_output=True, check=False).returncode:
        return None
    made = place / f"python{version}"
    subprocess.run([found, "-m", "venv", str(made)], check=True)
    install = ["-m", "pip", "install", "-q", "--require-hashes", "-r", str(ROOT / "requirements.lock")]
    subprocess.run([str(made / "bin" / "python"), *install], check=True)
    return made / "bin" / "python"


def by_python(place: Path) -> dict[str, dict[str, Any] | None]:
    """Return what came out under each version of Python, None where it was not run."""
    from tests.helpers.small_run import write_config

    config, found = write_config(place), {}
    for version in PYTHONS:
        python = interpreter(version, place)
        folder = place / f"run{version}"
        folder.mkdir()
        found[version] = None if python is None else _asked(version, python, config, folder, 1, os.environ, ROOT)
    return found


def python_section(found: Mapping[str, Mapping[str, Any] | None]) -> str:
    """Return the part of the page on versions of Python, from its heading on."""
    lines = [
        HEADING,
        "",
        "Written by `python benchmarks/environments.py --pythons`. The same study under each version, each with",
        "requirements.lock installed with hashes. A version that reads `not run` is not tested.",
        "",
        "| Python | digest | ledgers |",
        "|---|---|---|",
    ]
    for version, row in found.items():
        shown = f"| {version} | {NOT_RUN} | – |" if row is None else f"| {row['python']} | {_hashes(row)} |"
        lines.append(shown)
    ran = {version: row for version, row in found.items() if row is not None}
    lines += ["", f"Versions: {len(ran)}. Digests: {len(digests(ran))}."]
    return "\n".join(lines) + "\n"


def _hashes(row: Mapping[str, Any]) -> str:
    return f"`{row['digest'][:16]}` | `{row['emit'][:8]}` `{row['resolution'][:8]}` `{row['data'][:8]}`"


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
        "python": platform.python_version(),
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
        variables, cwd = environment_of(variation), folder if variation.elsewhere else ROOT
        python = Path(sys.executable)
        found[variation.name] = _asked(variation.name, python, config, folder, variation.workers, variables, cwd)
    return found


def _asked(
    name: str, python: Path, config: Path, folder: Path, workers: int, variables: Mapping[str, str], cwd: Path
) -> dict[str, Any]:
    """Return what a process of its own says of the study; end where it fails."""
    begun = time.monotonic()
    done = subprocess.run(
        [str(python), str(Path(__file__).resolve()), "--one", config, folder, str(workers)],
        env=variables,
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr[-2000:]}")
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1]) | {"seconds": time.monotonic() - begun}
    print(f"{name:28} {row['digest']}", file=sys.stderr)
    return row


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
        control = " | ".join(f"`{row['control'][n][:8]}`" for n in names)
        lines.append(f"| {name} | {_hashes(row)} | {control} |")
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
    parser.add_argument("--pythons", action="store_true", help="Write the rows by version of Python alone.")
    given = parser.parse_args(arguments)
    if given.one:
        print(json.dumps(one(Path(given.one[0]), Path(given.one[1]), int(given.one[2]))))
        return 0
    with tempfile.TemporaryDirectory(prefix="cme-environments-") as place:
        pythons = by_python(Path(place))
        ran = {version: row for version, row in pythons.items() if row is not None}
        if given.pythons:
            matrix = PAGE.read_text(encoding="utf-8").partition(f"\n{HEADING}\n")[0].rstrip("\n") + "\n"
            PAGE.write_text(f"{matrix}\n{python_section(pythons)}", encoding="utf-8")
            return 0 if len(digests(ran)) == 1 else 32
        found = every(Path(place))
    PAGE.write_text(f"{page(found)}\n{python_section(pythons)}", encoding="utf-8")
    differ = any(len({row["control"][n] for row in found.values()}) > 1 for n in next(iter(found.values()))["control"])
    return 0 if len(digests({**found, **ran})) == 1 and differ else 32


if __name__ == "__main__":
    sys.exit(main())
