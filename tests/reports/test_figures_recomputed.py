"""Every figure of the page and of the covenant page: what is drawn, from the run's files by a few independent lines.

The drawn data are read from matplotlib's own artists, after the section or the page has drawn them and before they
become SVG text; those of a diagram from its SVG text.  Figures are made once; the axes say their unit.
"""

from __future__ import annotations

import ast
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba

from engine.constraints.codes import CODES
from reports.base import Figure
from reports.covenants.page import write_page
from reports.figures import style
from reports.figures.equity import draw as draw_equity
from reports.load import Run
from reports.render import Built
from reports.sections import equity as equity_section
from reports.sections import intervals
from tests.helpers.small_run import Tiny
from tests.reports import covenant_run
from tests.reports.drawn import Drawn, catch_axes
from tests.reports.test_recomputed import CAPITAL, CHARGE, Files, sharpe
from tests.reports.test_venue_risk_figures import DRAWN as VENUE_RISK

DAY_NS = 86_400 * 10**9
CLOSE = 1e-9
BLUES = colormaps["Blues"]


@pytest.fixture(scope="module")
def catch() -> Iterator[Drawn]:
    """Name of a figure -> its axes, of all that is drawn while the fixture lives."""
    with pytest.MonkeyPatch.context() as patch:
        yield catch_axes(patch)


@pytest.fixture(scope="module")
def page(run: Run, drawn: tuple[list[Built], Drawn], catch: Drawn) -> tuple[Drawn, list[Figure]]:
    """The axes of the page of the small run, and the figures that hold them; N2 and intervals with made verdicts."""
    # the small run's folds are single days, on which N2 moves nothing; and its ten days give no interval
    null = run.verdicts["H1"]["n3"]
    rows = run.verdicts["H3"]["constraints"]
    rows = [{**row, "ci": INTERVALS.get(row["code"]), "status": STATUS.get(row["code"], row["status"])} for row in rows]
    verdicts = {**run.verdicts, "H1": {**run.verdicts["H1"], "n2": {**null, "name": "N2"}},
                "H3": {**run.verdicts["H3"], "constraints": rows}}  # fmt: skip
    made = replace(run, verdicts=verdicts)
    again = {equity_section.SECTION.anchor, intervals.SECTION.anchor}
    parts = [section.build(made) if section.anchor in again else blocks for section, blocks in drawn[0]]
    return {**drawn[1], **catch}, [block for blocks in parts for block in blocks if isinstance(block, Figure)]


@pytest.fixture(scope="module")
def covenants(tmp_path_factory: pytest.TempPathFactory, catch: Drawn) -> tuple[Drawn, Path]:
    """The axes of the page of a covenant study of made files, and its folder."""
    folder = covenant_run.write(tmp_path_factory.mktemp("covenants"))
    before = set(catch)
    write_page(folder)
    return {name: axes for name, axes in catch.items() if name not in before}, folder


INTERVALS = {"C1": [0.25, 14.5], "C2": [-9.0, -1.0]}
STATUS = {"C1": "retain", "C2": "drop"}


def lines(ax: Axes) -> dict[str, np.ndarray]:
    """Label -> values of each labelled line."""
    return {str(line.get_label()): np.asarray(line.get_ydata(), dtype=np.float64) for line in ax.get_lines()}


def bars(ax: Axes) -> dict[str, list[Any]]:
    """Label -> bars."""
    return {str(container.get_label()): list(container) for container in ax.containers}


def same(drawn: Any, wanted: Any) -> None:
    np.testing.assert_allclose(np.asarray(drawn, np.float64), np.asarray(wanted, np.float64), rtol=CLOSE, atol=1e-6)


def days_of(line: Any) -> list[int]:
    return [int(value) for value in line.get_xdata(orig=False)]


def equity(axes: list[Axes], f: Files) -> None:
    top, bottom = axes
    path, level, fall = f.after().cumsum(), 0.0, []
    for value in path:
        level = max(level, value)
        fall.append(value - level)
    same(lines(top)["after capital"], path)
    same(lines(top)["trading profit before capital"], sum(f.before(c) for c in CODES).cumsum())
    curve = next(line for line in bottom.get_lines() if len(line.get_ydata()) == len(fall))
    same(curve.get_ydata(), fall)
    same(sorted({float(v) for v in bottom.collections[0].get_paths()[0].vertices[:, 1]}), sorted({0.0, *fall}))
    assert days_of(curve) == f.returns.day.tolist()
    for ax in axes:
        starts = [line.get_xdata()[0] for line in ax.get_lines() if line.get_linestyle() == ":"]
        assert starts == [fold["start_ns"] / DAY_NS for fold in f.folds]
    assert [ax.get_ylabel() for ax in axes] == ["USD, cumulative", "USD below the best"]


