"""Pictures of a covenant study: band and breaches, cap, states, margin flows, specification curve, accounts."""

from __future__ import annotations

import numpy as np
import pandas as pd

from reports.figures.style import BLUE, GREEN, GREY, INK, ORANGE, PINK, RED, SKY, YELLOW, canvas, legend_above

MODES = ("WARMUP", "LIVE", "BREACH", "MANUAL", "FREEZE", "REDUCE_ONLY")
COLOURS = (GREY, GREEN, ORANGE, RED, SKY, PINK)
MOST_POINTS = 4000


def spread_and_band(signals: pd.DataFrame) -> str:
    """Return |S| with the band in force, the leverage cap below it, and the state ribbon under both."""
    # Each point is a shape of the SVG: a year of minutes would be a page of many megabytes.
    step = max(1, len(signals) // MOST_POINTS)
    shown = signals.iloc[::step]
    when = pd.to_datetime(shown["t_ns"])
    with canvas("spread", height=5.2, rows=3) as sheet:
        top, middle, bottom = sheet.axes
        top.plot(when, shown["spread_pp"].abs(), color=BLUE, lw=0.5, label="|S|")
        top.plot(when, shown["in_force_pp"], color=INK, lw=0.8, ls="--", label="band in force")
        over = signals[signals["spread_pp"].abs() > signals["in_force_pp"]]
        # Thinned by itself: every n-th bar of all would miss most breaches.
        over = over.iloc[:: max(1, len(over) // 800)]
        top.plot(pd.to_datetime(over["t_ns"]), over["spread_pp"].abs(), ".", color=RED, ms=2.0, label="above the band")
        top.set_ylabel("pp")
        legend_above(top)
        middle.step(when, shown["leverage_cap"], color=BLUE, lw=0.8, where="post")
        middle.set_ylabel("cap, times equity")
        mode = shown["mode"].to_numpy(np.int64)
        for number, colour in enumerate(COLOURS):
            at = when[mode == number]
            if len(at):
                bottom.plot(at, np.full(len(at), number), "|", color=colour, ms=8, mew=0.6)
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
            bottom.plot(when, path / np.maximum.accumulate(path) - 1.0, color=colour, ls=dash, lw=1.0)
        top.set_ylabel("equity, start = 1")
        bottom.set_ylabel("drawdown")
        legend_above(top)
    return sheet.svg


def specification_curve(curve: pd.DataFrame) -> str:
    """Return the reduction of drawdown against p1 of every configuration, sorted, with the claimed range."""
    with canvas("curve", height=4.4, rows=2) as sheet:
        for ax, side in zip(sheet.axes, ("short_a", "long_a"), strict=True):
            part = curve[curve["side"] == side]
            change = np.sort(1.0 - part["mdd"].to_numpy(np.float64) / part["mdd_p1"].to_numpy(np.float64))
            ax.axhspan(0.12, 0.18, color=YELLOW, alpha=0.35, lw=0)
            ax.axhline(0, color=INK, lw=0.7)
            ax.plot(np.arange(change.size), change, "o", color=BLUE, ms=3)
            ax.set_ylabel("1 - MDD / MDD of p1")
            ax.set_title(f"{side}: {change.size} configurations, {int((change > 0).sum())} above 0")
    return sheet.svg


def placebo(draws: pd.DataFrame, measured: dict[str, float]) -> str:
    """Return the distribution of drawdowns of p3 in each orientation, and the covenanted account's own."""
    with canvas("placebo", height=2.6, columns=2) as sheet:
        for ax, side in zip(sheet.axes, ("short_a", "long_a"), strict=True):
            ax.hist(draws[f"mdd_{side}"], bins=40, color=SKY)
            ax.axvline(measured[side], color=RED, lw=1.6)
            ax.set_title(f"{side}: drawdown of p3 (bars), SCPC (line)")
    return sheet.svg


def transfers(facts: pd.DataFrame) -> str:
    """Return what moved through each covenanted account, in multiples of its capital: transfers, fees, funding."""
    part = facts[facts["account"].str.match(r"b(_scaled|_principled|0)?_(short_a|long_a)$")]
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
