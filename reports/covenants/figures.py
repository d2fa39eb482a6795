"""Pictures of a covenant study: band and breaches, cap, states, margin flows, specification curve, accounts."""

from __future__ import annotations

import numpy as np
import pandas as pd

from engine.records import FloatArray, IntArray
from reports.figures.style import BLUE, GREEN, GREY, INK, ORANGE, PINK, RED, SKY, YELLOW, canvas, legend_above

MODES = ("WARMUP", "LIVE", "BREACH", "MANUAL", "FREEZE", "REDUCE_ONLY")
COLOURS = (GREY, GREEN, ORANGE, RED, SKY, PINK)
MOST_POINTS = 4000
MOST_MARKS = 800


def spread_and_band(signals: pd.DataFrame) -> str:
    """Return |S| with the band in force, the leverage cap below it, and the state ribbon under both.

    A long study is thinned: the highest |S| and the lowest cap of each stretch of bars stay, and each state and the
    breaches are thinned by themselves.
    """
    when = pd.to_datetime(signals["t_ns"])
    size = signals["spread_pp"].abs()
    with canvas("spread", height=5.2, rows=3) as sheet:
        top, middle, bottom = sheet.axes
        shown = _thinned(size.to_numpy(np.float64))
        top.plot(when.iloc[shown], size.iloc[shown], color=BLUE, lw=0.5, label="|S|")
        top.plot(
            when.iloc[shown], signals["in_force_pp"].iloc[shown], color=INK, lw=0.8, ls="--", label="band in force"
        )
        over = np.flatnonzero(size > signals["in_force_pp"])
        over = over[:: _step(len(over), MOST_MARKS)]
        top.plot(when.iloc[over], size.iloc[over], ".", color=RED, ms=2.0, label="above the band")
        top.set_ylabel("pp")
        legend_above(top)
        cap = signals["leverage_cap"]
        shown = _thinned(-cap.to_numpy(np.float64))
        middle.step(when.iloc[shown], cap.iloc[shown], color=BLUE, lw=0.8, where="post")
        middle.set_ylabel("cap, times equity")
        mode = signals["mode"].to_numpy(np.int64)
        for number, colour in enumerate(COLOURS):
            at = np.flatnonzero(mode == number)
            at = at[:: _step(len(at), MOST_MARKS)]
            if len(at):
                bottom.plot(when.iloc[at], np.full(len(at), number), "|", color=colour, ms=8, mew=0.6)
        bottom.set_yticks(range(len(MODES)), MODES)
        bottom.set_ylabel("state")
    return sheet.svg


def accounts(equity: pd.DataFrame, view: str, stems: dict[str, str]) -> str:
    """Return equity and drawdown of the accounts ``stems`` (column stem -> label) in one view."""
    when = pd.to_datetime(equity["t_ns"])
    styles = ((INK, "-"), (RED, "-"), (BLUE, "--"), (GREEN, "-."), (ORANGE, ":"), (YELLOW, "-"))
    with canvas(f"accounts-{view}", height=4.6, rows=2) as sheet:
        top, bottom = sheet.axes
        # Dashes differ too: no fact is shown by colour alone (`figures.style`).
        for (stem, label), (colour, dash) in zip(stems.items(), styles, strict=False):
            name = f"{stem}_{view}" if f"{stem}_{view}" in equity else stem
            if name not in equity:
                continue
            path = equity[name].to_numpy(np.float64)
            top.plot(when, path, color=colour, ls=dash, lw=1.2, label=label)
            # As the measure has it: a ruined account has lost all, and no more.  [covenants 9.4]
            level = np.maximum(path, 0.0)
            bottom.plot(when, level / np.maximum.accumulate(level) - 1.0, color=colour, ls=dash, lw=1.0)
        top.set_ylabel("equity, start = 1")
        bottom.set_ylabel("drawdown, share of the best")
        legend_above(top)
    return sheet.svg


def specification_curve(curve: pd.DataFrame) -> str:
    """Return the reduction of drawdown against p1 of every configuration, sorted, with the claimed range.

    A configuration whose p1 never fell has no such ratio; the title counts it.
    """
    with canvas("curve", height=4.4, rows=2) as sheet:
        for ax, side in zip(sheet.axes, ("short_a", "long_a"), strict=True):
            part = curve[curve["side"] == side]
            defined = part[part["mdd_p1"] > 0]
            change = np.sort(1.0 - defined["mdd"].to_numpy(np.float64) / defined["mdd_p1"].to_numpy(np.float64))
            undefined = len(part) - len(defined)
            aside = f", {undefined} without a drawdown of p1" if undefined else ""
            ax.axhspan(0.12, 0.18, color=YELLOW, alpha=0.35, lw=0)
            ax.axhline(0, color=INK, lw=0.7)
            ax.plot(np.arange(change.size), change, "o", color=BLUE, ms=3)
            ax.set_ylabel("1 - MDD / MDD of p1")
            ax.set_title(f"{side}: {len(part)} configurations, {int((change > 0).sum())} above 0{aside}")
    return sheet.svg


def placebo(draws: pd.DataFrame, measured: dict[str, float]) -> str:
    """Return the distribution of drawdowns of p3 in each orientation, and the covenanted account's own."""
    with canvas("placebo", height=2.6, columns=2) as sheet:
        for ax, side in zip(sheet.axes, ("short_a", "long_a"), strict=True):
            ax.hist(draws[f"mdd_{side}"], bins=40, color=SKY)
            ax.axvline(measured[side], color=RED, lw=1.6)
            ax.set_title(f"{side}: drawdown of p3 (bars), SCPC (line)")
            ax.set_xlabel("maximal drawdown, share of the best")
            ax.set_ylabel("draws")
    return sheet.svg


def transfers(facts: pd.DataFrame) -> str:
    """Return what moved through each covenanted account, in multiples of its capital: transfers, fees, funding.

    Accounts of both orientations, in the order of ``facts``; funding above zero is received.
    """
    part = facts[facts["account"].str.match(r"b\w*_(short_a|long_a)$")]
    with canvas("flows", height=2.8) as sheet:
        ax, at = sheet.ax, np.arange(len(part))
        for shift, name, colour in ((-0.27, "transfers", BLUE), (0.0, "fees", RED), (0.27, "funding", GREEN)):
            if name in part:
                ax.bar(at + shift, part[name].fillna(0.0), 0.26, color=colour, label=name)
        ax.set_xticks(at, part["account"], rotation=20)
        ax.set_yscale("symlog", linthresh=0.1)
        ax.set_ylabel("times capital")
        legend_above(ax)
    return sheet.svg


def _step(n: int, most: int) -> int:
    return max(1, n // most)


def _thinned(values: FloatArray) -> IntArray:
    """Return the bars to draw: every n-th, and the highest of each n; NaN is never the highest."""
    # Each point is a shape of the SVG: a year of minutes would be a page of many megabytes.
    step = _step(len(values), MOST_POINTS)
    begins = np.arange(0, len(values), step)
    if step == 1:
        return begins
    known = np.where(np.isnan(values), -np.inf, values)
    highest = [begin + int(np.argmax(known[begin : begin + step])) for begin in begins]
    return np.union1d(begins, highest)
