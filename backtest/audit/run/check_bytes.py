"""A run directory against its own listing, ``files.sha256``: what was changed, what is missing, what is not listed.

    30  results, verdicts, what is retained, sensitivities, pages          26  registration.toml
    21  tables and counts                                                  24  seeds.lock
    16  ledgers and manifest, which name each other's heads                 3  a file that is missing or not listed

Decision 0270 says why these.  [audit 8]
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from backtest.rundir import checksums
from backtest.rundir.files import elsewhere
from engine.errors import CmeError, GateError, LedgerError, MissingError, ReproduceError

NO_PROOF: Final = (
    f"{checksums.NAME}: it shows accidents and careless changes; who changes a file can list it anew. Against that: "
    "`cme reproduce`, which computes results and ledgers again, or a digest that somebody else kept"
)
_CODES: Final = {
    "ledger/": 16, "manifest.json": 16, "registration.toml": 26, "seeds.lock": 24, "results.": 30, "verdicts.json": 30,
    "digest.txt": 30, "retained.json": 30, "sensitivities.json": 30, "report.": 30,
}  # fmt: skip
"""Beginning of a name -> code of a changed file; every other is 21."""
_AGAIN: Final = {
    "report.": "`cme report`", "sensitivities.json": "`cme judge`", "results.": "`cme judge`",
    "verdicts.json": "`cme judge`", "digest.txt": "`cme judge`", "retained.json": "`cme judge`",
}  # fmt: skip
"""Beginning of a name -> what makes a file again whose content follows from the rest."""


def faults(run: Path) -> Iterator[CmeError]:
    """Yield an error for each file of ``run`` that is not as listed, by name; each carries its exit code."""
    if not (run / checksums.NAME).is_file():
        yield MissingError(
            f"{checksums.NAME}: expected the listing that a finished run carries, was none: the run did not end, or "
            f"is of a time before the listing; {elsewhere(run)}. What the other checks say stands"
        )
        return
    listed, actual = checksums.listed_digests(run / checksums.NAME), checksums.file_digests(run)
    for name in sorted({*listed, *actual}):
        if listed.get(name) != actual.get(name):
            yield _fault(name, listed.get(name), actual.get(name))


def _fault(name: str, listed: str | None, actual: str | None) -> CmeError:
    # A file name may hold control characters, which a terminal would obey.
    shown = name if name.isascii() and name.isprintable() else repr(name)
    again = next((command for start, command in _AGAIN.items() if name.startswith(start)), None)
    mend = f"{again} makes it again" if again else "take it from a copy, or run the plan again"
    if listed is None:
        return MissingError(f"{shown}: expected no file but those of {checksums.NAME}, was one more: take it away")
    if actual is None:
        return MissingError(f"{shown}: expected the file that {checksums.NAME} lists, was none: {mend}")
    code = next((code for start, code in _CODES.items() if name.startswith(start)), 21)
    kind = LedgerError if code == 16 else GateError if code < 30 else ReproduceError
    return kind(
        f"{shown}: expected SHA-256 {listed} as {checksums.NAME} lists it, was {actual}: changed after the run; {mend}",
        exit_code=code,
    )
