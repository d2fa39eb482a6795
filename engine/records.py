"""The records of the engine, in the order in which data flows: columns where there are many, else a record.  [S1]

Everything is frozen, arrays are read-only once shared; units end the names: ``_ns`` nanoseconds UTC, ``_bps`` basis
points of the reference price, ``_usd`` dollars.  Columns of another shape or dtype raise ``DataError``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from engine.arguments import require_ascending, require_codes, require_columns
from engine.units import NS_PER_SECOND

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
CodeArray = NDArray[np.int32]
ByteArray = NDArray[np.uint8]
BoolArray = NDArray[np.bool_]
SideArray = NDArray[np.int8]


ACCRUAL_NS: Final = 60 * NS_PER_SECOND
"""The interval that stands for funding that accrues: its settled rates are the shares of single minutes, and its
published rate is for eight hours.
"""


class Kind(IntEnum):
    """What an instrument is.  [S1.2]"""

    SPOT = 0
    PERP = 1
    FUTURE = 2
    OPTION = 3


class Right(IntEnum):
    """Which option it is; ``NONE`` for everything else."""

    NONE = 0
    CALL = 1
    PUT = 2


class Feed(IntEnum):
    """The kind of data that a source has of an instrument's book, which decides the cost model.  [S3.3]

    ``BOOK`` touch prices with sizes; ``TOUCH`` touch prices without sizes; ``BAR`` the last close, bid = ask = close,
    spread unknown; ``MARK`` the venue's mark only, bid = ask = mark, never executable: used where a study says so.
    """

    BOOK = 0
    TOUCH = 1
    BAR = 2
    MARK = 3


class Quality(IntEnum):
    """The reason that a quote is unusable at a grid time; 0 is usable.  Counted by instrument and day.  [S1.4, S1.5]"""

    USABLE = 0
    NEVER_QUOTED = 1
    ONE_SIDED = 2
    STALE = 3
    CROSSED = 4
    NON_POSITIVE = 5
    NO_SIZE = 6
    NO_CONVERSION = 7
    FAR_FROM_MEDIAN = 8
    UNIT_CHANGE = 9
    EXPIRED = 10
    SKEWED = 11


class ExitReason(StrEnum):
    """Why a position ended.  The order is the order of tests inside one grid step.  [S4.5]"""

    VOID = "void"
    VENUE = "venue"
    EXPIRED = "expired"
    COVENANT = "covenant"
    STOPPED = "stopped"
    CONVERGED = "converged"
    HORIZON = "horizon"
    DATA_GAP = "data_gap"
    DELISTED = "delisted"


class CostModel(IntEnum):
    """How much of the book the cost of a package is based on; the leg with the least data decides.  [S3.3]"""

    DEPTH = 0
    SPREAD = 1
    FALLBACK = 2


@dataclass(frozen=True, slots=True)
class Instruments:
    """A data set's instruments, one row each; the row number is the instrument's ``code``.  [S1.2]

    ``name`` is ``venue:symbol`` and unique.  ``underlying`` is the coin whose packages the instrument may join
    (``BTC``, ``ETH``), or ``FX`` for a pair of dollars, which joins every underlying.  ``quote`` is the currency of its
    *prices*: for a coin-settled option the coin itself (premium in coin per coin), for an inverse perp ``USD``;
    ``settle`` is its money.  Two dollars make it a quanto: a unit of price is paid as one of money.  [venues V1]
    """

    name: tuple[str, ...]
    venue: tuple[str, ...]
    symbol: tuple[str, ...]
    underlying: tuple[str, ...]
    kind: ByteArray
    base: tuple[str, ...]
    quote: tuple[str, ...]
    settle: tuple[str, ...]
    contract_size: FloatArray
    inverse: BoolArray
    expiry_ns: IntArray  # NEVER_NS where it does not expire
    strike: FloatArray  # NaN where it is no option
    right: ByteArray
    tick: FloatArray  # NaN where unknown
    feed: ByteArray
    bar_ns: IntArray  # length of a bar, 0 for quotes
    funding_interval_ns: IntArray  # between settlements, aligned to 1970-01-01; 0: none is paid; ACCRUAL_NS: accrues

    def __post_init__(self) -> None:
        require_columns(self, (len(self.name),))

    def __len__(self) -> int:
        return len(self.name)

    @property
    def accrues(self) -> BoolArray:
        """Which instruments pay funding continuously, recorded minute by minute, ``[codes]``.  [venues V3]"""
        return np.asarray(self.funding_interval_ns == ACCRUAL_NS)

    def code_of(self, name: str) -> int:
        """Return the code of ``name``, or -1 if the data set has no such instrument."""
        try:
            return self.name.index(name)
        except ValueError:
            return -1


@dataclass(frozen=True, slots=True)
class Panel:
    """One underlying over one span of grid times, as dense ``[T, N]`` float64 arrays.  [S1.3]

    Row t holds, for each instrument, the last values knowable at ``times_ns[t]`` or before, whatever their age; what
    was never known is NaN.  Column n is the instrument ``code[n]`` of ``instruments``; codes ascend.
    """

    underlying: str
    times_ns: IntArray  # [T]
    code: CodeArray  # [N]
    instruments: Instruments
    bid: FloatArray  # in the price currency of the instrument
    ask: FloatArray
    bid_size: FloatArray  # base units; NaN where the feed has none
    ask_size: FloatArray
    age_ns: IntArray  # of the quote; NEVER_NS where never quoted
    mark: FloatArray  # the venue's mark, price currency
    index: FloatArray  # the venue's index of the underlying, in the dollar of the price; USD for a price in coin
    funding_rate: FloatArray  # rate of the interval in force, as last published, per funding interval
    funding_mean: FloatArray  # time average of the published rate over the trailing registered span (8 h), per interval
    funding_8h: FloatArray  # what eight hours cost where funding accrues, as the venue last said
    settled_mean: FloatArray  # mean of the rates settled in (t - 8 h, t]; NaN unless half of them came
    funding_paid: FloatArray  # sum of the rates settled in (t-1, t]; 0 where none was due, NaN where one is missing
    settlement: FloatArray  # the venue's settlement (delivery) price once known, in the dollar of the index; else NaN
    delivery_mean: FloatArray  # from expiry on: mean of the venue's index over its averaging window; else NaN

    def __post_init__(self) -> None:
        rows, columns = np.size(self.times_ns), np.size(self.code)
        require_columns(self, (rows, columns), {"times_ns": (rows,), "code": (columns,)})
        # Rows and columns are found by bisection.
        require_ascending("Panel.times_ns", self.times_ns)
        require_ascending("Panel.code", self.code)
        require_codes("Panel.code", self.code, len(self.instruments))

    @property
    def shape(self) -> tuple[int, int]:
        """Return (T, N)."""
        return len(self.times_ns), len(self.code)

    def column(self, code: int) -> int:
        """Return the column of instrument ``code``, or -1 if the panel has none."""
        column = int(np.searchsorted(self.code, code))
        return column if column < len(self.code) and self.code[column] == code else -1


@dataclass(frozen=True, slots=True)
class CurveHistory:
    """The curves of one underlying at 00:00 UTC of days before the panel's, on the registered tenors.  [S2.C5]"""

    day: IntArray  # [D] days since 1970-01-01, ascending
    curve: FloatArray  # [D, m] annualised; only complete curves are kept

    def __post_init__(self) -> None:
        days = np.size(self.day)
        require_columns(self, (days,), {"curve": (days, *np.shape(self.curve)[1:2])})


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of one constraint on one block: an episode's key without its constraint and underlying.  [S4.2]

    One row per (venue, expiry, side, short leg).  ``side`` is +1 or -1 with the meaning the constraint gives it;
    ``short`` is the code of the leg that is sold; ``expiry_ns`` NEVER_NS where the relation has none.
    """

    venue: tuple[str, ...]  # [K]
    expiry_ns: IntArray
    side: SideArray
    short: CodeArray

    def __post_init__(self) -> None:
        require_columns(self, (len(self.venue),))

    def __len__(self) -> int:
        return len(self.venue)


LEGS = 4
"""The most legs a package has: C6 may set a synthetic (call and put) against one perp or spot."""


@dataclass(frozen=True, slots=True)
class Packages:
    """Packages in columns, one row a (grid time, key).  [S2.0]

    ``column[m, l]`` is the panel column of leg l, -1 where the package has fewer legs; ``quantity[m, l]`` its signed
    quantity in base units per unit of base notional of the package (+ bought, - sold), 0 beside -1.
    """

    row: CodeArray  # [M] row of the panel
    key: CodeArray  # [M] row of the Keys of the scan
    column: CodeArray  # [M, LEGS]
    quantity: FloatArray  # [M, LEGS]
    gross_bps: FloatArray  # [M] at mids, >= 0 in the direction in which it can be traded
    carry_bps: FloatArray  # [M] signed: + is received over the planned life
    detail: Mapping[str, FloatArray] = field(default_factory=dict)  # [M] each: what the rule records with a signal

    def __post_init__(self) -> None:
        legs = (len(self.row), LEGS)
        require_columns(self, legs[:1], {"column": legs, "quantity": legs})

    def __len__(self) -> int:
        return len(self.row)


@dataclass(frozen=True, slots=True)
class Costs:
    """The cost of packages in bps of S, with the parts from which the net can be recomputed.  [S3.7]

    ``fee``, ``spread`` and ``impact`` are ``[M, LEGS]`` bps of S for the round trip; ``impact`` holds the fallback
    slippage of legs without depth.  ``cost_bps`` is their sum over legs plus borrow and capital: everything.
    """

    size_usd: FloatArray  # [M] notional at which the cost was evaluated: that of whole lots, else the size looked for
    fee_bps: FloatArray
    spread_bps: FloatArray
    impact_bps: FloatArray
    borrow_bps: FloatArray  # [M]
    capital_bps: FloatArray  # [M]
    cost_bps: FloatArray  # [M]
    model: ByteArray  # [M] CostModel
    fits: BoolArray  # [M] whether every leg is a whole number of lots at that size  [venues V4]

    def __post_init__(self) -> None:
        legs = (len(self.size_usd), LEGS)
        require_columns(self, legs[:1], {"fee_bps": legs, "spread_bps": legs, "impact_bps": legs})


@dataclass(frozen=True, slots=True)
class Violations:
    """The packages of one constraint on one block with their costs and nets, sorted by (row, key).  [S2.0]

    ``evaluated[t, k]`` is True where the key could be judged: absent and evaluated means a net under the floor, absent
    and not evaluated no known net, which resets persistence.  [S4.2]
    """

    constraint: str  # C1 .. C7
    keys: Keys
    packages: Packages
    costs: Costs
    net_bps: FloatArray  # [M] gross + carry - cost
    fires: BoolArray  # [M] net >= threshold, as int64 micro-bps, and no reason against
    reason: tuple[str, ...]  # [M] "" or skew, quarantine, peg, depth, threshold, untradable
    evaluated: BoolArray  # [T, K]
    funnel: Mapping[str, int]  # examined, usable, violations, over_threshold, untradable, other_fits
    best_bps: float = float("nan")  # the largest net before impact of the block, under the floor or not; NaN: none
    missing: str | None = None

    def __post_init__(self) -> None:
        require_columns(self, (len(self.packages),), {"evaluated": (*np.shape(self.evaluated)[:1], len(self.keys))})
