"""The engine alone on a data set: one row a package whose gross violation exceeds a floor.  [interface "cme detect"]

    panels of a day -> prepare -> detect, every package -> columns -> sorted by (t_ns, constraint, legs) -> Parquet

The rows of one day are in memory at a time, those of all underlyings together.  C5 uses what the folds of the
registration would have been given for emission: curves of training days only, with the registered default threshold.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from heapq import merge

import numpy as np
import pyarrow as pa

from backtest.data.format.dataset import Dataset
from backtest.folds.fit import curve_fits
from backtest.folds.registered_panels import registered_panels
from backtest.pipeline.check_coins import contents
from backtest.pipeline.replays import in_force
from backtest.pipeline.touch import touch_bps
from backtest.records import Registration
from engine.constraints.detect import detect
from engine.constraints.registered_inputs import inputs_of
from engine.costs.expected_funding import without_funding
from engine.errors import UsageError
from engine.market.curve import days_between
from engine.market.fees import without_fees
from engine.market.view import PreparedPanel, prepare
from engine.params import CurveFit, Fitted, Params
from engine.records import CostModel, CurveHistory, FloatArray, IntArray, Panel, Violations
from engine.units import MICRO, NEVER_NS, NS_PER_DAY, micro_bps

LEG = pa.struct(
    [
        ("instrument", pa.string()),
        ("side", pa.int8()),
        *((name, pa.float64()) for name in ("ratio", "price_usd", "bid", "ask", "bid_qty", "ask_qty")),
        ("age_ns", pa.int64()),
    ]
)

ROWS = pa.schema(
    [
        ("t_ns", pa.int64()),
        ("constraint", pa.string()),
        ("underlying", pa.string()),
        ("venue", pa.string()),
        ("expiry_ns", pa.int64()),
        ("legs", pa.list_(LEG)),
        ("gross_bps", pa.float64()),
        ("cost_bps", pa.float64()),
        ("net_bps", pa.float64()),
        ("cost_model", pa.string()),
        ("threshold_bps", pa.float64()),
        ("fires", pa.bool_()),
        ("touch_bps", pa.float64()),
        ("reason", pa.string()),
    ]
)
"""One row a package: prices and sizes of the legs as quoted, ``price_usd`` their mid in USD, ``ratio`` base units per
unit of base notional of the package; bps of S.  ``net_bps`` = gross + carry - cost, carry being signed and no cost
[S3.5].  ``touch_bps`` is the gross at bid and ask, before fees; null where a leg has no touch."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a data set: constraints, grid times in [from, to), the gross a row must exceed, at mids or net.

    ``mids_only`` subtracts no cost and judges nothing: ``cost_bps`` is 0, ``cost_model`` null, ``fires`` False.
    """

    codes: tuple[str, ...]
    from_ns: int
    to_ns: int
    min_gross_bps: float
    mids_only: bool


@dataclass(slots=True)
class Tally:
    """What was counted on the way: rows, firing rows and reasons by constraint; inputs that were missing."""

    rows: Counter[str] = field(default_factory=Counter)
    fires: Counter[str] = field(default_factory=Counter)
    reasons: dict[str, Counter[str]] = field(default_factory=dict)
    missing: dict[str, int] = field(default_factory=dict)  # "C2: ..." -> (underlying, day) blocks
    other_fits: Counter[str] = field(default_factory=Counter)  # untradable packages with another one that fits

    def add(self, view: PreparedPanel, violations: Violations, table: pa.Table) -> None:
        """Count one block's rows, and every registered pair or venue that it lacks an input of."""
        code = violations.constraint
        self.rows[code] += table.num_rows
        self.other_fits[code] += violations.funnel["other_fits"]
        self.fires[code] += sum(table.column("fires").to_pylist())
        self.reasons.setdefault(code, Counter()).update(why for why in table.column("reason").to_pylist() if why)
        for text in dict.fromkeys(
            f"{code}: {counted.missing}" for counted in inputs_of(view, violations) if counted.missing
        ):
            self.missing[text] = self.missing.get(text, 0) + 1


def underlyings_of(dataset: Dataset, params: Params) -> tuple[str, ...]:
    """Return the registered underlyings the data set holds; raise ``UsageError`` (2) where there are none."""
    names = tuple(name for name in dataset.underlyings if name in params.underlyings)
    if not names:
        raise UsageError(
            f"{dataset.path}: expected an underlying of the registration ({', '.join(params.underlyings)}), "
            f"was {contents(dataset, dataset.underlyings)}; name a data set of these coins, or its plan with --config"
        )
    return names


