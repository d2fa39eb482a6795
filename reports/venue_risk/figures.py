"""Pictures of a simulation, by the kind of its scenario."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from reports.figures.style import BLUE, GREY, HATCHES, INK, ORANGE, PALE, canvas, legend_above

Draw = Callable[[dict[str, Any], dict[str, pd.DataFrame]], str]
"""``draw(figures, tables)``: the SVG text of one picture."""
SHADES = {"read": BLUE, "recomputed": GREY, "ours": ORANGE}


def waves(_: dict[str, Any], tables: dict[str, pd.DataFrame]) -> str:
    """Return what each wave needed and what production took, on a logarithmic scale."""
    table = tables["waves"]
    place = np.arange(len(table))
    with canvas("waves", height=3.2) as sheet:
        sheet.ax.bar(place - 0.2, table["needed_usd"], 0.4, color=GREY, label="needed (recomputed)")
        sheet.ax.bar(place + 0.2, table["budget_prod"], 0.4, color=BLUE, hatch=HATCHES[1], label="taken (read)")
        sheet.ax.set_yscale("log")
        sheet.ax.set_xticks(place, [str(wave) for wave in table["wave"]])
        sheet.ax.set_xlabel("wave")
        sheet.ax.set_ylabel("USD")
        legend_above(sheet.ax)
    return sheet.svg


def policy_shares(figures: dict[str, Any], _: dict[str, pd.DataFrame]) -> str:
    """Return the largest share of a winner's profit by policy; hatches tell the layers apart."""
    policies = figures["policies"]
    names = list(policies)
    with canvas("policies", height=0.26 * len(names) + 0.9) as sheet:
        for hatch, layer in zip(HATCHES, SHADES, strict=False):
            rows = [i for i, name in enumerate(names) if policies[name]["layer"] == layer]
            shares = [100 * policies[names[i]]["largest_share"] for i in rows]
            sheet.ax.barh(rows, shares, color=SHADES[layer], hatch=hatch, label=layer)
        sheet.ax.set_yticks(range(len(names)), names)
        sheet.ax.invert_yaxis()
        sheet.ax.set_xlabel("largest share of one winner, %")
        legend_above(sheet.ax)
    return sheet.svg


def phase(_: dict[str, Any], tables: dict[str, pd.DataFrame]) -> str:
    """Return amplification by gain with its closed form, and the share of open interest liquidated below it."""
    table = tables["phase"]
    with canvas("phase", height=4.6, rows=2) as sheet:
        top, bottom = sheet.axes
        top.fill_between(table["gain"], table["low"], table["high"], color=PALE, label="tenth to ninetieth percent")
        top.plot(table["gain"], table["amplification"], color=BLUE, marker="o", ms=3, label="median of markets")
        top.plot(table["gain"], table["closed_form"], color=INK, ls="--", label="1 / (1 - G)")
        top.set_yscale("log")
        top.set_ylabel("amplification A")
        legend_above(top)
        bottom.plot(table["gain"], 100 * table["liquidated"], color=BLUE, marker="o", ms=3)
        bottom.set_ylabel("liquidated, % of open interest")
        bottom.set_xlabel("G: further liquidations by a unit of liquidations")
        for ax in (top, bottom):
            ax.axvline(1.0, color=GREY, ls=":", lw=1.0)
    return sheet.svg


def contagion(_: dict[str, Any], tables: dict[str, pd.DataFrame]) -> str:
    """Return the venues on a circle: arrows as wide as their gain, discs as dark as what is lost with contagion on."""
    edges = tables["feedback"]
    lost = tables["venues"].set_index(["contagion", "venue"])["lost"].loc["on"]
    angles = 2 * np.pi * np.arange(len(lost)) / len(lost)
    x, y = np.cos(angles), np.sin(angles)
    with canvas("contagion", width=5.0, height=5.0) as sheet:
        for source, target, gain in edges.itertuples(index=False):
            if source != target:
                sheet.ax.annotate(
                    "", (0.93 * x[target], 0.93 * y[target]), (0.93 * x[source], 0.93 * y[source]),
                    arrowprops={"arrowstyle": "-|>", "color": GREY, "lw": 8 * gain, "alpha": 0.6},
                )  # fmt: skip
        sheet.ax.scatter(x, y, s=900, c=lost, cmap="Blues", vmin=0.0, edgecolors=INK, zorder=3)
        for venue, share in enumerate(lost):
            sheet.ax.text(1.22 * x[venue], 1.22 * y[venue], f"{venue}: {share:.1%}", ha="center", va="center")
        sheet.ax.set_xlim(-1.45, 1.45)
        sheet.ax.set_ylim(-1.45, 1.45)
        sheet.ax.axis("off")
    return sheet.svg


