"""The whole flow on one page: blocks of one underlying in; violations, signals and resolutions out.  [S1-S4]

    panel -> prepare -> detect -> decide (emit, resolve) -> observer -> next block

State goes in and comes out, so blocks may be cut anywhere: signals up to a time depend on data up to it only.  The
observer is called with each block as soon as it is decided, before any later block is read; it writes the ledger.  Days
given together (`engine.market.multi_day`) have all been read and prepared before the first is decided; each is decided
and observed as if it had been given alone.  Underlyings share the books and the capital, so money is computed after the
replay: `engine.positions.portfolio`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from engine.constraints.detect import detect
from engine.constraints.detect_days import detect_days
from engine.constraints.registered_inputs import InputReading, input_readings, packages_without_a_bid
from engine.errors import DataError
from engine.market.curve import block_curves, days_between, extend_curves
from engine.market.multi_day import MultiDayPanel
from engine.market.view import PreparedPanel, prepare, quality_of
from engine.params import Fitted, Params
from engine.positions.base import Position, Signal
from engine.positions.exits import force_close
from engine.records import CurveHistory, Instruments, IntArray, Panel, Violations
from engine.repricing.base import ContractRanks
from engine.repricing.contract_mapping import ranks_of
from engine.signals.emit import START, BlockSignals, EmitState, Identify, process_block
from engine.units import NS_PER_DAY


@dataclass(frozen=True, slots=True)
class ReplayState:
    """The state of one underlying between two blocks: open episodes and positions, and the curves of earlier days."""

    decide: EmitState
    curves: CurveHistory


@dataclass(frozen=True, slots=True)
class Reading:
    """One constraint on one block: its funnel, the number of grid times, and of those with an evaluable key."""

    constraint: str
    rows: int
    evaluable: int
    funnel: Mapping[str, int]  # of `Violations`, and fires, episodes, crowded
    stopped_by: Mapping[str, int]  # packages by the first reason against them
    best_bps: float  # the largest net before impact, NaN where nothing could be judged
    missing: str | None
    inputs: tuple[InputReading, ...] = ()  # of each registered pair, triangle or venue
    one_sided: int | None = None  # packages that lack the bid of a bought leg only; None where no leg is bought only


@dataclass(frozen=True, slots=True)
class Block:
    """The result of one block, which is within one UTC day; ``day`` is days since 1970-01-01.

    ``quality[n, q]``, shape [N, number of `Quality`], counts the grid times of instrument ``code[n]`` of that quality.
    ``ranks`` are those of ``signals``, by which `engine.repricing` maps their legs to contracts of other times.
    """

    underlying: str
    day: int
    first_ns: int
    last_ns: int
    fold: int
    signals: tuple[Signal, ...]
    positions: tuple[Position, ...]
    readings: tuple[Reading, ...]
    instruments: Instruments
    code: IntArray
    quality: IntArray
    ranks: ContractRanks


@dataclass(frozen=True, slots=True)
class Replay:
    """The replay of one underlying: its blocks, and the positions closed at the end because they were still open."""

    blocks: tuple[Block, ...]
    forced: tuple[Position, ...]
    state: ReplayState

    @property
    def signals(self) -> tuple[Signal, ...]:
        """Every signal, in order of time."""
        return tuple(signal for block in self.blocks for signal in block.signals)

    @property
    def positions(self) -> tuple[Position, ...]:
        """Every position in the order of their exits, the forced ones last."""
        return (*(position for block in self.blocks for position in block.positions), *self.forced)


Observer = Callable[[Block], None]


def start(curves: CurveHistory) -> ReplayState:
    """Return the state before the first block: no position, and the curves of earlier days.  [statistics R1.8]"""
    return ReplayState(START, curves)


def replay(
    panels: Iterable[Panel | MultiDayPanel],
    params: Params,
    state: ReplayState,
    fitted_for: Callable[[int], Fitted | None],
    fold_of: Callable[[int], int],
    identify: Identify,
    observer: Observer,
    *,
    end_ns: int | None,
) -> Replay:
    """Return the blocks, signals and positions of ``panels``, in order of time, from ``state`` on.

    ``fitted_for(t)`` and ``fold_of(t)`` give the fit and the fold in force at ``t``, the first grid time of a block in
    nanoseconds UTC.  Positions open at ``end_ns``, the first instant after the window, are closed at their last mark
    [R1.8]; with None they stay open in the state.  Panels without grid times are skipped; no panels give no blocks.
    Raises ``DataError`` if a block is not after the one before or leaves its UTC day.
    """
    blocks: list[Block] = []
    for given in panels:
        parts = given.panels if isinstance(given, MultiDayPanel) else (given,)
        # With the curves before all of these days: each day gets its own when it is decided.
        all_days = detect_days(given, params, state.curves) if isinstance(given, MultiDayPanel) else None
        for number, panel in enumerate(parts):
            if not len(panel.times_ns):
                continue
            now = int(panel.times_ns[0])
            if all_days is None:
                state, block = advance(state, panel, params, fitted_for(now), fold_of(now), identify)
            else:
                _check(state, panel)
                prepared = all_days.day(number, state.curves, fitted_for(now))
                state, block = _decided(state, *prepared, fold_of(now), identify)
            observer(block)
            blocks.append(block)
    forced: Sequence[Position] = ()
    if end_ns is not None:
        forced = force_close(state.decide.open, end_ns, params)
        # Closed at the window's end: a replay that went on must not advance them.
        state = replace(state, decide=replace(state.decide, open=()))
    return Replay(tuple(blocks), tuple(forced), state)


def advance(
    state: ReplayState, panel: Panel, params: Params, fitted: Fitted | None, fold: int, identify: Identify
) -> tuple[ReplayState, Block]:
    """Return the state after ``panel`` and its block.

    Raises ``DataError`` if it is not after the block before or leaves its UTC day.
    """
    _check(state, panel)
    view = prepare(panel, params, state.curves)
    return _decided(state, view, detect(view, fitted), fold, identify)


def _decided(
    state: ReplayState, view: PreparedPanel, violations: tuple[Violations, ...], fold: int, identify: Identify
) -> tuple[ReplayState, Block]:
    """Return the state after the block of ``view``, and that block."""
    decided, decision = process_block(state.decide, view, violations, view.params, fold, identify)
    after = ReplayState(decided, _curves(state, view))
    return after, _block(view, violations, decision, fold)


def _check(state: ReplayState, panel: Panel) -> None:
    """Raise ``DataError`` for a block that goes back in time or leaves its UTC day."""
    first, last, before = int(panel.times_ns[0]), int(panel.times_ns[-1]), state.decide.last_ns
    # Strictly after: a row read twice would count twice in a streak.
    if first <= before:
        raise DataError(
            f"{panel.underlying}: expected a block after {before} ns, was one from {first} ns; sort the panels"
        )
    # Fees are those of one day, and quality is counted by day.  [S1.4, S3.4]
    if first // NS_PER_DAY != last // NS_PER_DAY:
        raise DataError(
            f"{panel.underlying}: expected a block within one UTC day, was {first} to {last} ns; cut it at 00:00"
        )


def _curves(state: ReplayState, view: PreparedPanel) -> CurveHistory:
    """Return the history with the curve of this block's day, which only the day's first block can bring.  [R9.1]"""
    day = int(view.panel.times_ns[0]) // NS_PER_DAY
    if state.decide.last_ns >= 0 and state.decide.last_ns // NS_PER_DAY == day:
        return state.curves
    return extend_curves(state.curves, days_between(block_curves(view), day, day))


def _block(view: PreparedPanel, violations: tuple[Violations, ...], decision: BlockSignals, fold: int) -> Block:
    times = view.panel.times_ns
    return Block(
        underlying=view.panel.underlying,
        day=int(times[0]) // NS_PER_DAY,
        first_ns=int(times[0]),
        last_ns=int(times[-1]),
        fold=fold,
        signals=decision.signals,
        positions=decision.positions,
        readings=tuple(_reading(view, each, decision) for each in violations),
        instruments=view.panel.instruments,
        code=view.panel.code.astype(np.int64),
        quality=quality_of(view),
        ranks=ranks_of(decision.signals, view),
    )


def _reading(view: PreparedPanel, violations: Violations, decision: BlockSignals) -> Reading:
    stopped: dict[str, int] = {}
    for reason in violations.reason:
        if reason:
            stopped[reason] = stopped.get(reason, 0) + 1
    code = violations.constraint
    return Reading(
        constraint=code,
        rows=len(violations.evaluated),
        evaluable=int(np.count_nonzero(np.logical_or.reduce(violations.evaluated, axis=1))),
        funnel={
            **violations.funnel,
            "fires": int(np.count_nonzero(violations.fires)),
            "episodes": sum(signal.constraint == code for signal in decision.signals),
            "crowded": decision.no_depth_left.get(code, 0),
        },
        stopped_by=dict(sorted(stopped.items())),
        best_bps=violations.best_bps,
        missing=violations.missing,
        inputs=input_readings(view, violations),
        one_sided=packages_without_a_bid(view, code),
    )
