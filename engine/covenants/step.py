"""One bar of a covenanted pair: ``step(state, tick, p) -> (state, events)``.  [S7, covenants 6, 7, 11]

Order inside a bar: staleness; a pending reallocation meets the bar's book; the leverage cap; the band in force judges
the spread; the revision.  Nothing is read but the arguments, and the same arguments give the same result.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256

from engine.covenants import alerts, leverage_cap, reallocation, revision, staleness
from engine.covenants.base import Book, CovenantEvent, Leg, Mode
from engine.covenants.parameters import Parameters
from engine.covenants.state_machine import Machine, advance, executed, start


@dataclass(frozen=True)
class PairTick:
    """What is known at the close of a bar.

    Prices are marks in USD; ``spread_pp`` and ``raw_band_pp`` come from `measures` and the parameter engine, NaN where
    undefined; ``age_s`` is the older leg's; the books are those that close each leg.
    """

    t_ns: int
    price_a: float
    price_b: float
    spread_pp: float
    raw_band_pp: float
    leverage_cap: float
    book_a: Book
    book_b: Book
    decorrelated: bool = False
    age_s: float = 0.0
    gap: Mode = Mode.LIVE


@dataclass(frozen=True)
class PairState:
    """State between bars: the machine, both legs, the cap, and the prices since which a leg's loss is counted.

    ``since`` holds the prices of the later of entry and the last bar at which S had the other sign, ``last`` those of
    the last bar with the present sign.  [covenants 6.2]
    """

    machine: Machine
    leg_a: Leg
    leg_b: Leg
    leverage_cap: float
    bar: int = 0
    revised_ns: int | None = None
    sign: int = 0
    since_a: float = 0.0
    since_b: float = 0.0
    last_a: float = 0.0
    last_b: float = 0.0
    over_cap: tuple[int, int] = (0, 0)
    version: str = ""
    lot_a: float = 0.001
    lot_b: float = 0.001
    taker_fee: float = 0.0005


def open_state(leg_a: Leg, leg_b: Leg, p: Parameters, version: str = "") -> PairState:
    """Return the state before the first bar of a pair entered at the legs' entry prices."""
    return PairState(start(p), leg_a, leg_b, p.l_max, version=version, since_a=leg_a.entry_usd, since_b=leg_b.entry_usd)


def step(state: PairState, tick: PairTick, p: Parameters) -> tuple[PairState, tuple[CovenantEvent, ...]]:
    """Return the state after ``tick`` and its events, in the order in which they happened."""
    log: list[CovenantEvent] = []
    evidence = sha256(repr(tick).encode()).hexdigest()
    # Modes are ordered by severity: the worse of age and gap is in force.
    stale = max(staleness.stale_mode(tick.age_s, p), tick.gap)
    usable = stale == Mode.LIVE and tick.spread_pp == tick.spread_pp
    state = _signed(state, tick) if usable else state

    def note(kind: str, reason: str, **values: float) -> None:
        log.append(CovenantEvent(tick.t_ns, kind, reason, tuple(values.items()), evidence, state.version))

    if state.machine.pending and usable:
        state, done, alert = _reallocated(state, tick, p)
        note(
            "reallocation", done.status, fill_fraction=done.fill.fraction, transfer_usd=done.transfer_usd,
            residual_size=done.residual_size, residual_transfer_usd=done.residual_transfer_usd,
            spread_pp=alert.spread_pp, band_pp=alert.band_pp, leverage_cap=alert.leverage_cap,
            liquidation_a_before_usd=alert.liquidation_before_usd[0],
            liquidation_b_before_usd=alert.liquidation_before_usd[1],
            liquidation_a_after_usd=alert.liquidation_after_usd[0],
            liquidation_b_after_usd=alert.liquidation_after_usd[1],
        )  # fmt: skip
    if stale == Mode.REDUCE_ONLY and state.machine.mode != Mode.REDUCE_ONLY:
        state = replace(state, leverage_cap=max(p.l_min, staleness.STALE_CAP * state.leverage_cap))
    elif usable:
        state, cut = _capped(state, tick, p)
        if cut:
            note("leverage_cut", "existing exposure above the cap", leverage_cap=tick.leverage_cap)
    accepts = revision.accepts(tick.t_ns, state.revised_ns)
    before = state.machine
    magnitude = abs(tick.spread_pp)
    machine = advance(before, magnitude, tick.raw_band_pp, tick.decorrelated, stale, accepts, p)
    if usable and not accepts:
        note("revision", "rejected: within 60 s of the last")
    elif usable and tick.raw_band_pp == tick.raw_band_pp:
        state = replace(state, revised_ns=tick.t_ns)
        note("revision", "accepted", band_pp=machine.band_pp, leverage_cap=state.leverage_cap)
    if machine.mode != before.mode:
        note("transition", machine.reason, before=float(before.mode), after=float(machine.mode), spread_pp=magnitude)
    return replace(state, machine=machine, bar=state.bar + 1), tuple(log)


