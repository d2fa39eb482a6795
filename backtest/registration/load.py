"""Registration files are read here and nowhere else: one file is the whole plan of a run.  [S8.1]

    registration = load_registration(Path("configs/demo.toml"))
    registration.params            what the engine is given
    registration.config_hash       H("config", CJ1 of everything written)   [audit 9.4]

There are no defaults: a key that is missing, unknown or misspelt is an error that names file, key, what is allowed and
what was found.  A plan may extend another (see `backtest.registration.extend`).  Venue files named in ``venue_files``
and amendments are appended to the text, so ``registration.text`` can be copied into a run directory and loads there to
the same content and the same hash.
"""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path
from typing import Any, Final

from backtest import limits
from backtest.data.synthetic.fields import SpecError
from backtest.data.synthetic.spec import SynthSpec, read_spec
from backtest.records import BookCovenants, Registration
from backtest.registration import build
from backtest.registration.agreement import contradictions
from backtest.registration.amend import amendment_texts, apply, check_venues
from backtest.registration.bounds import excesses
from backtest.registration.checks import disagreements
from backtest.registration.extend import EXTENDS, WITHOUT, joined, taken_out, text_of, words_left
from backtest.registration.fields import hashable, is_relative
from backtest.registration.judging import judging_hash
from backtest.registration.schema import Document
from backtest.toml_tables import TableError, read_table
from engine.errors import CmeError, DataError, MissingError, UsageError
from engine.ledger.format.canonical_json import canonical, tagged_hash

_LATER: Final = ("as_of", "from", "symbol", "settle", "settlement_period", "verified")
"""Keys of a fee that plans of one time have and those of another do not."""
_CONVENTIONS: Final = ("delivery", "money", "funding", "lots", "ticks")
"""Tables of a venue that older plans lack."""


def load_registration(path: Path) -> Registration:
    """Return the validated plan of ``path``, amendments applied.

    Raises ``MissingError`` for a file that cannot be read and ``UsageError`` for text that cannot be accepted.
    """
    text = whole_text(path)
    tree = apply(path, _parse(path, text))
    try:
        document = read_table(Document, tree)
    except TableError as problem:
        raise UsageError(f"{path}: {problem}") from problem
    market = _market(path, document)
    # Limits before all else: the other checks loop over what they bound.  [docs/decisions/0441]
    faults = [*excesses(document)] or [*disagreements(document), *contradictions(document, market)]
    if faults:
        raise UsageError(f"{path}: " + "; ".join(faults))
    try:
        return _registration(path, text, document)
    except DataError as problem:  # a record that refuses a value: the value is the plan's
        raise UsageError(f"{path}: {problem}") from problem


def _registration(path: Path, text: str, document: Document) -> Registration:
    content = hashable(_content(document))
    windows = build.plans_of(document.split)
    # One that mends a defect and changes no key tests what the plan tested.  [R12.3]
    late = any(amended.outcome_known and amended.defect is None for amended in document.amendments)
    return Registration(
        path=path,
        text=text,
        study=document.study,
        title=document.title,
        synthetic=document.synthetic,
        mode_allowed="exploratory" if late else document.mode,
        params=build.params_of(document),
        plan=windows[0],
        windows=windows,
        stats=build.stats_of(document),
        data=build.data_of(document.data),
        choices=build.choices_of(document),
        families=tuple(document.families),
        amendments=tuple(amendment.name for amendment in document.amendments),
        content=content,
        config_hash=_hash(path, content),
        judging_hash=judging_hash(content),
        covenants=_covenants(path, document),
        dated=not any(is_relative(window.start) for window in document.split.windows),
    )


def _covenants(path: Path, document: Document) -> BookCovenants | None:
    try:
        return build.covenants_of(document)
    except UsageError as problem:
        raise UsageError(f"{path}: {problem}") from problem


def _content(document: Document) -> dict[str, Any]:
    """Return the document that is hashed: without keys that older plans lack, so they keep their hash."""
    content = document.model_dump(by_alias=True)
    for later in ("known_missing", "fx"):
        if not content["data"][later]:
            del content["data"][later]
    for amendment in content["amendments"]:
        for later in ("defect", "after_blinded"):
            if amendment[later] is None:
                del amendment[later]
    for later in ("max_lag_s", "refreshed"):
        if content["grid"][later] is None:
            del content["grid"][later]
    for later in ("methods", "assumptions"):
        if not content[later]:
            del content[later]
    if content["statistics"]["n2_statistic"] is None:
        del content["statistics"]["n2_statistic"]
    if content["covenants"] is None:
        del content["covenants"]
    if content["fx"] is None:
        del content["fx"]
    else:
        content["fx"] = {key: value for key, value in content["fx"].items() if value is not None}
    for venue in content["venues"]:
        for table in _CONVENTIONS:
            rows = [{k: v for k, v in row.items() if v is not None} for row in venue.pop(table)]
            venue |= {table: rows} if rows else {}
        venue["fees"] = [{k: v for k, v in fee.items() if v is not None or k not in _LATER} for fee in venue["fees"]]
    return content