def histogram(ax: Axes, values: np.ndarray, observed: float) -> None:
    """The two histograms of a null and its observed value."""
    everything, tail = (patch.get_data() for patch in ax.patches)
    edges = everything.edges
    assert len(edges) == 42
    same(tail.edges, edges[-len(tail.edges) :])
    # a value on an edge may fall on either side of it: heights are compared as sums up to each edge
    for counted, of in ((everything, values), (tail, values[values >= observed - 1e-9])):
        heights = np.concatenate((np.zeros(len(edges) - len(counted.edges)), counted.values))
        below = np.concatenate(([0.0], np.cumsum(heights)))
        low, high = (np.array([(of < edge + shift).sum() for edge in edges]) for shift in (-1e-4, 1e-4))
        assert (low <= below).all()
        assert (below <= high).all()
        assert below[-1] == len(of)
        assert (high - low).max() <= 2
    assert lines(ax)["observed"].tolist() == [0, 1]
    marked = next(line for line in ax.get_lines() if line.get_label() == "observed")
    assert marked.get_xdata()[0] == pytest.approx(observed, rel=1e-6)


def null(axes: list[Axes], f: Files) -> None:
    # a fold of the small run is a day, so that days are the blocks
    flips = (np.arange(2**10)[:, None] >> np.arange(10) & 1) * 2 - 1
    histogram(axes[0], flips @ f.after(), f.after().sum())
    assert axes[0].get_xlabel() == "net profit of the window under the null, after capital, USD"
    assert axes[0].get_ylabel() == "flips"


def placebo_entries(axes: list[Axes], f: Files) -> None:
    table = pd.read_parquet(f.folder / "placements.parquet")
    hours = table.shift_ns / 3.6e12
    registered = np.arange(24, 8 * 24 + 1, 8)

    def ratio(rows: pd.DataFrame) -> float:
        daily = [rows.usd_micro[rows.day == day].sum() / 1e6 - CHARGE for day in f.returns.day]
        return float(np.mean(daily) / np.std(daily, ddof=1) * np.sqrt(365))

    drawn = np.array([ratio(table[hours == shift]) for shift in registered])
    histogram(axes[0], drawn, ratio(table[hours == 0]))
    assert axes[0].get_xlabel() == "net annualised Sharpe ratio"
    assert axes[0].get_ylabel() == "draws"


def capacity(axes: list[Axes], f: Files) -> None:
    h2 = json.loads((f.folder / "verdicts.json").read_text())["H2"]
    joint = np.array(h2["daily_micro"]) / 1e6
    ax, drawn = axes[0], lines(axes[0])
    same([bar.get_height() for bar in bars(ax)["joint optimum"]], joint)
    same(drawn["naive sum"], np.array(h2["daily_naive_micro"]) / 1e6)
    same(drawn["mean of the joint optimum"], [h2["mean_usd_per_day"]] * 2)
    same(drawn["mean of the joint optimum"], [joint.mean()] * 2)
    same(drawn["claim: below 50,000 USD a day on average"], [50_000] * 2)
    naive = next(line for line in ax.get_lines() if line.get_label() == "naive sum")
    assert days_of(naive) == f.returns.day.tolist()
    centres = [bar.get_x() + bar.get_width() / 2 for bar in bars(ax)["joint optimum"]]
    same(centres, f.returns.day)
    assert ax.get_ylabel() == "USD a day"
    assert ax.get_yscale() == "symlog"


def costs(axes: list[Axes], f: Files) -> None:
    stacks(axes[0], f, dict.fromkeys(CODES, 1.0))
    assert axes[0].get_ylabel() == "USD over the window"
    traded = {c: float(f.of(c)["notional_usd"].sum()) for c in CODES}
    stacks(axes[1], f, {c: 10_000 / traded[c] if traded[c] else 0.0 for c in CODES})
    assert axes[1].get_ylabel() == "bps of the notional traded"