def _signed(state: PairState, tick: PairTick) -> PairState:
    """Note the last bar at which the spread had the other sign: losses are counted from there."""
    sign = int(tick.spread_pp > 0) - int(tick.spread_pp < 0)
    # A spread of exactly 0 has no sign: the bars since the last change of sign go on.
    if sign == 0:
        return state
    if state.sign not in (0, sign):
        state = replace(state, since_a=state.last_a, since_b=state.last_b)
    return replace(state, sign=sign, last_a=tick.price_a, last_b=tick.price_b)


def _reallocated(
    state: PairState, tick: PairTick, p: Parameters
) -> tuple[PairState, reallocation.Reallocation, alerts.Alert]:
    a_gives = reallocation.breached_is_a(
        state.leg_a.size, state.leg_b.size, tick.price_a - state.since_a, tick.price_b - state.since_b
    )
    donor, recipient = (state.leg_a, state.leg_b) if a_gives else (state.leg_b, state.leg_a)
    mark, book, lot = (tick.price_a, tick.book_a, state.lot_a) if a_gives else (tick.price_b, tick.book_b, state.lot_b)
    share = reallocation.share_of(p, abs(tick.spread_pp), state.machine.band_pp)
    done = reallocation.reallocate(donor, recipient, mark, book, state.leverage_cap, share, lot, state.taker_fee, p)
    legs = (done.donor, done.recipient) if a_gives else (done.recipient, done.donor)
    filled = done.fill.filled > 0
    # An order that met no depth is no execution and does not count towards MANUAL.  [covenants 6.5]
    machine = executed(state.machine, state.bar, p) if filled else replace(state.machine, pending=False)
    alert = alerts.Alert(
        tick.t_ns, tick.spread_pp, state.machine.band_pp, state.leverage_cap, done.fill.fraction, done.transfer_usd,
        done.residual_size, done.residual_transfer_usd, alerts.liquidation_prices(state.leg_a, state.leg_b),
        alerts.liquidation_prices(*legs), machine.mode, done.status,
    )  # fmt: skip
    return replace(state, machine=machine, leg_a=legs[0], leg_b=legs[1]), done, alert


def _capped(state: PairState, tick: PairTick, p: Parameters) -> tuple[PairState, bool]:
    """Take over the tick's cap; cut a leg whose leverage has been a tenth above it for five bars.  [covenants 5.4]"""
    counts, legs, cut = [], [], False
    sides = (
        (state.leg_a, tick.price_a, tick.book_a, state.lot_a),
        (state.leg_b, tick.price_b, tick.book_b, state.lot_b),
    )
    for (leg, price, book, lot), count in zip(sides, state.over_cap, strict=True):
        # As a product: the quotient by an equity at or below zero would lose its sign.
        limit = leverage_cap.TOLERANCE * tick.leverage_cap * leg.equity_usd(price)
        count = count + 1 if abs(leg.size) * price > limit else 0
        if count >= leverage_cap.PATIENCE_BARS:
            leg = reallocation.reduce_to_cap(leg, price, book, tick.leverage_cap, lot, state.taker_fee, p)
            count, cut = 0, True
        counts.append(count)
        legs.append(leg)
    after = replace(
        state, leverage_cap=tick.leverage_cap, leg_a=legs[0], leg_b=legs[1], over_cap=(counts[0], counts[1])
    )
    return after, cut
