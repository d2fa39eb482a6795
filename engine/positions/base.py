"""The records of a trade's life: signal, open position, resolved position, settled trade.  [S4]

A `Position` does not depend on costs: exit rules read mids and funding only [S4.5], so the time and reason of the exit
are known before margin and shared depth are decided, and neither can change them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.records import CostModel, ExitReason


@dataclass(frozen=True, slots=True)
class LegQuote:
    """The quote of one leg at one grid time.  Prices in the instrument's price currency, sizes in base units."""

    code: int
    quantity: float  # signed, base units per unit of base notional of the package
    quote_ns: int  # knowable time of the quote
    bid: float
    ask: float
    mid: float
    bid_size: float  # NaN where unknown
    ask_size: float
    usd: float  # USDC per unit of the price currency at that time
    money: float  # USDC per unit of price as it is paid: other than usd for a quanto
    weight: float  # |quantity| x mid x money / S: the leg's notional per unit of package notional
    fee_bps: float  # one side, of the leg's notional
    exit_fee_bps: float  # of the leg's notional; the delivery fee where it is held to expiry
    spread_bps: float  # 1e4 (ask - bid)/mid; NaN where unknown
    slip_bps: float  # registered fallback where depth is unknown, else 0
    depth_usd: float  # touch notional on the side that is hit; NaN where unknown


Series = tuple[tuple[int, float], ...]
"""Values in order of time, each with its time in microseconds."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One emitted violation: the package, its quotes, and its gross, costs and net.  [S4.1-S4.3]"""

    constraint: str  # C1 .. C7
    underlying: str
    venue: str
    expiry_ns: int
    side: int
    short: int
    t_ns: int  # decision time
    fold: int  # -1: history
    spot_usd: float
    legs: tuple[LegQuote, ...]
    gross_bps: float
    carry_bps: float
    borrow_bps: float
    capital_bps: float
    cost_bps: float
    net_bps: float
    threshold_bps: float
    size_usd: float
    cost_model: CostModel
    chosen: tuple[float, ...]  # the quantities of the legs before they were rounded to lots
    lots: tuple[int, ...]  # of each leg; empty where none are registered, and the quantities are as chosen
    detail: Mapping[str, float]  # constraint specific: z, score, funding rate ...
    signal_id: str  # "" until identified by the ledger
    provenance_hash: str
    series: Mapping[str, Series] = field(default_factory=dict)  # name -> what the rule read of its past


@dataclass(frozen=True, slots=True)
class Funding:
    """One funding settlement of one leg strictly inside the position's life, or what accrued up to a grid time of it.

    A missing settlement has a NaN ``rate``: it pays nothing and is flagged and counted.
    """

    t_ns: int
    leg: int
    rate: float
    price_usd: float  # the price that funding is paid on: the venue's mark or index, else a substitute (then `flagged`)
    flagged: bool
    accrued: bool = False  # since the grid time before: the share up to the exit is the position's too

    def is_before(self, exit_ns: int) -> bool:
        """Return whether a position that ends at ``exit_ns`` receives it: a settlement only if it comes before."""
        return self.t_ns < exit_ns or (self.accrued and self.t_ns == exit_ns)


@dataclass(frozen=True, slots=True)
class Trigger:
    """The rule that ends a position, and the grid time at which it first held: from then on nothing takes it back."""

    reason: ExitReason  # stopped or converged
    t_ns: int


@dataclass(frozen=True, slots=True)
class DayMark:
    """The marks of the legs at the end of one UTC day: price in price currency, USD per profit currency, staleness."""

    day: int  # days since 1970-01-01
    price: tuple[float, ...]
    usd: tuple[float, ...]
    stale: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class Position:
    """A resolved signal: its entry and its exit, independent of costs.  [S4.4, S4.5]

    ``entry`` is empty if the signal was not filled (``void``).  ``exit_price`` are the mids, or the settlement prices
    of expired legs, in price currency; ``exit_usd`` the USD per unit of the leg's *profit* currency at exit (coin for
    an inverse leg or a premium in coin); ``exit`` the quotes that exit costs come from.  ``gap`` marks legs without a
    quote at exit, which are priced at their last usable one.  ``flags`` names the substitutes that were used:
    ``delivery_from_index_mean``, ``settlement_from_index``, ``settlement_from_reference``, ``settlement_from_mark``,
    ``funding_missing``, ``funding_price``; ``delivery_unknown`` says that it ended before an averaging window because
    the settlement price of its expiry is not known, which is known ``known_after_ns`` after the exit.  ``trigger`` is
    None if neither stop nor convergence was met; it is kept where horizon or expiry came before its fill.
    """

    signal: Signal
    entry_ns: int
    exit_ns: int
    reason: ExitReason
    entry: tuple[LegQuote, ...]
    entry_usd: tuple[float, ...]  # as exit_usd, at entry
    exit: tuple[LegQuote, ...]
    exit_price: tuple[float, ...]
    exit_usd: tuple[float, ...]
    expired: tuple[bool, ...]
    gap: tuple[bool, ...]
    entry_gross_bps: float
    marks: tuple[DayMark, ...]
    funding: tuple[Funding, ...]
    forced: bool  # closed because the window ended  [statistics R1.8]
    flags: tuple[str, ...]
    trigger: Trigger | None = None
    known_after_ns: int = 0
    first_index: Position | None = (
        None  # where no settlement price came: as settled by the first index after, shown only
    )

    @property
    def known_ns(self) -> int:
        """The time from which the end is known: that of the exit, except where no settlement price came."""
        return self.exit_ns + self.known_after_ns


@dataclass(frozen=True, slots=True)
class LegMark:
    """The last mark of a leg: price in price currency, USD per unit of profit currency, and its knowable time."""

    price: float
    usd: float
    t_ns: int


@dataclass(frozen=True, slots=True)
class OpenPosition:
    """A signal that is not resolved by the last grid time read; carried from block to block.

    Before the entry ``entry_ns`` is NEVER_NS and the tuples are empty.  ``last`` is each leg's last usable quote in the
    direction of the exit, ``seen`` its last mark, ``seen_ns`` the last grid time read.  ``funding_usd`` is the funding
    received by settlements at or before ``seen_ns``, USD per unit of base notional.  ``undelivered`` is the position as
    it has ended if the settlement price of its next expiry stays unknown.  With a ``trigger`` it waits for its fill.
    """

    signal: Signal
    entry_ns: int
    entry: tuple[LegQuote, ...]
    entry_usd: tuple[float, ...]
    entry_gross_bps: float
    last: tuple[LegQuote, ...]
    seen: tuple[LegMark, ...]
    seen_ns: int
    marks: tuple[DayMark, ...]
    funding: tuple[Funding, ...]
    funding_usd: float
    trigger: Trigger | None = None
    undelivered: Position | None = None


@dataclass(frozen=True, slots=True)
class Trade:
    """The amounts of a position in integer micro-USD, by term and by the day on which each part was earned.

    Invariant: ``net = gross - fees - slippage + funding - borrow`` and ``sum(accruals.values()) == net``, exactly.
    ``fees``, ``slippage`` and ``borrow`` are amounts paid; ``funding`` is received (+) or paid (-).
    """

    position: Position
    notional_usd: float
    rejected: str  # "" if traded, else the reason: margin, void
    gross: int
    fees: int
    slippage: int
    funding: int
    borrow: int
    net: int
    modelled: int  # net of the decision x notional, for capture and H2's comparison
    accruals: Mapping[int, int]  # day -> micro-USD
    first_index: Mapping[int, int] = field(default_factory=dict)  # the accruals of `Position.first_index`, shown only