def prices(_: dict[str, Any], tables: dict[str, pd.DataFrame]) -> str:
    """Return the price elsewhere, the oracle and the mark."""
    table = tables["path"]
    with canvas("prices", height=3.2) as sheet:
        styles = (("outside_usd", "elsewhere", INK, "-"), ("oracle_usd", "oracle", BLUE, "--"),
                  ("mark_usd", "mark", ORANGE, ":"))  # fmt: skip
        for column, label, colour, dash in styles:
            sheet.ax.plot(table["t_s"], table[column], color=colour, ls=dash, label=label)
        sheet.ax.set_xlabel("s")
        sheet.ax.set_ylabel("USD")
        legend_above(sheet.ax)
    return sheet.svg


def stress(_: dict[str, Any], tables: dict[str, pd.DataFrame]) -> str:
    """Return liquidated and deleveraged amounts, the insurance fund, and the least margin ratio."""
    table = tables["path"]
    with canvas("stress", height=6.0, rows=3) as sheet:
        top, middle, bottom = sheet.axes
        top.bar(table["t_s"], table["liquidated_usd"], width=8, color=BLUE, label="liquidated")
        top.bar(table["t_s"], table["deleveraged_usd"], width=8, color=ORANGE, hatch=HATCHES[1], label="deleveraged",
                bottom=table["liquidated_usd"])  # fmt: skip
        top.set_ylabel("USD")
        legend_above(top)
        middle.plot(table["t_s"], table["fund_usd"], color=INK)
        middle.set_ylabel("fund, USD")
        bottom.plot(table["t_s"], table["least_margin_ratio"].clip(upper=5), color=INK)
        bottom.axhline(1.0, color=GREY, ls=":")
        bottom.set_ylabel("least V / MM")
        bottom.set_xlabel("s")
    return sheet.svg


def haircuts(_: dict[str, Any], tables: dict[str, pd.DataFrame]) -> str:
    """Return the share of each deleveraged position that was closed, in the order of the queue."""
    shares = tables["haircuts"]["share_of_position"].to_numpy()
    with canvas("haircuts", height=2.6) as sheet:
        sheet.ax.bar(range(1, len(shares) + 1), 100 * shares, color=BLUE)
        sheet.ax.set_xlabel("deleveragings in the order in which they were made" if len(shares) else "none was made")
        sheet.ax.set_ylabel("% of the position")
    return sheet.svg


def margins(_: dict[str, Any], tables: dict[str, pd.DataFrame]) -> str:
    """Return the model's margin by day beside the fixed one of the same average and the venue's own, a row a coin."""
    table = tables["margins"]
    coins = list(dict.fromkeys(table["coin"]))
    with canvas("margins", height=2.4 * len(coins) + 0.6, rows=len(coins)) as sheet:
        for ax, coin in zip(sheet.axes, coins, strict=True):
            rows = table[table["coin"] == coin]
            ax.plot(rows["day"], 100 * rows["margin"], color=BLUE, lw=0.8, label="probabilistic")
            ax.plot(rows["day"], 100 * rows["fixed"], color=INK, ls="--", label="fixed, same average")
            ax.plot(rows["day"], 100 * rows["unscaled"], color=ORANGE, ls=":", label="fixed, the venue's bracket")
            ax.set_ylabel(f"{coin}, % of notional")
        legend_above(sheet.axes[0])
        sheet.axes[-1].set_xlabel("day of the file")
    return sheet.svg


PICTURES: dict[str, tuple[tuple[str, Draw], ...]] = {
    "adl_waves": (("Needed and taken by wave", waves), ("Largest share of one winner by policy", policy_shares)),
    "cascade": (("Phase change at G = 1", phase),),
    "market": (
        ("Price elsewhere, oracle, mark", prices),
        ("Liquidations, fund, margin", stress),
        ("Haircuts by rank", haircuts),
    ),
    "probabilistic_margin": (("Margin by day", margins),),
    "network": (("Who passes what on, and what each venue loses", contagion),),
}
"""Kind of scenario -> captions and drawings, in the order of the page."""