def fits_of(registration: Registration, curves: Mapping[str, CurveHistory]) -> tuple[Fitted, ...]:
    """Return what each fold of each window gives C5, with the registered default threshold, ascending in time.

    ``curves`` may reach beyond a fold: only what lies strictly before its start less the gap is used.  [2.6 item 8]
    """
    fitted = []
    for plan in registration.windows:
        for fold in range(plan.folds):
            start = plan.start_ns(fold)
            fits: Mapping[str, CurveFit] = curve_fits(fold, plan, registration.params, curves, plan.cut_ns(fold))
            fitted.append(Fitted(fold, start, start + plan.fold_ns, fits, {}))
    return tuple(fitted)


def unidentified(fitted: Sequence[Fitted]) -> list[str]:
    """Return a line for each (underlying, reason) for which folds have no curvature, naming the folds."""
    folds: dict[tuple[str, str], list[str]] = {}
    for of_fold in fitted:
        for name, fit in of_fold.curve.items():
            if not fit.identified:
                folds.setdefault((name, fit.reason), []).append(str(of_fold.fold))
    return [f"C5: {name}: curvature unidentified in folds {', '.join(of)}: {why}" for (name, why), of in folds.items()]


def tables(
    dataset: Dataset,
    registration: Registration,
    question: Question,
    fitted: Sequence[Fitted],
    curves: Mapping[str, CurveHistory],
    tally: Tally,
) -> Iterator[tuple[int, pa.Table]]:
    """Yield (UTC day, its rows), days ascending, rows sorted; days without grid times are left out."""
    params = registration.params
    streams = [_panels(dataset, params, name, question) for name in underlyings_of(dataset, params)]
    for day, panels in itertools.groupby(merge(*streams, key=_day), key=_day):
        parts = [ROWS.empty_table()]
        for panel in panels:
            # Curves of earlier days only, as emission would have had them.
            before = days_between(curves[panel.underlying], 0, day - 1)
            fit = in_force(fitted, int(panel.times_ns[0]))
            parts += _block(prepare(panel, params, before), fit, question, tally)
        yield day, sort_rows(pa.concat_tables(parts))


def _day(panel: Panel) -> int:
    return int(panel.times_ns[0]) // NS_PER_DAY


def _panels(dataset: Dataset, params: Params, underlying: str, question: Question) -> Iterator[Panel]:
    panels = registered_panels(dataset, params, underlying, question.from_ns, question.to_ns)
    return (panel for panel in panels if len(panel.times_ns))


def _block(view: PreparedPanel, fitted: Fitted | None, question: Question, tally: Tally) -> list[pa.Table]:
    if question.mids_only:
        for name in _without_rate(view):
            text = f"{name}: no funding rate; at mids its carry is taken as 0"
            tally.missing[text] = tally.missing.get(text, 0) + 1
        view = at_mids(view)
    parts = []
    for violations in detect(view, fitted, codes=question.codes, floor=-np.inf):
        table = rows_of(view, violations, question)
        tally.add(view, violations, table)
        parts.append(table)
    return parts


def at_mids(view: PreparedPanel) -> PreparedPanel:
    """Return the view without fees and charges, so that the best package is the best at mids; NaN stays NaN.

    The carry of a perp whose rate is nowhere in the block is 0: its gross is known all the same.
    """
    panel = view.panel
    none = without_funding(view)
    if none.any():
        # All that a rate may be read from: which it is depends on the instrument.
        panel = replace(
            panel,
            funding_rate=np.where(none, 0.0, panel.funding_rate),
            funding_8h=np.where(none, 0.0, panel.funding_8h),
            settled_mean=np.where(none, 0.0, panel.settled_mean),
        )
    # Nothing is traded, so nothing is rounded to lots and no row of them is needed.
    params = replace(view.params, lots=(), ticks=())
    # Times 0, so that an unknown charge stays NaN.
    return replace(view, panel=panel, params=params, fees=without_fees(view.fees), charge=view.charge * 0.0)


def _without_rate(view: PreparedPanel) -> list[str]:
    """Return the perps that pay funding and have no rate on the block."""
    table, code = view.panel.instruments, view.panel.code
    return [table.name[c] for c in code[np.flatnonzero(without_funding(view))].tolist()]


