"""Coverage-guided fuzzing of every reader of a file from outside.  A command of its own, no test.

    python tests/fuzz/drive.py --minutes 20                    all readers in turn
    python tests/fuzz/drive.py --minutes 5 --reader journal    one of them; repeatable
    python tests/fuzz/drive.py --minutes 20 --save             keep the smallest inputs that reach new lines in corpus/

An input that makes lines of ours follow one another in a new way is kept and damaged further.  What no reader may do
(see `tests.fuzz.guard`) is printed and written to --out; then the exit code is 1.  Ctrl-C ends a drive early.

Every drive takes the readers with a planted fault (`tests.fuzz.plants`) along, from their whole files and without a
corpus.  That nothing was found elsewhere is believed only if all of them were: else the exit code is 3.
"""

from __future__ import annotations

import argparse
import base64
import faulthandler
import json
import platform
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
sys.dont_write_bytecode = True

import matplotlib

from tests.fuzz.coverage import Coverage, Edge
from tests.fuzz.guard import tried
from tests.fuzz.mutate import digest, mutated
from tests.fuzz.plants import PLANTS
from tests.fuzz.readers import Reader, of_a_run, planted, small

CORPUS = Path(__file__).resolve().parent / "corpus"
TURN_S = 1.0
MOST_KEPT_BYTES = 2_000
"""An input longer than this is used in a drive and not kept in the repository."""
MOST_KEPT = 12
PLANTED = "planted, "
"""How the name of a reader with a fault on purpose begins."""


class Drive:
    """One reader, what was found to lead somewhere, and what must not have happened."""

    def __init__(self, reader: Reader, seed: int) -> None:
        self.reader = reader
        self.chance = Random(f"{seed}/{reader.name}")
        self.inputs: list[bytes] = []
        self.edges: set[Edge] = set()
        self.new: list[frozenset[Edge]] = []
        self.findings: dict[str, tuple[bytes, str, int, float]] = {}
        self.count = 0
        self.cpu_s = 0.0
        self._coverage = Coverage()

    def start(self) -> None:
        """Read the whole files and the corpus."""
        for body in (*self.reader.whole, *kept(self.reader.name)):
            self.one(body)

    def turn(self, seconds: float) -> None:
        """Damage and read for ``seconds`` of CPU time."""
        end = time.process_time() + seconds
        while time.process_time() < end:
            body = self.chance.choice(self.inputs[-50:] if self.chance.random() < 0.3 else self.inputs)
            self.one(mutated(body, self.reader.shape, self.chance, self.inputs))

    def one(self, body: bytes) -> None:
        """Read one input; keep it where it led somewhere new."""
        begun = time.process_time()
        with folder() as place, self._coverage as seen:
            said = tried(lambda: self.reader.read(body, place), place)
        self.count += 1
        self.cpu_s += time.process_time() - begun
        fresh = frozenset(seen.edges - self.edges)
        if fresh or not self.inputs:
            self.edges |= fresh
            self.inputs.append(body)
            self.new.append(fresh)
        if said is not None:
            self.findings.setdefault(_kind(said), (body, said, self.count, self.cpu_s))

    def smallest(self) -> list[bytes]:
        """Return inputs short enough to keep, those that brought most first."""
        order = sorted(range(len(self.inputs)), key=lambda n: -len(self.new[n]))
        bodies = [self.inputs[n] for n in order if len(self.inputs[n]) <= MOST_KEPT_BYTES]
        known = set(self.reader.whole)
        return [body for body in bodies if body not in known][:MOST_KEPT]


def kept(name: str) -> list[bytes]:
    """Return the inputs of the corpus for one reader."""
    path = CORPUS / f"{name.replace(' ', '_')}.json"
    return [base64.b64decode(text) for text in json.loads(path.read_text())] if path.exists() else []


def keep(name: str, bodies: Sequence[bytes]) -> None:
    """Write the corpus of one reader; nothing where there is nothing short enough."""
    if not bodies:
        return
    CORPUS.mkdir(exist_ok=True)
    lines = ",\n".join(
        json.dumps(base64.b64encode(body).decode()) for body in sorted(bodies, key=lambda b: (len(b), b))
    )
    (CORPUS / f"{name.replace(' ', '_')}.json").write_text(f"[\n{lines}\n]\n")


@contextmanager
def folder() -> Iterator[Path]:
    """Yield an empty folder that holds the temporary files of the reading, too."""
    with tempfile.TemporaryDirectory(prefix="cme-fuzz-") as home:
        place, before = Path(home) / "place", tempfile.tempdir
        place.mkdir()
        tempfile.tempdir = str(place)
        try:
            yield place
        finally:
            tempfile.tempdir = before


