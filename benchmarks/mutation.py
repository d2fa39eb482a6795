"""Mutation score of engine/venue: how many injected faults do its own tests catch?  [risk.md 15, 16]

    python benchmarks/mutation.py --sample 300 --seed 1 [--workers 1] [--out FILE] [--list]

Mutants are made by operator over every line (`benchmarks/mutants.py`); a seeded sample, stratified by file in
proportion to its mutants and at least one each, is run.  A file's tests are the files of tests/engine/venue that import
it, by themselves or by way of other modules of the family; they run quickest first, with ``-x``, in a process of their
own, under a timeout.  Each result is appended to FILE at once, and a run that is repeated goes on where it stopped;
what has changed, file or test, is measured anew.  Mutants that no input tells from the original are listed in
benchmarks/mutation_equivalent.tsv with the reason; they are left out of the score and printed.
"""

from __future__ import annotations

import argparse
import ast
import json
import math
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from hashlib import sha256
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.mutants import Mutant, mutants_of, mutated

ROOT = Path(__file__).resolve().parent.parent
FAMILY = "engine/venue"
TESTS = "tests/engine/venue"
EQUIVALENT = Path(__file__).with_name("mutation_equivalent.tsv")
LEAST_TIMEOUT_S, TIMES_BASELINE = 60.0, 5.0