def rows_of(view: PreparedPanel, violations: Violations, question: Question) -> pa.Table:
    """Return the rows of one constraint on one block, those whose gross exceeds the floor, in the order found."""
    packages, panel, keys = violations.packages, view.panel, violations.keys
    # In whole micro-bps: what rounding leaves of a gross of 0 is no row.
    listed = micro_bps(packages.gross_bps)
    rows = np.flatnonzero(listed > int(micro_bps(np.array(question.min_gross_bps))))
    key, count = packages.key[rows], len(rows)
    expiry = keys.expiry_ns[key]
    gross, net = listed[rows] / MICRO, violations.net_bps[rows]
    cost, fires = violations.costs.cost_bps[rows], violations.fires[rows]
    model: pa.Array = pa.array([CostModel(m).name.lower() for m in violations.costs.model[rows].tolist()], pa.string())
    reason = [violations.reason[m] for m in rows.tolist()]
    if question.mids_only:
        cost, net = np.zeros(count), gross + packages.carry_bps[rows]
        fires, reason, model = np.zeros(count, dtype=np.bool_), [""] * count, pa.nulls(count, pa.string())
    columns = {
        "t_ns": panel.times_ns[packages.row[rows]],
        "constraint": [violations.constraint] * count,
        "underlying": [panel.underlying] * count,
        "venue": [keys.venue[k] for k in key.tolist()],
        "expiry_ns": pa.array(expiry, pa.int64(), mask=expiry == NEVER_NS),
        "legs": _legs(view, violations, rows),
        "gross_bps": gross,
        "cost_bps": cost,
        "net_bps": net,
        "cost_model": model,
        "threshold_bps": np.full(count, view.params.rules[violations.constraint].threshold_bps),
        "fires": fires,
        "touch_bps": _number(touch_bps(view, packages, rows)),
        "reason": reason,
    }
    return pa.table(columns, schema=ROWS)


def _legs(view: PreparedPanel, violations: Violations, rows: IntArray) -> pa.ListArray:
    """Return the legs of the packages ``rows``, in the order of the rule."""
    panel, column = view.panel, violations.packages.column[rows]
    present = column >= 0
    package, _ = np.nonzero(present)
    row, leg = violations.packages.row[rows][package], column[present]
    quantity = violations.packages.quantity[rows][present]
    names = pa.array(panel.instruments.name).take(pa.array(panel.code[leg]))

    parts = [
        names,
        pa.array(np.where(quantity > 0.0, 1, -1), pa.int8()),
        pa.array(np.abs(quantity)),
        _number(view.mid[row, leg] * view.usd[row, leg]),
        *(_number(array[row, leg]) for array in (panel.bid, panel.ask, panel.bid_size, panel.ask_size)),
        pa.array(panel.age_ns[row, leg]),
    ]
    # Arrow's lists have int32 offsets.
    ends = np.concatenate([[0], np.cumsum(present.sum(axis=1))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), pa.StructArray.from_arrays(parts, fields=list(LEG)))


def _number(values: FloatArray) -> pa.Array:
    """Return floats with null for NaN."""
    return pa.array(values, pa.float64(), mask=np.isnan(values))


def sort_rows(table: pa.Table) -> pa.Table:
    """Return the rows sorted by (t_ns, constraint, legs): legs by instrument, side and ratio, leg by leg."""
    legs = table.column("legs").combine_chunks()
    begin = np.asarray(legs.offsets)
    flat = legs.values
    names, sides, ratios = (flat.field(name).to_pylist() for name in ("instrument", "side", "ratio"))
    times, codes = table.column("t_ns").to_pylist(), table.column("constraint").to_pylist()

    def place(row: int) -> tuple[object, ...]:
        low, high = begin[row], begin[row + 1]
        return times[row], codes[row], list(zip(names[low:high], sides[low:high], ratios[low:high], strict=True))

    # Arrow cannot sort by a list column.
    return table.take(pa.array(sorted(range(table.num_rows), key=place), pa.int64()))


def known_codes(codes: Collection[str], params: Params) -> tuple[str, ...]:
    """Return the codes asked for, all enabled ones where none is named; raise ``UsageError`` (2) for any other."""
    enabled = tuple(code for code, rule in params.rules.items() if rule.enabled)
    wrong = sorted(set(codes) - set(enabled))
    if wrong:
        raise UsageError(f"--constraint: expected one the registration enables ({', '.join(enabled)}), was {wrong[0]}")
    return tuple(code for code in enabled if not codes or code in codes)