def stacks(ax: Axes, f: Files, scale: dict[str, float]) -> None:
    """The bars of one axis are the terms of the files times ``scale``."""
    drawn, factor = bars(ax), np.array([scale[c] for c in CODES])
    signs = {"gross": 1, "funding": 1, "fees": -1, "slippage": -1, "borrow": -1}
    wanted = {term: factor * np.array([sign * f.usd(term, c) for c in CODES]) for term, sign in signs.items()}
    wanted["capital"] = -factor * np.array([(f.before(c) - f.after(c)).sum() for c in CODES])
    assert set(drawn) == set(wanted)
    for term, values in wanted.items():
        same([bar.get_height() for bar in drawn[term]], values)
    # above zero and below it the bars of a constraint stand on one another without a gap or an overlap
    for at in range(len(CODES)):
        ends = [sorted((bar.get_y(), bar.get_y() + bar.get_height())) for bar in (drawn[t][at] for t in wanted)]
        up = sum(max(wanted[t][at], 0.0) for t in wanted)
        down = sum(min(wanted[t][at], 0.0) for t in wanted)
        same([min(low for low, _ in ends), max(high for _, high in ends)], [min(down, 0.0), max(up, 0.0)])
        same(sum(high - low for low, high in ends), up - down)
    same(lines(ax)["net"], factor * [f.after(c).sum() for c in CODES])
    assert [tick.get_text() for tick in ax.get_xticklabels()] == list(CODES)


def shapes(svg: str, tag: str) -> list[dict[str, Any]]:
    """Attributes of the elements of one kind, numbers as numbers, and the text of each."""
    found = []
    for element in ET.fromstring(svg).iter(f"{{http://www.w3.org/2000/svg}}{tag}"):
        numbers = {name: float(value) for name, value in element.attrib.items() if re.fullmatch(r"-?[\d.]+", value)}
        found.append({**element.attrib, **numbers, "words": element.text})
    return found


def words_of(svg: str, anchor: str) -> list[str]:
    return [text["words"] for text in shapes(svg, "text") if text["text-anchor"] == anchor]


def coverage(svg: str, f: Files) -> None:
    document = json.loads((f.folder / "coverage_days.json").read_text())
    cells = [box for box in shapes(svg, "rect") if "stroke" in box]
    scale = [box for box in shapes(svg, "rect") if "stroke" not in box]
    n, columns = len(f.returns), sorted({box["x"] for box in cells})
    assert len(columns) == n
    at = {(int(box["y"] / box["height"]), columns.index(box["x"])): box["fill"] for box in cells}
    for row, code in enumerate(CODES):
        shares = document["share"][code]
        same(np.nansum(np.array(shares, np.float64)) * 48, document["totals"][code][0])
        for day, share in enumerate(shares):
            if share is None:
                assert (row, day) not in at
            else:
                # matplotlib's table of the same blues
                drawn = bytes.fromhex(at[row, day][1:])
                assert drawn == pytest.approx([255 * part for part in BLUES(float(share))[:3]], abs=3), (code, day)
    assert words_of(svg, "end") == list(CODES)
    for text in (text for text in shapes(svg, "text") if text["text-anchor"] == "middle"):
        middle = (text["x"] - cells[0]["x"]) / cells[0]["width"] - 0.5
        assert text["words"] == str(np.datetime64(int(f.returns.day.iloc[round(middle)]), "D"))
    assert words_of(svg, "start") == [f"{percent}%" for percent in range(0, 101, 20)]
    light = [sum(bytes.fromhex(box["fill"][1:])) for box in sorted(scale, key=lambda box: box["y"])]
    assert light == sorted(light)


def forest(axes: list[Axes], f: Files) -> None:
    ax = axes[0]
    at_zero, *rest = ax.get_lines()
    assert list(at_zero.get_xdata()) == [0.0, 0.0]
    points = {int(line.get_ydata()[0]): line for line in rest if len(line.get_xdata()) == 1}
    spans = {int(line.get_ydata()[0]): list(line.get_xdata()) for line in rest if len(line.get_xdata()) == 2}
    for row, code in enumerate(CODES):
        # returns are rounded to 1e-9 of the sleeve before they are judged
        assert float(points[row].get_xdata()[0]) == pytest.approx(sharpe(f.after(code)), rel=1e-4)
        assert spans.get(row) == INTERVALS.get(code)
        assert points[row].get_marker() == {"C1": "o", "C2": "x"}.get(code, "s")
        word = {"C1": "retained", "C2": "dropped"}.get(code, "not enough data")
        assert ax.get_yticklabels()[row].get_text().startswith(f"{code} ")
        assert ax.get_yticklabels()[row].get_text().endswith(f"({word})")
    low, high = ax.get_xlim()
    assert all(low < float(line.get_xdata()[0]) < high for line in points.values())
    assert ax.get_xlabel() == "annualised Sharpe ratio, 95% interval"