def _kind(said: str) -> str:
    """Return what makes two findings the same: the error and where it came from."""
    lines = [line.strip() for line in said.splitlines()]
    places = [line for line in lines if line.startswith("File ")]
    return lines[0].split("(")[0] + (places[-1] if places else "")


def main(arguments: Sequence[str] | None = None) -> int:
    """Drive the readers and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1.0, help="of CPU time, for all readers together")
    parser.add_argument("--reader", action="append", help="only this one; repeatable")
    parser.add_argument("--run", type=Path, help="a finished run directory; its files and its bundle are damaged too")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", action="store_true", help="write the corpus of this repository anew")
    parser.add_argument("--out", type=Path, help="folder for inputs that must not have done what they did")
    given = parser.parse_args(arguments)
    faulthandler.enable()
    platform.processor(), matplotlib.get_configdir(), matplotlib.get_cachedir()  # done once a process, by no reader
    readers = (*small(), *(of_a_run(given.run) if given.run else ()))
    chosen = [one for one in readers if not given.reader or one.name in given.reader]
    if not chosen:
        parser.error(f"--reader: expected one of {[one.name for one in readers]}")
    drives = [Drive(one, given.seed) for one in (*chosen, *planted())]
    out = given.out or Path(tempfile.mkdtemp(prefix="cme-fuzz-out-"))
    with suppress(KeyboardInterrupt):  # what was found until then counts
        for one in drives:
            one.start()
        end = time.process_time() + 60 * given.minutes
        while time.process_time() < end:
            for one in sorted(drives, key=lambda drive: drive.cpu_s):
                if time.process_time() < end:
                    one.turn(TURN_S)
    return concluded(drives, out, given.save)


def concluded(drives: Sequence[Drive], out: Path, save: bool) -> int:
    """Print the table and the findings, write what is to be kept, and return the exit code."""
    print(f"{'reader':38}{'inputs':>10}{'CPU s':>8}{'edges':>8}{'kept':>6}{'findings':>10}")
    for one in drives:
        print(
            f"{one.reader.name:38}{one.count:>10,}{one.cpu_s:>8.0f}{len(one.edges):>8,}{len(one.inputs):>6}"
            f"{len(one.findings):>10}"
        )
        if save and not one.reader.name.startswith(("run, ", "bundle", PLANTED)):
            keep(one.reader.name, one.smallest())
    out.mkdir(parents=True, exist_ok=True)
    real = [one for one in drives if not one.reader.name.startswith(PLANTED)]
    for one in real:
        for body, said, count, cpu_s in one.findings.values():
            path = out / f"{one.reader.name.replace(' ', '_').replace('/', '_')}-{digest(body)}"
            path.write_bytes(body)
            print(f"\n{one.reader.name}, input {count:,}, after {cpu_s:.1f} CPU s: {said}\n  input: {path}")
    found = sum(len(one.findings) for one in real)
    inputs, cpu_s = sum(one.count for one in real), sum(one.cpu_s for one in real)
    print(f"\n{inputs:,} inputs on {len(real)} readers in {cpu_s:.0f} CPU s, {found} findings")
    all_found = planted_found(drives)
    return 1 if found else 0 if all_found else 3


def planted_found(drives: Sequence[Drive]) -> bool:
    """Print which planted faults were found, by their line, after how many inputs; return whether all were."""
    by_name = {one.reader.name: one for one in drives}
    lines = []
    for plant in PLANTS:
        one = by_name[PLANTED + plant.reader]
        hits = [each for each in one.findings.values() if plant.place in each[1]]
        first = min(hits, key=lambda each: each[2], default=None)
        if first is not None:
            lines.append(
                f"  {plant.reader}: input {first[2]:,}, after {first[3]:.1f} CPU s: {first[1].splitlines()[0]}"
            )
    taken = [by_name[PLANTED + plant.reader] for plant in PLANTS]
    count, cpu_s = sum(one.count for one in taken), sum(one.cpu_s for one in taken)
    print(
        f"planted faults: found {len(lines)} of {len(PLANTS)} in {count:,} inputs, {cpu_s:.0f} CPU s", *lines, sep="\n"
    )
    if len(lines) < len(PLANTS):
        print("  a drive that misses a planted fault says nothing about the others: drive longer")
    return len(lines) == len(PLANTS)


if __name__ == "__main__":
    sys.exit(main())
