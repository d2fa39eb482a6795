"""The refresh of quotes that are sent on change, branch by branch, by hand.  [live L0.4]"""

from __future__ import annotations

import pandas as pd
import pytest

from backtest.data.format.schema import LAG, REFRESHED, Channel
from backtest.data.raw.control_log import ControlEvent
from backtest.data.raw.gap_ledger import GapRow
from backtest.live.clock_bounds import ClockBounds, largest_bound_ns
from backtest.live.refresh import Refresh, beats_of, with_lags
from engine.units import NS_PER_SECOND

S = NS_PER_SECOND
MINUTE = 60 * S
NAME = "deribit:BTC-26MAR27-90000-C"
OTHER = "deribit:BTC-PERPETUAL"


def beat(answered_ns: int, connection: int = 1) -> ControlEvent:
    fields = {"venue": "deribit", "feed": "deribit-stream-0", "connection": connection,
              "sent_ns": answered_ns - S, "answered_ns": answered_ns}  # fmt: skip
    return ControlEvent(answered_ns, answered_ns, "heartbeat", fields)


def quotes(*rows: tuple[int, str, float], lags: dict[int, int] | None = None) -> pd.DataFrame:
    frame = pd.DataFrame(
        [{"channel": int(Channel.QUOTE), "t_ns": t, "name": name, "bid": bid} for t, name, bid in rows]
    )
    return with_lags(frame, [(t, name, (lags or {}).get(t, 0)) for t, name, _ in rows])


def refreshed(
    messages: list[tuple[int, int, str]], beats: list[ControlEvent], frame: pd.DataFrame, *gaps: GapRow
) -> list[tuple[int, str, float, int]]:
    """Rows repeated after ``messages`` (connection, receipt, instrument or "")."""
    refresh = Refresh(beats_of(beats))
    for connection, t_ns, name in messages:
        refresh.see("deribit", connection, t_ns, [(t_ns, name)] if name else [])
    rows = refresh.rows(frame, gaps)
    assert rows[REFRESHED].all()
    return [tuple(row) for row in rows[["t_ns", "name", "bid", LAG]].itertuples(index=False)]


QUIET = [(1, 5 * S, NAME), (1, 50 * S, ""), (1, 70 * S, ""), (1, 110 * S, "")]
"""A quote at 5 s; the last messages of the first two minutes are at 50 s and 110 s."""
BEATS = [beat(45 * S), beat(100 * S)]


def test_a_quiet_quote_is_repeated_at_the_last_message_of_each_minute_with_its_own_age() -> None:
    found = refreshed(QUIET, BEATS, quotes((5 * S, NAME, 7.0), lags={5 * S: S}))
    assert found == [(50 * S, NAME, 7.0, 46 * S), (110 * S, NAME, 7.0, 106 * S)]


@pytest.mark.parametrize(("answered", "repeats"), [(35 * S, 1), (35 * S - 1, 0), (51 * S, 0), (None, 0)])
def test_a_heartbeat_must_have_been_answered_in_the_fifteen_seconds_before(answered: int | None, repeats: int) -> None:
    beats = [] if answered is None else [beat(answered)]
    assert len(refreshed(QUIET[:2], beats, quotes((5 * S, NAME, 7.0)))) == repeats


@pytest.mark.parametrize(
    ("gap", "repeats"),
    [((20 * S, 30 * S), 0), ((20 * S, None), 0), ((1 * S, 5 * S), 1), ((50 * S, None), 1), ((5 * S, 6 * S), 0)],
)
def test_no_gap_since_the_quote(gap: tuple[int, int | None], repeats: int) -> None:
    """One that ended with the quote, or begins after the message, is none since."""
    row = GapRow(NAME, "deribit", "ticker", *gap, "sequence", "x")
    frame = quotes((5 * S, NAME, 7.0))
    assert len(refreshed(QUIET[:2], BEATS, frame, row)) == repeats
    assert len(refreshed(QUIET[:2], BEATS, frame, row._replace(instrument=OTHER))) == 1


def test_another_connection_refreshes_nothing() -> None:
    messages = [(1, 5 * S, NAME), (2, 50 * S, "")]
    assert refreshed(messages, [beat(45 * S), beat(45 * S, 2)], quotes((5 * S, NAME, 7.0))) == []


def test_a_quote_that_came_later_on_another_connection_is_not_overwritten() -> None:
    """The old connection still lives; what it said is not the last of the instrument."""
    messages = [(1, 5 * S, NAME), (2, 20 * S, NAME), (1, 50 * S, ""), (2, 40 * S, "")]
    frame = quotes((5 * S, NAME, 7.0), (20 * S, NAME, 8.0))
    assert refreshed(messages, [beat(45 * S)], frame) == []
    assert refreshed(messages, [beat(45 * S), beat(30 * S, 2)], frame) == [(40 * S, NAME, 8.0, 20 * S)]


def test_a_late_quote_is_not_refreshed_and_a_fresh_one_needs_no_repeat() -> None:
    late = quotes((5 * S, NAME, 7.0), lags={5 * S: 2 * S + 1})
    assert refreshed(QUIET[:2], BEATS, late) == []
    assert len(refreshed(QUIET[:2], BEATS, quotes((5 * S, NAME, 7.0), lags={5 * S: 2 * S}))) == 1
    assert refreshed([(1, 50 * S, NAME)], BEATS, quotes((50 * S, NAME, 7.0))) == []


def test_a_stream_that_is_not_sent_on_change_is_not_refreshed() -> None:
    assert refreshed([(1, 5 * S, ""), (1, 50 * S, "")], BEATS, quotes((5 * S, OTHER, 7.0))) == []


def clock(at_ns: int, server_ns: int, venue: str = "deribit", unit: int = 1_000_000) -> ControlEvent:
    fields = {"venue": venue, "t1_ns": at_ns - S, "server_ns": server_ns, "t2_ns": at_ns, "server_unit_ns": unit}
    return ControlEvent(at_ns, at_ns, "clock", fields)


def test_the_bound_of_the_clock_is_that_of_the_last_answer_of_the_venue() -> None:
    bounds = ClockBounds([clock(MINUTE, MINUTE - 3 * S), clock(2 * MINUTE, 2 * MINUTE + S), clock(MINUTE, 0, "x")])
    assert [bounds.upper_ns("deribit", t) for t in (MINUTE - 1, MINUTE, 2 * MINUTE - 1, 2 * MINUTE)] == [
        0,
        3 * S,
        3 * S,
        -S,
    ]
    assert bounds.upper_ns("hyperliquid", MINUTE) == 0
    assert largest_bound_ns([clock(MINUTE, MINUTE - 3 * S)], 0, 2 * MINUTE) == 3 * S
    assert largest_bound_ns([], 0, MINUTE) is None