def _market(path: Path, document: Document) -> SynthSpec | None:
    if document.data.kind != "synthetic":
        return None
    try:
        return read_spec(document.data.synthetic, str(path))
    except SpecError as problem:
        raise UsageError(str(problem)) from problem


def _hash(path: Path, content: dict[str, Any]) -> str:
    try:
        return tagged_hash("config", canonical(content))
    except CmeError as problem:
        raise UsageError(f"{path}: quantities are decimals in quotes and keys lower case: {problem}") from problem


def whole_text(path: Path, amendments: int | None = None) -> str:
    """Return the text of ``path`` with its venue files and amendments appended: all, or the first ``amendments``.

    A text that has its venues already needs no venue file; one that extends another is written out, and the venue files
    it inherits lie beside the other.  Raises ``UsageError`` (2) for text that cannot be accepted, ``MissingError`` (3)
    for a file that cannot be read.
    """
    text, tree, folder = _extended(path, ())
    files = [] if "venues" in tree else tree.get("venue_files", [])
    if not isinstance(files, list) or not all(isinstance(name, str) for name in files):
        raise UsageError(f"{path}: venue_files: expected an array of file names, was {files!r}")
    parts, size = [text], len(text.encode())
    for name in files:
        parts.append(_read(folder / name))
        size += len(parts[-1].encode())
        # After each file, so that the limit and one file is the most that memory holds.
        _check_size(path, size)
    amended = amendment_texts(path, amendments)
    # A freeze holds fewer amendments than there are now, and its own sum of the whole text.
    if amendments is None:
        check_venues(path, amended, "\n".join(parts[1:]))
    whole = "\n".join([*parts, *amended])
    _check_size(path, len(whole.encode()))
    return whole


def _check_size(path: Path, size: int) -> None:
    if size > limits.PLAN_BYTES:
        raise UsageError(
            f"{path}: expected at most {limits.PLAN_BYTES} bytes of plan, venue files and amendments, was {size}"
        )


def words_of_another_market(path: Path) -> list[str]:
    """Return the keys of ``path`` whose words are those of the plan it extends, though its market is another.

    Empty for a plan that extends none, and for one that changes numbers alone.  Raises as `load_registration`.
    """
    overrides = _parse(path, _read(path))
    return words_left(_base(path, overrides, ())[1], overrides) if EXTENDS in overrides else []


def _extended(path: Path, before: tuple[Path, ...]) -> tuple[str, dict[str, Any], Path]:
    """Return the text and tree of ``path``, joined with what it extends, and the folder of its venue files."""
    text = _read(path)
    overrides = _parse(path, text)
    if EXTENDS not in overrides:
        return text, overrides, path.parent
    folder, base = _base(path, overrides, before)
    tree = joined(base, {key: value for key, value in overrides.items() if key not in (EXTENDS, WITHOUT)})
    return text_of(tree), tree, path.parent if "venue_files" in overrides else folder


def _base(path: Path, overrides: dict[str, Any], before: tuple[Path, ...]) -> tuple[Path, dict[str, Any]]:
    """Return the folder of the venue files and the tree of what ``path`` extends, without what it takes out."""
    name, without = overrides[EXTENDS], overrides.get(WITHOUT, [])
    if not isinstance(name, str) or path in before:
        raise UsageError(f"{path}: extends: expected the name of another plan, was {name!r}")
    if len(before) + 2 > limits.PLAN_CHAIN:
        raise UsageError(
            f"{path}: extends: expected at most {limits.PLAN_CHAIN} plans that extend each other, was more"
        )
    if not isinstance(without, list) or not all(isinstance(key, str) for key in without):
        raise UsageError(f"{path}: without: expected an array of keys, was {without!r:.200}")
    _, base, folder = _extended((path.parent / name).resolve(), (*before, path))
    try:
        return folder, taken_out(base, without)
    except KeyError as problem:
        raise UsageError(
            f"{path}: without: expected keys of the plan that it extends, such as 'underlyings[ETH]', was "
            f"{problem.args[0]!r:.200}"
        ) from problem


def _read(path: Path) -> str:
    try:
        # Before it is opened: a pipe without a writer would block for ever.
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode):
            raise MissingError(f"{path}: expected a configuration file, was another thing: check its path")
        if facts.st_size > limits.PLAN_BYTES:
            raise UsageError(f"{path}: expected a plan of at most {limits.PLAN_BYTES} bytes, was {facts.st_size}")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as problem:
        raise MissingError(f"expected a configuration at {path}, found none: check its path") from problem
    except (OSError, ValueError) as problem:
        raise MissingError(f"expected a readable configuration at {path}, was: {problem}") from problem


def _parse(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as problem:  # ValueError: no TOML, or an integer of thousands of digits
        raise UsageError(f"{path}: expected TOML, was: {problem}") from problem