def funnel(svg: str, f: Files) -> None:
    left = sorted({line["x1"] for line in shapes(svg, "line")})
    texts = shapes(svg, "text")
    units = []
    for x, code in zip(left, CODES, strict=True):
        counted = f.funnel[code]
        wanted = [counted[k] for k in ("examined", "usable", "violations", "over_threshold")]
        wanted += [int((f.signals.constraint == code).sum()), len(f.of(code)), len(f.of(code))]
        written = [text for text in texts if text["x"] == x + 1.5]
        assert [text["words"] for text in written] == [f"{n:,}" for n in wanted]
        # under its count, as long as its logarithm: one unit for all panels
        boxes = {box["y"]: box for box in shapes(svg, "rect") if box["x"] == x}
        assert [text["y"] + 3 in boxes for text in written] == [n > 0 for n in wanted]
        units += [boxes[text["y"] + 3]["width"] / np.log(n / 0.8) for text, n in zip(written, wanted, strict=True) if n]
        assert next(text["words"] for text in texts if text["x"] == x) == code
    assert np.ptp(units) < 0.1
    assert max(box["x"] + box["width"] for box in shapes(svg, "rect") if box["x"] < left[-1]) < left[-1]
    names = ["examined", "usable", "violations", "over threshold", "episodes", "traded", "resolved"]
    assert words_of(svg, "end") == names


def folds(svg: str, f: Files) -> None:
    document = json.loads((f.folder / "folds.json").read_text())
    boxes = shapes(svg, "rect")
    left, first, last = boxes[0]["x"], document["history_ns"], f.folds[-1]["end_ns"]
    day_pt = (boxes[-1]["x"] + boxes[-1]["width"] - left) / (last - first) * DAY_NS

    def place(t_ns: int) -> float:
        return float(left + (t_ns - first) / DAY_NS * day_pt)

    begun = [((f.all.t_ns >= fold["start_ns"]) & (f.all.t_ns < fold["end_ns"])).sum() for fold in f.folds]
    spans = [(box["x"], box["x"] + box["width"]) for box in boxes]
    for row, fold in enumerate(f.folds):
        gap = fold["start_ns"] - document["gap_ns"]
        ends = [(first, gap), (gap, fold["start_ns"]), (fold["start_ns"], fold["end_ns"])]
        np.testing.assert_allclose(spans[3 * row : 3 * row + 3], [[place(t) for t in pair] for pair in ends], atol=0.02)
        assert len({box["y"] for box in boxes[3 * row : 3 * row + 3]}) == 1
        assert [box["fill"] for box in boxes[3 * row : 3 * row + 3]] == [style.PALE, "#fff", style.BLUE]
    assert len(spans) == 3 * len(f.folds)
    assert words_of(svg, "end") == [f"fold {row}" for row in range(len(f.folds))]
    counted = [f"{fold['train']:,} train, {test:,} test" for fold, test in zip(f.folds, begun, strict=True)]
    assert words_of(svg, "start") == counted
    dates = [text for text in shapes(svg, "text") if text["text-anchor"] == "middle"]
    assert dates[0]["words"] == "2026-01-05"
    for text in dates:
        assert text["x"] == pytest.approx(place(pd.Timestamp(text["words"]).value), abs=0.02)


DIAGRAMS: dict[str, Callable[[str, Files], None]] = {"coverage": coverage, "funnel": funnel, "folds": folds}
"""Name of a figure of the page that is drawn without axes -> its lines, over the SVG text."""
PLOTS: dict[str, Callable[[list[Axes], Files], None]] = {
    "equity": equity, "null": null, "n2": placebo_entries, "n3": placebo_entries, "forest": forest,
    "capacity": capacity, "costs": costs,
}  # fmt: skip
"""Name of any other figure of the page -> its lines."""


@pytest.mark.parametrize("name", PLOTS)
def test_what_a_figure_draws_is_what_the_files_give(page: tuple[Drawn, list[Figure]], tiny: Tiny, name: str) -> None:
    """Lines, bars, marks, ticks and units."""
    PLOTS[name](page[0][name], Files(tiny.folder))


