"""What decides is computed so that no library's freedom of rounding can reach it: a lint.  [audit 10.3]

Scanned: the engine, what fits and books, and the modules of the hypotheses that decide.  Names are forbidden by the
table of the audit; what is allowed in spite of it stands in ``ALLOWED`` with its reason.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

DECIDING = (
    *(path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "engine").rglob("*.py"))),
    *(
        f"backtest/{name}.py"
        for name in (
            "folds/fit", "folds/curve_study", "folds/walk_forward", "pipeline/window", "results/metrics",
            "results/returns", "seeds/streams",
        )
    ),
    *(f"hypotheses/{name}.py" for name in ("h1", "h2", "h3")),
    *(
        f"hypotheses/statistics/{name}.py"
        for name in (
            "block_length", "bootstrap", "capacity", "exceedances", "inference", "intervals", "joint_capacity",
            "lemke", "long_run_variance", "multiplicity", "sharpe", "sign_flips", "studentised", "ties",
        )
    ),
)  # fmt: skip

HASHED = (
    "cme.py",
    *(
        path.relative_to(ROOT).as_posix()
        for folder in ("engine", "backtest", "hypotheses", "reports")
        for path in sorted((ROOT / folder).rglob("*.py"))
    ),
)
"""Everything whose output may be hashed: data sets, ledgers, documents and pages are all listed with their hashes, so
no file of the program is left out."""

INTEGER_SUMS = {
    "backtest/audit/bundle/check.py": "bytes",
    "backtest/audit/bundle/pack.py": "bytes",
    "backtest/audit/bundle/unpack.py": "bytes",
    "backtest/audit/run/check.py": "counts of problems",
    "backtest/audit/tamper/consistent_edit.py": "counts of outcomes",
    "backtest/commands/detect.py": "counts of rows",
    "backtest/commands/leaks.py": "counts of cases",
    "backtest/commands/preflight.py": "counts of rows, bytes",
    "backtest/data/adapters/arrow_size.py": "bytes and cells",
    "backtest/data/adapters/workbook.py": "bytes",
    "backtest/data/checks/report.py": "counts",
    "backtest/data/panels/joined_quotes.py": "counts of rows",
    "backtest/data/panels/multi_day.py": "counts of rows",
    "backtest/data/raw/gap_ledger.py": "counts of gaps",
    "backtest/folds/curve_study.py": "counts of days",
    "backtest/folds/registered_panels.py": "counts of fees",
    "backtest/folds/sklearn_splitter.py": "counts of folds",
    "backtest/gate/looks/registry.py": "counts of looks",
    "backtest/leakage/battery.py": "counts of leaks",
    "backtest/live/comparison.py": "counts of signals",
    "backtest/live/emit.py": "counts of rows",
    "backtest/live/resolve.py": "counts of rows",
    "backtest/live/seal.py": "counts of rows, nanoseconds",
    "backtest/live/seal_rows.py": "counts of minutes",
    "backtest/live/emit_progress.py": "counts",
    "backtest/live/feeds.py": "nanoseconds; hashed nowhere",
    "backtest/live/status.py": "counts, milliseconds, bytes; hashed nowhere",
    "backtest/pipeline/blinded.py": "micro-USD",
    "backtest/pipeline/blinded_fit.py": "counts of trades",
    "backtest/pipeline/detection.py": "counts of rows",
    "backtest/pipeline/emission.py": "counts of trades",
    "backtest/pipeline/placements.py": "counts of steps",
    "backtest/pipeline/replays.py": "counts of days",
    "backtest/record/recorder.py": "counts and bytes",
    "backtest/record/socket_feed.py": "counts and bytes",
    "backtest/record/venue_recorder.py": "counts of feeds",
    "backtest/registration/checks.py": "whole parts",
    "backtest/results/returns.py": "micro-USD, integers",
    "backtest/results/tables.py": "micro-USD, integers",
    "backtest/rundir/counts.py": "counts",
    "backtest/simulation/covenant_placebo.py": "counts of hours",
    "backtest/tasks/progress.py": "bytes",
    "engine/constraints/c4_butterfly.py": "counts of triples",
    "engine/constraints/options/one_sided.py": "counts of triples",
    "engine/market/curve.py": "counts of changes of sign",
    "engine/positions/portfolio.py": "micro-USD, integers",
    "engine/replay.py": "counts of signals",
    "hypotheses/blinded_run.py": "counts of gaps",
    "hypotheses/calibration/all_constraints.py": "counts of hits",
    "hypotheses/calibration/page.py": "counts of rows",
    "hypotheses/calibration/run.py": "counts of replications",
    "hypotheses/calibration/sleeves.py": "counts of constraints",
    "hypotheses/chains/commands.py": "counts of rows",
    "hypotheses/chains/program.py": "counts of unknowns",
    "hypotheses/chains/quotes.py": "counts of quotes",
    "hypotheses/covenants/run.py": "counts of fits",
    "hypotheses/h2.py": "micro-USD and counts, integers",
    "hypotheses/load.py": "micro-USD, integer arrays",
    "hypotheses/sensitivity/certificate.py": "counts of rows",
    "hypotheses/sensitivity/combinatorial.py": "counts of trades",
    "hypotheses/sensitivity/conversion_fee.py": "Fractions",
    "hypotheses/sensitivity/leg_by_leg.py": "counts of packages",
    "hypotheses/sensitivity/missing_days.py": "micro-USD, integer arrays",
    "hypotheses/sensitivity/panel.py": "counts of intervals",
    "hypotheses/sensitivity/pruned.py": "counts of constraints",
    "hypotheses/sensitivity/quarantine.py": "micro-USD, integer arrays",
    "hypotheses/sensitivity/tiers.py": "Decimal and counts",
    "hypotheses/statistics/block_length.py": "Fraction and integers",
    "hypotheses/statistics/long_run_variance.py": "Decimal at precision 50",
    "hypotheses/statistics/sign_flips.py": "sums of blocks, integers",
    "reports/citation.py": "whole numbers: counts and micro-USD",
    "reports/many/page.py": "counts of runs",
    "reports/sections/equity.py": "micro-USD, integers",
    "reports/sections/funnel.py": "counts of packages",
}
"""File -> what the built-in sum adds there: integers or Decimals, which no version of Python sums another way."""
INTEGER_FAMILIES = ("engine/venue/",)
"""Families whose every quantity is an integer or a Fraction."""

ARRAY = {
    "dot", "matmul", "inner", "outer", "vdot", "tensordot", "einsum", "cov", "corrcoef", "convolve", "correlate",
    "polyfit", "polyval", "linalg", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "power", "float_power",
    "sin", "cos", "tan", "tanh", "sinh", "cosh", "arcsin", "arccos", "arctan", "arctan2", "hypot", "cbrt", "float32",
    "mean", "average", "nanmean", "nansum", "std", "var", "nanstd", "nanvar", "median", "nanmedian", "percentile",
    "quantile", "interp", "trapezoid", "fft", "random_sample",
}  # fmt: skip
MATH = {
    "exp", "expm1", "log", "log2", "log10", "log1p", "pow", "sin", "cos", "tan", "tanh", "sinh", "cosh", "erf", "erfc",
    "gamma", "lgamma", "hypot", "dist", "fma", "cbrt",
}  # fmt: skip
LIBRARIES = {"scipy", "statsmodels", "arch", "sklearn", "numexpr", "bottleneck"}

ALLOWED = {
    ("engine/exact/decimals.py", "**"): "a power of ten in Decimal",
    ("engine/exact/sums.py", "**"): "Python integers",
    ("backtest/results/metrics.py", "**"): "moments shown to readers; `sharpe`, which decides, is decimal",
    ("backtest/results/metrics.py", ".mean()"): "means shown to readers",
    ("backtest/results/metrics.py", ".std()"): "a deviation shown to readers",
    ("hypotheses/statistics/block_length.py", "**"): "Fraction and integers",
    ("hypotheses/statistics/long_run_variance.py", "**"): "Decimal at precision 50",
    ("hypotheses/statistics/exceedances.py", "**"): "Decimal",
}
"""(file, what) -> why it cannot reach a decision."""


def complaints(file: str, text: str) -> list[str]:
    """Return ``what (line)`` for each use that the exact tier forbids."""
    found: list[str] = []
    for node in ast.walk(ast.parse(text)):
        what = _forbidden(node)
        if what and (file, what) not in ALLOWED:
            found.append(f"{what} (line {getattr(node, 'lineno', 0)})")
    return found


def _forbidden(node: ast.AST) -> str:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.MatMult):
        return "@"
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        return "" if _integer_power(node) else "**"
    if isinstance(node, ast.Import):
        return next((a.name for a in node.names if a.name.split(".")[0] in LIBRARIES), "")
    if isinstance(node, ast.ImportFrom):
        return _imported(node)
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        if node.value.id in ("np", "numpy") and node.attr in ARRAY:
            return f"np.{node.attr}"
        if node.value.id == "math" and node.attr in MATH:
            return f"math.{node.attr}"
    return _called(node) if isinstance(node, ast.Call) else ""


def _imported(node: ast.ImportFrom) -> str:
    module = str(node.module)
    if module.split(".")[0] in LIBRARIES:
        return module
    names = {alias.name for alias in node.names}
    bad = names & MATH if module == "math" else names & ARRAY if module == "numpy" else set()
    return f"{module}.{min(bad)}" if bad else ""


def _integer_power(node: ast.BinOp) -> bool:
    """2**63 and 10**9 are integers; a float raised to a power is not the same everywhere."""
    return all(isinstance(side, ast.Constant) and isinstance(side.value, int) for side in (node.left, node.right)) or (
        isinstance(node.left, ast.Constant) and isinstance(node.left.value, int)
    )


def _called(node: ast.Call) -> str:
    """Sorting that is not stable, and methods that sum as numpy pleases."""
    func, named = node.func, {k.arg: k.value for k in node.keywords}
    if isinstance(func, ast.Attribute):
        stable = isinstance(named.get("kind"), ast.Constant) and named["kind"].value == "stable"  # type: ignore[attr-defined]
        if func.attr == "argsort" and not stable:
            return "argsort without kind='stable'"
        if func.attr in ("dot", "mean", "std", "var", "prod") and ast.unparse(func.value) not in ("np", "numpy"):
            return f".{func.attr}()"
    return ""


def float_sums(text: str) -> list[str]:
    """Return sums recognisably of floats: a division, a float literal or float() inside; a Decimal start is exact."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("sum", "np.sum", "numpy.sum") and node.args:
            if any(k.arg == "start" and "Decimal" in ast.unparse(k.value) for k in node.keywords):
                continue
            inside = list(ast.walk(node.args[0]))
            if any(
                (isinstance(n, ast.BinOp) and isinstance(n.op, ast.Div))
                or (isinstance(n, ast.Constant) and isinstance(n.value, float))
                or (isinstance(n, ast.Call) and ast.unparse(n.func) in ("float", "math.sqrt", "np.sqrt"))
                or (isinstance(n, ast.Attribute) and n.attr.endswith(("_bps", "_usd")))
                for n in inside
            ):
                found.append(f"{ast.unparse(node)} (line {node.lineno})")
    return found


