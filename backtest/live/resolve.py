"""Resolves what is due of a live ledger, revision 0; in a registered window nothing before its look.  [live L3, L0.6]

A signal is due when its position has ended by the last sealed day, or its life has.  A position that the data could not
follow ends as ``data_gap``; a signal on record whose life is over and that no replay took into a position is ``void``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from backtest.data.format.dataset import Dataset
from backtest.gate.looks import registry
from backtest.gate.run_mode import analysis_id
from backtest.live.day_chain import DayChain
from backtest.live.emit import plan_of_recording
from backtest.live.emit_gate import open_seal, registered
from backtest.live.emit_ledger import genesis_of_ledger, on_record, opened, publish
from backtest.live.live_folder import HISTORY, LedgerFolder, LiveFolder
from backtest.live.plans_on_record import plans_in_force
from backtest.pipeline.emission import Emission, emit_window
from backtest.pipeline.replays import PlansInForce, plan_at
from backtest.records import Registration
from backtest.tasks.scheduler import Workers
from engine.errors import GateError, MissingError
from engine.ledger.format.ids import ledger_id, resolution_id
from engine.ledger.provenance import RULE_ID, resolution_record
from engine.positions.base import Position, Trade
from engine.positions.exits import force_close
from engine.positions.portfolio import settle_portfolio
from engine.records import Instruments
from engine.units import NS_PER_DAY, NS_PER_SECOND, NS_PER_US

BLIND: Final = 28
"""Exit code of a resolution inside a registered window before its look.  [live L0.6]"""
NO_EVIDENCE: Final = "0" * 64
"""Of a void resolution: no price was used."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """What one call did to one ledger: signals on record, those due, resolutions appended and in all."""

    study: str
    signals: int
    due: int
    appended: int
    void: int
    rows: int


def resolve(
    live: LiveFolder,
    registration: Registration,
    chain: DayChain,
    dataset: Dataset,
    now_us: int,
    seeds_hash: str | None,
    workers: Workers = 1,
    *,
    history: bool,
) -> Resolved:
    """Append the resolutions that are due of the history's ledger, or of the window's.

    Raises ``GateError`` (28) in a registered window whose look is not open, ``MissingError`` (3) where nothing was
    emitted, ``AppendError`` (40) where a resolution on record is another now.
    """
    plan = plan_of_recording(registration, chain.days[0])
    if not history:
        require_look(registration)
    name = registration.study + (HISTORY if history else "")
    emit, ledger = live.ledger(name), live.ledger(name, "resolution")
    known = on_record(emit, "signal")
    if known is None:
        raise MissingError(f"expected a live ledger at {emit.export}, found none: `cme emit` begins it")
    end_ns = (chain.days[-1] + 1) * NS_PER_DAY
    until_ns = min(end_ns, plan.t0_ns) if history else end_ns
    plans = plans_in_force(registration, known.state.genesis, known.state.plans)
    emission = emit_window(dataset, plans, plan, workers=workers, report=None, until_ns=until_ns, with_history=history)
    trades = _ended(emission, dataset.instruments, plans, until_ns, history)
    with opened(emit, known.state.in_force, now_us) as store:
        hashes = store.row_hashes(list(known.contents))
    records = [resolution_record(trade, hashes[trade.position.signal.signal_id]) for trade in trades
               if trade.position.signal.signal_id in hashes]  # fmt: skip
    resolved = {record["signal_id"] for record in records}
    lost = [content for name_, content in known.contents.items() if name_ not in resolved
            and life_is_over(content, until_ns) and not _still_open(emission, name_, history)]  # fmt: skip
    void = [_void(content, hashes[content["signal_id"]]) for content in lost]
    genesis = _genesis(ledger, known.state.genesis, registration, now_us, seeds_hash)
    with opened(ledger, genesis, now_us) as store:
        receipt = store.append("resolution", [*records, *void], recorded_at_us=now_us, signals=hashes)
        checkpoint = publish(ledger, store)
    appended = sum(outcome == "inserted" for _, outcome in receipt.outcomes)
    return Resolved(name, len(known.contents), len(records) + len(void), appended, len(void), checkpoint.size)


def require_look(registration: Registration) -> None:
    """Raise ``GateError`` (28) unless the plan registers no window, or its look was opened."""
    if not registered(registration):
        return
    folder = registration.path.parent / "looks"
    looks = registry.read(folder).looks if (folder / registry.LEDGER).exists() else ()
    wanted = analysis_id(registration, registration.plan) if registration.dated else ""
    if wanted not in {look.inputs.analysis_id for look in looks}:
        raise GateError(
            f"{registration.path}: expected an open look, was none: outcomes inside a registered window are settled "
            "once, by the run that opens its look; nothing of the window was read or written",
            exit_code=BLIND,
        )


def _ended(
    emission: Emission, instruments: Instruments, plans: PlansInForce, until_ns: int, history: bool
) -> list[Trade]:
    """Return the trades that have ended; those still open take their part of capital and books, and are left out."""
    positions: list[Position] = []
    for replay in emission.history if history else emission.window:
        closed = [position for block in replay.blocks for position in block.positions]
        params = plan_at(plans, until_ns - 1).params
        positions += [*closed, *replay.forced, *force_close(replay.state.decide.open, until_ns, params)]
    trades = settle_portfolio(positions, instruments, plans[-1][1].params)
    return [trade for trade in trades if not trade.position.forced]


def _still_open(emission: Emission, signal_id: str, history: bool) -> bool:
    replays = emission.history if history else emission.window
    held = {one.signal.signal_id for replay in replays for one in replay.state.decide.open}
    return signal_id in held | {one.signal.signal_id for replay in replays for one in replay.forced}


def life_is_over(content: Mapping[str, Any], until_ns: int) -> bool:
    """Return whether the registered life of a ``signal/1`` on record ended before ``until_ns``: it is due then."""
    provenance = content["provenance"]
    life_ns = int(provenance["params"]["life_s"]) * NS_PER_SECOND
    return bool(provenance["as_of_us"] * NS_PER_US + life_ns < until_ns)


def _void(content: Mapping[str, Any], row_hash: str) -> dict[str, Any]:
    """Return the resolution of a signal that no position came of: nothing was traded."""
    at_us = content["provenance"]["as_of_us"]
    money = ("gross_pnl_usd", "fees_usd", "slippage_usd", "funding_usd", "capital_usd", "net_pnl_usd", "notional_usd")
    return {
        "schema": "resolution/1",
        "resolution_id": resolution_id(content["signal_id"], RULE_ID, 0),
        "signal_id": content["signal_id"],
        "signal_row_hash": row_hash,
        "rule_id": RULE_ID,
        "revision": 0,
        "supersedes": None,
        "entry_us": at_us,
        "exit_us": at_us,
        "exit_reason": "void",
        **dict.fromkeys(money, "0"),
        "return_bps": None,
        "evidence_hash": NO_EVIDENCE,
    }


def _genesis(
    ledger: LedgerFolder, emitted: Mapping[str, Any], registration: Registration, now_us: int, seeds_hash: str | None
) -> Mapping[str, Any]:
    known = on_record(ledger, "resolution")
    if known is not None:
        return known.state.in_force
    return genesis_of_ledger(ledger, open_seal(registration, seeds_hash), now_us, ledger_id(emitted))