@pytest.mark.parametrize("name", DIAGRAMS)
def test_what_a_diagram_draws_is_what_the_files_give(page: tuple[Drawn, list[Figure]], tiny: Tiny, name: str) -> None:
    """Boxes with place, length and shade, and each word."""
    (svg,) = (figure.svg for figure in page[1] if figure.name == name)
    DIAGRAMS[name](svg, Files(tiny.folder))


def test_a_window_that_begins_with_a_loss_has_fallen_from_its_start(catch: Drawn) -> None:
    """Nothing earned yet is the best there was."""
    draw_equity(np.arange(20_000, 20_004), np.array([-3, 5, -1, -4]) * 10**6, np.zeros(4, np.int64), [])
    top, bottom = catch["equity"]

    same(lines(top)["after capital"], [-3, 2, 1, -3])
    same(bottom.get_lines()[0].get_ydata(), [-3, 0, -1, -5])


def test_every_figure_is_recomputed(page: tuple[Drawn, list[Figure]], covenants: tuple[Drawn, Path]) -> None:
    """A new figure needs its lines here: those of the pages, and every function of the package that draws one."""
    assert [figure.name for figure in page[1]] == [*DIAGRAMS, *PLOTS]
    assert set(covenants[0]) == set(COVENANTS)
    # N2 and N3 are one function, three views one; those of a simulation have a file of their own.
    assert len(_calling("canvas")) == len(PLOTS) - 1 + len(COVENANTS) - 2 + len(VENUE_RISK)
    # the picture of an answer stands in test_lead
    assert len(_calling("diagram")) == len(DIAGRAMS) + 1
    assert CAPITAL == 1_000_000


def test_the_page_holds_the_figures_that_were_recomputed(page: tuple[Drawn, list[Figure]], tiny: Tiny) -> None:
    """The same bytes: what is drawn here is what a reader sees (the two that were given other verdicts apart)."""
    html = (tiny.folder / "report.html").read_text()
    for figure in page[1]:
        drawn = figure.svg.removeprefix("<svg ")
        assert (drawn in html) == (figure.name not in ("n2", "forest")), figure.name


def _calling(name: str) -> set[str]:
    """Every function of the package `reports` that calls ``name``."""
    root = Path(style.__file__).parents[1]
    return {
        f"{path.relative_to(root)}:{function.name}"
        for path in root.rglob("*.py")
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef)
        for call in ast.walk(function)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == name
    }


class Study:
    """The files of a covenant study, read by pandas alone."""

    def __init__(self, folder: Path) -> None:
        self.signals = pd.read_parquet(folder / "signals.parquet")
        self.equity = pd.read_parquet(folder / "equity.parquet")
        self.facts = pd.read_csv(folder / "accounts.csv").set_index("account")
        self.curve, self.placebo = (pd.read_csv(folder / f"{name}.csv") for name in ("curve", "placebo"))


def spread(axes: list[Axes], s: Study) -> None:
    top, middle, bottom = axes
    size, days = s.signals.spread_pp.abs().to_numpy(), s.signals.t_ns.to_numpy() / DAY_NS
    drawn = {line.get_label(): line for line in top.get_lines()}
    for name, values in (("|S|", size), ("band in force", s.signals.in_force_pp.to_numpy())):
        x, y = (np.asarray(v, np.float64) for v in (drawn[name].get_xdata(orig=False), drawn[name].get_ydata()))
        at = np.searchsorted(days, x - 1e-7)
        same(y, values[at])
        assert (np.diff(at) > 0).all()
    # thinned, yet no peak, breach, cap or state is lost
    assert len(drawn["|S|"].get_xdata()) < len(size) / 2
    assert np.nanmax(drawn["|S|"].get_ydata()) == size[np.isfinite(size)].max()
    over = size > s.signals.in_force_pp.to_numpy()
    assert len(drawn["above the band"].get_xdata()) == over.sum()
    cap = middle.get_lines()[0]
    assert min(cap.get_ydata()) == s.signals.leverage_cap.min()
    states = {int(line.get_ydata()[0]): line.get_xdata(orig=False) for line in bottom.get_lines()}
    assert set(states) == set(s.signals["mode"])
    for number, x in states.items():
        at = np.searchsorted(days, np.asarray(x) - 1e-7)
        assert (s.signals["mode"].to_numpy()[at] == number).all()
    assert [t.get_text() for t in bottom.get_yticklabels()] == [
        "WARMUP", "LIVE", "BREACH", "MANUAL", "FREEZE", "REDUCE_ONLY"]  # fmt: skip
    assert [ax.get_ylabel() for ax in axes] == ["pp", "cap, times equity", "state"]


