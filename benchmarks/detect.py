"""How fast are seven relations judged: quotes a second, against merely reading the arrays they are judged on.

``python benchmarks/detect.py`` takes a full SYNTHETIC day of one underlying (`benchmarks.fullday`); the peer is a plain
quadratic NumPy prototype of C3, C4 and C7 on the same mids and charges: every pair of strikes, no legs, no counts.
"""

from __future__ import annotations

import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import fullday
from benchmarks.measure import Row, against, by_numpy, machine, table
from engine.constraints.detect import detect
from engine.constraints.options.chain import chains, quotes
from engine.constraints.options.put_call_pairs import pairs
from engine.ledger.identify import identify_by_provenance
from engine.market.view import PreparedPanel, prepare
from engine.records import Panel
from engine.replay import advance, start


def prototype(view: PreparedPanel) -> float:
    """Return the largest net of C3, C4 (neighbouring wings over every pair of slopes) and C7, by every pair."""
    best = -np.inf
    for chain in chains(view, view.market.vertical_venues):
        premium = quotes(view, chain.column)
        buy, sell, strike = premium.buy, premium.sell, chain.strike
        for j in range(len(chain)):
            gap = (strike - strike[j])[:, None]
            other = buy - sell[j]
            best = max(best, float(np.nanmax(-other, initial=best)))
            with np.errstate(divide="ignore", invalid="ignore"):
                slope = other / gap
            left = np.fmax.reduce(slope[:j], axis=0, initial=-np.inf)
            right = np.fmin.reduce(slope[j + 1 :], axis=0, initial=np.inf)
            best = max(best, float(np.nanmax(left - right, initial=best)))
    for group in pairs(view):
        if group.future >= 0:
            call, put = quotes(view, group.call), quotes(view, group.put)
            value = 1.0 - group.strike[:, None] / view.mid[:, group.future]
            best = max(best, float(np.nanmax(np.abs(call.mid - put.mid - value) - call.trip - put.trip, initial=best)))
    return best


def as_read(panel: Panel) -> Panel:
    """Return the panel with its arrays column by column in memory, as the reader lays them."""
    arrays = {field.name: getattr(panel, field.name) for field in fields(Panel)}
    dense = {name: np.asfortranarray(array) for name, array in arrays.items() if getattr(array, "ndim", 0) == 2}
    return replace(panel, **dense)


def rows() -> list[Row]:
    """Return the rows of `prepare` and `detect` beside reading, NumPy and the peer, and of the step of a replay."""
    params, curves, fitted, panel = fullday.registered(), fullday.curves(), fullday.fitted(), as_read(fullday.block())
    arrays = [panel.bid, panel.ask, panel.bid_size, panel.ask_size, panel.mark, panel.index, panel.age_ns]
    count, size = panel.bid.size, sum(array.nbytes for array in arrays)
    identify = identify_by_provenance(panel.instruments, params, "0" * 64)

    def both() -> object:
        return detect(prepare(panel, params, curves), fitted)

    def step() -> object:
        return advance(start(curves), panel, params, fitted, 0, identify)

    def read() -> None:
        for array in arrays:
            np.max(array)

    def peer() -> object:
        return prototype(prepare(panel, params, curves))

    names = {
        "prepare": lambda: prepare(panel, params, curves),
        "prepare and detect, all seven": both,
        "the whole step of a replay": step,
    }
    found = [
        against(
            name, work, "read bid, ask, sizes, mark, index, age", read, count, "quotes",
            yardstick_amount=size, yardstick_unit="bytes", repeat_yardstick=10,
        )
        for name, work in names.items()
    ]  # fmt: skip
    return [
        *found,
        against(
            "prepare and detect, all seven",
            both,
            "the same by NumPy",
            by_numpy(both),
            count,
            "quotes",
            turns=5,
            aim="at most 0.2",
        ),
        against("prepare and detect, all seven", both, "quadratic prototype", peer, count, "quotes", turns=3),
    ]


if __name__ == "__main__":
    print(table(rows()))
    print(machine())
