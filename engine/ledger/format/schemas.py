"""The records of a ledger as closed tables: exactly these fields, each with its grammar.  [audit 2.1-2.3, 4]

    content    genesis/1  signal/1 (contains prov/1)  resolution/1  look/1  look/2  plan/1  seal/1
    row        row/1 around one of them, its kind naming the content's schema

A record that passes is in the domain of CJ1 by construction: every value is an integer within 2^53 - 1, null, or text
without control characters in NFC, and every key is of the table or matches the grammar of keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import reduce
from operator import itemgetter
from typing import Any, Final

from engine.constraints.codes import NAMES
from engine.errors import LedgerError
from engine.ledger.format.canonical_json import PRECISION
from engine.ledger.format.closed_tables import RecordShape, closed
from engine.ledger.format.fields import (
    COUNT,
    DEC,
    HEX,
    MONEY,
    NAMED,
    OBJECT,
    PARAMS,
    TEXT,
    UUID,
    Grammar,
    one_of,
    or_null,
)

CONSTRAINT_NAMES: Final = frozenset(NAMES.values())
EXIT_REASONS: Final = frozenset(
    ("expired", "converged", "horizon", "stopped", "venue", "covenant", "data_gap", "delisted", "void")
)
"""How a position may end; a signal that cannot be resolved ends as ``void`` or ``data_gap``.  [S4.5]"""

KINDS: Final = {"emit": "signal", "resolution": "resolution", "looks": "look"}
"""Ledger kind -> the kind of its records between genesis and seal."""
ADMITTED: Final = {"emit": ("signal", "plan"), "resolution": ("resolution",), "looks": ("look",)}
"""Ledger kind -> every kind of row it may hold between genesis and seal."""
MOST_INPUTS: Final = 64

_ARRAY = Grammar(f"an array of 1 to {MOST_INPUTS}", lambda value: type(value) is list and 0 < len(value) <= MOST_INPUTS)

ROW: Final[RecordShape] = {
    "schema": one_of("row/1"),
    "ledger_id": UUID,
    "seq": COUNT,
    "kind": one_of("genesis", "signal", "resolution", "look", "plan", "seal"),
    "prev_hash": HEX,
    "recorded_at_us": or_null(COUNT),
    "content_hash": HEX,
    "content": OBJECT,
}
GENESIS: Final[RecordShape] = {
    "schema": one_of("genesis/1"),
    "ledger_kind": one_of(*KINDS),
    "mode": one_of("backtest", "live"),
    "study": TEXT,
    "prereg": or_null(TEXT),
    "freeze_hash": or_null(HEX),
    "engine_hash": HEX,
    "config_hash": HEX,
    "dataset_hash": or_null(HEX),
    "seeds_hash": or_null(HEX),
    "emit_ledger_id": or_null(UUID),
    "opened_at_us": or_null(COUNT),
}
SIGNAL: Final[RecordShape] = {
    "schema": one_of("signal/1"),
    "signal_id": UUID,
    "provenance_hash": HEX,
    "provenance": OBJECT,
    "result": OBJECT,
}
RESULT: Final[RecordShape] = {
    "side": NAMED,
    "gross_bps": MONEY,
    "cost_bps": MONEY,
    "net_bps": MONEY,
    "size_usd": MONEY,
    "ev_usd": or_null(MONEY),
}
PROVENANCE: Final[RecordShape] = {
    "schema": one_of("prov/1"),
    "engine": OBJECT,
    "constraint": one_of(*CONSTRAINT_NAMES),
    "constraint_version": COUNT,
    "underlying": NAMED,
    "as_of_us": COUNT,
    "inputs": _ARRAY,
    "params": PARAMS,
}
ENGINE: Final[RecordShape] = {"name": NAMED, "version": NAMED, "config_hash": HEX}
_INPUT: Final[RecordShape] = {"role": NAMED, "venue": NAMED, "instrument": NAMED}
INPUTS: Final[Mapping[str, RecordShape]] = {
    "quote": {
        **_INPUT,
        "kind": one_of("quote"),
        "ts_us": COUNT,
        "bid": or_null(DEC),
        "ask": or_null(DEC),
        "bid_size": or_null(DEC),
        "ask_size": or_null(DEC),
        "snapshot_hash": HEX,
    },
    "scalar": {
        **_INPUT,
        "kind": one_of("scalar"),
        "ts_us": COUNT,
        "value": DEC,
        "unit": TEXT,
        "snapshot_hash": HEX,
    },
    "series": {
        **_INPUT,
        "kind": one_of("series"),
        "from_us": COUNT,
        "to_us": COUNT,
        "count": COUNT,
        "series_hash": HEX,
    },
}
RESOLUTION: Final[RecordShape] = {
    "schema": one_of("resolution/1"),
    "resolution_id": UUID,
    "signal_id": UUID,
    "signal_row_hash": HEX,
    "rule_id": NAMED,
    "revision": COUNT,
    "supersedes": or_null(HEX),
    "entry_us": COUNT,
    "exit_us": COUNT,
    "exit_reason": one_of(*EXIT_REASONS),
    "gross_pnl_usd": MONEY,
    "fees_usd": MONEY,
    "slippage_usd": MONEY,
    "funding_usd": MONEY,
    "capital_usd": MONEY,
    "net_pnl_usd": MONEY,
    "notional_usd": MONEY,
    "return_bps": or_null(MONEY),
    "evidence_hash": HEX,
}
LOOK: Final[RecordShape] = {
    "schema": one_of("look/1"),
    "look_id": UUID,
    "event": one_of("open", "close", "abort"),
    "analysis_id": TEXT,
    "freeze_hash": HEX,
    "dataset_hash": HEX,
    "seeds_hash": HEX,
    "emit": OBJECT,
    "resolution": OBJECT,
    "results_digest": or_null(HEX),
    "replication": COUNT,
    "replication_of": or_null(UUID),
    "reason": TEXT,
}
LOOK_2: Final[RecordShape] = {
    **LOOK,
    "schema": one_of("look/2"),
    "event": one_of("open", "close", "abort", "blinded"),
    "repair_of": or_null(UUID),
}
"""With the look whose defect was mended, and the rehearsals that saw no outcome; rows of both forms may follow each
other in a registry that is older than this one."""
PLAN: Final[RecordShape] = {
    "schema": one_of("plan/1"),
    "from_us": COUNT,
    "config_hash": HEX,
    "judging_hash": HEX,
    "freeze_hash": or_null(HEX),
    "amendment": TEXT,
}
"""The plan in force from a time on: appended before the first signal under an amended plan.  [live L0.2]"""
LEDGER_STATE: Final[RecordShape] = {"ledger_id": UUID, "size": COUNT, "root": HEX}
SEAL: Final[RecordShape] = {"schema": one_of("seal/1"), "reason": TEXT}


def check_row(row: object) -> None:
    """Check that ``row`` is a closed ``row/1`` with a content of its kind.  Raises ``LedgerError`` (10) if not."""
    closed(row, ROW, "row")
    check_content(row["kind"], row["content"])  # type: ignore[index]  # closed() holds: row is a dict


def check_content(kind: str, content: object) -> None:
    """Check a content against the table of its kind and the rules between its fields.

    Raises ``LedgerError`` (10) with the first field that breaks one, ``KeyError`` for an unknown ``kind``.
    """
    CONTENTS[kind](content)


def _genesis(content: Any) -> None:
    closed(content, GENESIS, "genesis")


def _seal(content: Any) -> None:
    closed(content, SEAL, "seal")


def _plan(content: Any) -> None:
    closed(content, PLAN, "plan")


def _look(content: Any) -> None:
    closed(content, LOOK_2 if type(content) is dict and content.get("schema") == "look/2" else LOOK, "look")
    closed(content["emit"], LEDGER_STATE, "look.emit")
    closed(content["resolution"], LEDGER_STATE, "look.resolution")


def _signal(content: Any) -> None:
    closed(content, SIGNAL, "signal")
    closed(content["result"], RESULT, "signal.result")
    check_provenance(content["provenance"])


def check_provenance(provenance: Any) -> None:
    """Check a ``prov/1``: its tables, the order of its inputs, and that none is later than the decision.

    Raises ``LedgerError`` (10) with the first field or input at fault.
    """
    closed(provenance, PROVENANCE, "provenance")
    closed(provenance["engine"], ENGINE, "provenance.engine")
    as_of, before = provenance["as_of_us"], ("", "", "", 0)
    for at, item in enumerate(provenance["inputs"]):
        # Asked before the table is known: what is no object must be named, and not fail otherwise.
        kind = item.get("kind") if type(item) is dict else None
        shape = INPUTS.get(kind) if type(kind) is str else None
        if shape is None:
            raise LedgerError(
                f"provenance.inputs[{at}]: expected the kind {' | '.join(INPUTS)}, was {str(kind)[:40]!r}"
            )
        closed(item, shape, f"provenance.inputs[{at}]")
        first, last = (item["from_us"], item["to_us"]) if kind == "series" else (item["ts_us"], item["ts_us"])
        if first > as_of or last > as_of:
            raise LedgerError(
                f"provenance.inputs[{at}]: expected a time up to as_of_us {as_of}, was {max(first, last)}"
            )
        order = (item["role"], item["venue"], item["instrument"], first)
        if order < before:
            raise LedgerError(
                f"provenance.inputs[{at}]: expected inputs sorted by role, venue, instrument and time, was "
                f"{order} after {before}"
            )
        before = order


def _resolution(content: Any) -> None:
    closed(content, RESOLUTION, "resolution")
    check_outcome(content)


def check_outcome(content: Mapping[str, Any]) -> None:
    """Check the rules between the fields of a resolution, each of which has its grammar: times, revision, net P&L.

    Raises ``LedgerError`` (10) for the first rule that is broken.
    """
    # Equal times are allowed: a signal that is not filled is void at one time.
    if content["entry_us"] > content["exit_us"]:
        raise LedgerError(f"resolution: expected entry_us <= exit_us {content['exit_us']}, was {content['entry_us']}")
    if (content["revision"] == 0) != (content["supersedes"] is None):
        raise LedgerError(
            f"resolution: expected supersedes null in revision 0 and a row hash in later ones, was "
            f"{content['supersedes']} in revision {content['revision']}"
        )
    expected = net_pnl(content)
    if Decimal(content["net_pnl_usd"]) != expected:
        raise LedgerError(
            f"resolution: expected net_pnl_usd {expected} = gross - fees - slippage - funding - capital, "
            f"was {content['net_pnl_usd']}"
        )


TERMS: Final = itemgetter("gross_pnl_usd", "fees_usd", "slippage_usd", "funding_usd", "capital_usd")
"""The terms of the net P&L: the first minus all others."""


def net_pnl(content: Mapping[str, str]) -> Decimal:
    """Return gross - fees - slippage - funding - capital of a resolution in USD, exactly.  [audit 4.3]"""
    # In the profile's context: that of the caller may have fewer digits.  [audit 2.2]
    return reduce(PRECISION.subtract, map(Decimal, TERMS(content)))


CONTENTS: Final[Mapping[str, Callable[[Any], None]]] = {
    "genesis": _genesis,
    "signal": _signal,
    "resolution": _resolution,
    "look": _look,
    "plan": _plan,
    "seal": _seal,
}