@pytest.mark.parametrize("file", DECIDING)
def test_what_decides_uses_exact_arithmetic_only(file: str) -> None:
    """No BLAS, no transcendental function, no float power, no unstable sort, no library that rounds as it likes."""
    assert complaints(file, (ROOT / file).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("file", DECIDING)
def test_what_decides_sums_floats_in_a_fixed_order(file: str) -> None:
    """Float sums are `math.fsum`, or written out left to right: never numpy's pairwise sum or the built-in one."""
    assert float_sums((ROOT / file).read_text(encoding="utf-8")) == []


def builtin_sums(text: str) -> list[str]:
    """Return the calls of the built-in sum; one that starts from a Decimal or a Fraction is exact."""
    return [
        f"{ast.unparse(node)} (line {node.lineno})"
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "sum"
        and not any("Decimal" in ast.unparse(part) or "Fraction" in ast.unparse(part) for part in node.args[1:])
        and not any("Decimal" in ast.unparse(k.value) for k in node.keywords)
    ]


@pytest.mark.parametrize("file", sorted(set(HASHED)))
def test_what_is_hashed_adds_floats_left_to_right(file: str) -> None:
    """The built-in sum of floats is compensated from Python 3.12 on: another last bit, another data set and digest."""
    if file not in INTEGER_SUMS and not file.startswith(INTEGER_FAMILIES):
        assert builtin_sums((ROOT / file).read_text(encoding="utf-8")) == []


def test_the_list_of_integer_sums_names_only_files_that_have_one() -> None:
    """An entry that is no longer needed would hide the next sum of floats."""
    assert [f for f in INTEGER_SUMS if not builtin_sums((ROOT / f).read_text(encoding="utf-8"))] == []


def test_the_lint_sees_a_builtin_sum() -> None:
    """And lets those pass that start from an exact zero."""
    assert len(builtin_sums("sum(x for x in a)")) == 1
    assert builtin_sums("sum((x for x in a), Fraction(0)) + sum(a, start=Decimal(0))") == []


@pytest.mark.parametrize(
    "line",
    [
        "a @ b", "np.dot(a, b)", "np.linalg.eigh(a)", "np.exp(a)", "math.log(a)", "a ** 0.5", "a ** 2", "a.mean()",
        "np.mean(a)", "a.argsort()", "np.argsort(a)", "from math import exp", "import scipy.stats", "a.dot(b)",
        "np.float32(1)", "from numpy import dot", "np.argsort(a, kind='quicksort')",
    ],
)  # fmt: skip
def test_the_lint_sees_what_is_forbidden(line: str) -> None:
    """One complaint each: the lint itself is tested."""
    assert len(complaints("x.py", line)) == 1


@pytest.mark.parametrize(
    "line",
    ["math.fsum(a)", "np.sqrt(a)", "10**9", "2**63", "np.cumsum(a)", "np.argsort(a, kind='stable')", "a.sum()", "a*b"],
)
def test_the_lint_lets_the_exact_pass(line: str) -> None:
    """What the audit found identical everywhere is no complaint."""
    assert complaints("x.py", line) == []


@pytest.mark.parametrize("line", ["sum(x / 2 for x in a)", "np.sum(np.sqrt(a))", "sum(s.net_bps for s in a)"])
def test_the_lint_sees_a_sum_of_floats(line: str) -> None:
    """Recognisably floats: a division, a root, a quantity in bps."""
    assert len(float_sums(line)) == 1


def test_what_is_allowed_is_still_there() -> None:
    """An exception whose file or use is gone is taken off the list."""
    for file, what in ALLOWED:
        used = {_forbidden(node) for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8")))}
        assert what in used, file