def main() -> int:
    """Run the sample, print the score and the survivors one by one, and return 1 below 90%."""
    asked = _arguments()
    files = sorted(path for path in (ROOT / FAMILY).rglob("*.py") if path.name != "__init__.py")
    everything = {path.relative_to(ROOT).as_posix(): mutants_of(path, ROOT) for path in files}
    sample = stratified(everything, asked.sample, asked.seed)
    if asked.first:
        sample = sample[:: max(1, len(sample) // asked.first)][: asked.first]
    print(f"{sum(map(len, everything.values())):,} mutants in {len(files)} files; {len(sample)} in the sample")
    if asked.list:
        for mutant in sample:
            print(_line(mutant))
        return 0
    done = _stored(asked.out)
    waiting = [mutant for mutant in sample if _key(mutant) not in done]
    with asked.out.open("a", encoding="utf-8") as log:
        for number, (mutant, outcome) in enumerate(run_all(waiting, asked.workers), 1):
            done[_key(mutant)] = outcome
            log.write(json.dumps({"key": _key(mutant), "outcome": outcome, **asdict(mutant)}) + "\n")
            log.flush()
            print(f"{number}/{len(waiting)} {outcome:9} {_line(mutant)}", flush=True)
    return report([(mutant, done[_key(mutant)]) for mutant in sample])


def report(results: list[tuple[Mutant, str]]) -> int:
    """Print score, equivalents and survivors; return 1 if under 90% of the others are killed."""
    reasons = equivalents()
    counted = [(mutant, outcome) for mutant, outcome in results if _identity(mutant) not in reasons]
    killed = [mutant for mutant, outcome in counted if outcome != "survived"]
    score = len(killed) / len(counted) if counted else 1.0
    late = sum(outcome == "timeout" for _, outcome in counted)
    print(f"score {score:.1%}: {len(killed)} of {len(counted)} killed ({late} by timeout); "
          f"{len(results) - len(counted)} equivalent")  # fmt: skip
    for mutant, outcome in results:
        if _identity(mutant) in reasons:
            print(f"equivalent {_line(mutant)}: {reasons[_identity(mutant)]}")
        elif outcome == "survived":
            print(f"survivor   {_line(mutant)}")
    return int(score < 0.9)


def stratified(everything: dict[str, list[Mutant]], size: int, seed: int) -> list[Mutant]:
    """Return ``size`` mutants, drawn by the seed: at least one a file, the rest in proportion by largest remainders."""
    total = sum(map(len, everything.values()))
    size = min(size, total)
    shares = {file: max(1, size * len(found) // total) if found else 0 for file, found in everything.items()}
    order = sorted(everything, key=lambda file: (-(size * len(everything[file]) % total), file))
    for file in [*order, *order]:
        if sum(shares.values()) < size and shares[file] < len(everything[file]):
            shares[file] += 1
    chosen = []
    for file, found in everything.items():
        name = int(sha256(f"{seed}\0{file}".encode()).hexdigest()[:16], 16)
        places = np.random.Generator(np.random.PCG64(name)).permutation(len(found))[: shares[file]]
        chosen += [found[place] for place in sorted(places.tolist())]
    return chosen


@cache
def covering_tests(file: str) -> list[str]:
    """Return the test files that import a module, by themselves or by way of other modules of the family."""
    module = file.removesuffix(".py").replace("/", ".")
    users = _users_within_family(module)
    reached = {
        path.relative_to(ROOT).as_posix(): _imports(path).union(*(_imports(helper) for helper in _helpers(path)))
        for path in sorted((ROOT / TESTS).glob("test_*.py"))
    }
    return [test for test, names in reached.items() if names & users]


def run_all(mutants: list[Mutant], workers: int) -> Iterator[tuple[Mutant, str]]:
    """Yield each mutant with ``killed``, ``timeout`` or ``survived``, in the order in which they end."""
    seconds = _baseline(list(dict.fromkeys(mutant.file for mutant in mutants)))
    waiting, going = list(reversed(mutants)), {}
    while waiting or going:
        while waiting and len(going) < workers:
            mutant = waiting.pop()
            # The quickest first: most mutants are killed by tables of numbers.
            tests = sorted(covering_tests(mutant.file), key=lambda test: seconds[test])
            limit_s = max(LEAST_TIMEOUT_S, TIMES_BASELINE * math.fsum(seconds[test] for test in tests))
            going[_begin(tests, mutant)] = (mutant, time.monotonic() + limit_s)
        for child, (mutant, end) in list(going.items()):
            done, status = os.waitpid(child, os.WNOHANG)
            if not done and time.monotonic() > end:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                done, status = child, -1
            if done:
                del going[child]
                yield mutant, "timeout" if status == -1 else "killed" if status else "survived"
        time.sleep(0.1)


def equivalents() -> dict[tuple[str, str, str], str]:
    """Return (file, text of the line, change) -> the reason why nothing tells the mutant from the original."""
    rows = [line.split("\t") for line in EQUIVALENT.read_text(encoding="utf-8").splitlines() if line]
    return {(file, text, change): reason for file, text, change, reason in rows[1:]}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sample", type=int, default=300)
    parser.add_argument("--first", type=int, help="run this many of the sample, spread over it, and report on them")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "cme-mutation.jsonl")
    parser.add_argument("--list", action="store_true", help="print the sample and run nothing")
    return parser.parse_args()


def _baseline(files: list[str]) -> dict[str, float]:
    """Return the seconds of each test file without a mutant.

    Ends the program if one fails by itself, which would kill every mutant, or if a file of the family has none.
    """
    tests = {file: covering_tests(file) for file in files}
    for file, found in tests.items():
        if not found:
            sys.exit(f"{file}: expected a test file in {TESTS} that imports it, was none")
    seconds = {}
    for test in sorted({test for found in tests.values() for test in found}):
        begin = time.monotonic()
        _, status = os.waitpid(_begin([test], None), 0)
        if status:
            sys.exit(f"{test}: expected to pass without a mutant, was a failure")
        seconds[test] = time.monotonic() - begin
    return seconds


def _begin(tests: list[str], mutant: Mutant | None) -> int:
    """Return the process that runs the tests with the mutant in the place of its module.

    A fork of this one, which has imported the test runner and nothing of ours.
    """
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        if mutant is not None:
            sys.meta_path.insert(0, _Finder(mutant))
        code = int(
            pytest.main(["-q", "-x", "-p", "no:cacheprovider", "-p", "no:xdist", *(str(ROOT / t) for t in tests)])
        )
    finally:
        os._exit(code)


class _Finder(MetaPathFinder, Loader):
    """Finds the mutated module in the place of the one in its file."""

    def __init__(self, mutant: Mutant) -> None:
        self.path = ROOT / mutant.file
        self.name = mutant.file.removesuffix(".py").replace("/", ".")
        self.source = mutated(self.path, mutant.number)

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        """Return the mutant's specification under its module's name, and None for any other."""
        return spec_from_file_location(name, self.path, loader=self) if name == self.name else None

    def exec_module(self, module: ModuleType) -> None:
        """Execute the mutated source; a mutant that cannot be imported is killed like any other."""
        exec(compile(self.source, str(self.path), "exec"), module.__dict__)


@cache
def _imports(path: Path) -> frozenset[str]:
    """Return the modules that a file imports."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return frozenset(names)


def _helpers(path: Path) -> list[Path]:
    """Return the modules beside a test file, or of tests/helpers, that it imports."""
    names = {name.rsplit(".", 1)[-1] for name in _imports(path)}
    beside = [path.with_name(f"{name}.py") for name in names]
    return [helper for helper in beside if helper.is_file() and not helper.name.startswith("test_")]


def _users_within_family(module: str) -> set[str]:
    """Return ``module`` and the modules of the family that import it, directly or by each other."""
    paths = (ROOT / FAMILY).rglob("*.py")
    imported = {
        path.relative_to(ROOT).as_posix().removesuffix(".py").replace("/", "."): _imports(path) for path in paths
    }
    users = {module}
    while True:
        more = {name for name, names in imported.items() if names & users} - users
        if not more:
            return users
        users |= more


def _key(mutant: Mutant) -> str:
    digest = sha256((ROOT / mutant.file).read_bytes()).hexdigest()
    tests = sha256(b"".join((ROOT / test).read_bytes() for test in covering_tests(mutant.file))).hexdigest()
    return sha256(f"{digest}{tests}{mutant.file}{mutant.number}".encode()).hexdigest()[:16]


def _stored(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {row["key"]: row["outcome"] for row in rows}


def _identity(mutant: Mutant) -> tuple[str, str, str]:
    return mutant.file, mutant.text, mutant.change


def _line(mutant: Mutant) -> str:
    return f"{mutant.file}:{mutant.line} [{mutant.operator}: {mutant.change}] {mutant.text}"


if __name__ == "__main__":
    sys.exit(main())