def accounts(view: str) -> Callable[[list[Axes], Study], None]:
    def check(axes: list[Axes], s: Study) -> None:
        top, bottom = axes
        drawn = lines(top)
        labels = {"a standard": "a", "b SCPC": "b", "p1": "p1_of_b", "p2": "p2", "b0 static": "b0"}
        columns = {**{label: f"{stem}_{view}" for label, stem in labels.items()}, "c covered call (model)": "c"}
        assert set(drawn) == set(columns)
        for (label, column), line in zip(columns.items(), bottom.get_lines(), strict=True):
            path = s.equity[column].to_list()
            same(drawn[label], path)
            # the measure of the table: the start counts, a ruined account has lost all and no more
            best, fall = path[0], []
            for value in path:
                best = max(best, value)
                fall.append(max(value, 0.0) / best - 1.0)
            same(line.get_ydata(), fall)
            if column in s.facts.index:
                assert -min(line.get_ydata()) == pytest.approx(s.facts.mdd[column])
        assert [ax.get_ylabel() for ax in axes] == ["equity, start = 1", "drawdown, share of the best"]

    return check


def specification_curve(axes: list[Axes], s: Study) -> None:
    for ax, side in zip(axes, ("short_a", "long_a"), strict=True):
        rows = s.curve[s.curve.side == side]
        change = sorted(1 - row.mdd / row.mdd_p1 for row in rows.itertuples() if row.mdd_p1 > 0)
        same(ax.get_lines()[1].get_ydata(), change)
        gained = sum(value > 0 for value in change)
        without = len(rows) - len(change)
        left = f", {without} without a drawdown of p1" if without else ""
        assert ax.get_title(loc="left") == f"{side}: {len(rows)} configurations, {gained} above 0{left}"
        claimed = ax.patches[0]
        same([claimed.get_y(), claimed.get_y() + claimed.get_height()], [0.12, 0.18])
        assert ax.get_ylabel() == "1 - MDD / MDD of p1"


def placebo(axes: list[Axes], s: Study) -> None:
    for ax, side in zip(axes, ("short_a", "long_a"), strict=True):
        values = s.placebo[f"mdd_{side}"].to_numpy()
        heights, edges = np.histogram(values, 40)
        assert [bar.get_height() for bar in ax.patches] == heights.tolist()
        same([bar.get_x() for bar in ax.patches], edges[:-1])
        assert ax.get_lines()[0].get_xdata()[0] == s.facts.mdd[f"b_{side}"]
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("maximal drawdown, share of the best", "draws")


def flows(axes: list[Axes], s: Study) -> None:
    ax, drawn = axes[0], bars(axes[0])
    names = [tick.get_text() for tick in ax.get_xticklabels()]
    wanted = [n for n in s.facts.index if n.startswith("b") and n.endswith(("_short_a", "_long_a"))]
    assert names == wanted
    for column in ("transfers", "fees", "funding"):
        same([bar.get_height() for bar in drawn[column]], s.facts[column][wanted])
        assert drawn[column][0].get_facecolor() == to_rgba({"transfers": style.BLUE, "fees": style.RED}.get(
            column, style.GREEN))  # fmt: skip
    assert ax.get_ylabel() == "times capital"


COVENANTS: dict[str, Callable[[list[Axes], Study], None]] = {
    "spread": spread, "accounts-mean": accounts("mean"), "accounts-short_a": accounts("short_a"),
    "accounts-long_a": accounts("long_a"), "flows": flows, "placebo": placebo, "curve": specification_curve,
}  # fmt: skip
"""Name of a figure of the covenant page -> its lines."""


@pytest.mark.parametrize("name", COVENANTS)
def test_what_a_figure_of_a_covenant_study_draws_is_what_its_files_give(
    covenants: tuple[Drawn, Path], name: str
) -> None:
    """Made files of a three-way study: a short breach, a ruined account, a placebo that never falls."""
    COVENANTS[name](covenants[0][name], Study(covenants[1]))
