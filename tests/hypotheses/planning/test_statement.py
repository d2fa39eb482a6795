"""Twins of planning/: closed forms against loops, the protocol's own figures, and that nothing of a run is read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import pairwise, product
from math import comb, sqrt
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import nct

from backtest.registration.acknowledged import not_acknowledged, power_hash
from backtest.registration.load import load_registration
from backtest.seeds import streams
from engine.constraints.codes import CODES
from hypotheses.judge import streams_of
from hypotheses.planning import capacity, page, retain
from hypotheses.planning.base import FIRST, REPLICATES, STREAM, PowerInputs, Statement, replicates
from hypotheses.planning.floors import days_and_blocks, floor_probability
from hypotheses.planning.statement import statement
from hypotheses.sensitivity import certificate
from tests.helpers import small_run
from tests.hypotheses.cases import bits, stats

ROOT = Path(__file__).resolve().parents[3]
PREREG = ROOT / "configs" / "prereg" / "288615" / "registration.toml"
PLANS = [*sorted((ROOT / "configs").glob("*.toml")), *sorted((ROOT / "configs" / "studies").glob("*.toml"))]
CONFIGS = [PREREG, *(path for path in PLANS if 'schema = "covenants/1"' not in path.read_text(encoding="utf-8"))]


@pytest.fixture(scope="module")
def found() -> Statement:
    """The statement of the registered plan."""
    kept = certificate.load(certificate.PATH)
    return statement(load_registration(PREREG), streams_of(streams.load(ROOT / "seeds.lock")), kept)


def rows(found: Statement, name: str) -> dict[str, tuple[float, ...]]:
    table = next(table for table in found.tables if table.name == name)
    return {str(row[0]): tuple(float(v) for v in row[1:] if v is not None) for row in table.rows}  # type: ignore[arg-type]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_plan_of_ours_acknowledges_its_statement(path: Path) -> None:
    """The name in the file is that of its own tables; one old plan, kept as it is, names the statement of before."""
    unread = not_acknowledged(load_registration(path).content)

    assert (unread is None) == (path.stem != "clock-control")


@pytest.mark.parametrize(
    "change",
    [
        {"statistics.alpha": "0.01"},
        {"statistics.floor_days": 10},
        {"power.expected_trades": {code.lower(): 7 for code in CODES}},
        {"split.gap_h": "12"},
    ],
)
def test_another_plan_has_to_be_read_again(change: dict[str, object]) -> None:
    """Any number the statement rests on changes its name; a fee does not."""
    plan = small_run.document()
    other = small_run.document({**change, "power.acknowledged": plan["power"]["acknowledged"]})
    fee = small_run.document({"costs.capital_rate_annual": "0.1"})

    assert not_acknowledged(plan) is None
    assert str(not_acknowledged(other)).endswith("write its name there")
    assert power_hash(fee) == power_hash(plan)


def test_the_floor_of_days_and_blocks_is_that_of_a_loop_over_all_windows() -> None:
    """Six days in three folds: every pattern of activity, weighed one by one."""
    rate = 0.3
    expected = np.zeros((7, 4))
    for pattern in product([0, 1], repeat=6):
        days, blocks = sum(pattern), sum(any(pattern[2 * j : 2 * j + 2]) for j in range(3))
        expected[days, blocks] += rate**days * (1 - rate) ** (6 - days)

    np.testing.assert_allclose(days_and_blocks(rate, 2, 3), expected, atol=1e-15)
    one_block = stats(floor_days=2, floor_trades=2, floor_blocks=1)
    binomial = sum(comb(6, k) * rate**k * (1 - rate) ** (6 - k) for k in range(2, 7))
    assert floor_probability(6 * rate, 6 * rate, 6, 3, one_block) == pytest.approx(binomial, abs=1e-12)
    assert floor_probability(0, 0, 6, 3, one_block) == 0


def test_the_floor_of_trades_counts_a_poisson_number_beyond_one_a_day() -> None:
    """Against two million windows of numpy: twenty days, four folds, a floor that binds."""
    draw = np.random.default_rng(5)
    active = draw.random((200_000, 20)) < 0.4
    days = active.sum(axis=1)
    trades = days + draw.poisson(1.5 * days)
    met = (days >= 6) & (trades >= 20) & (active.reshape(-1, 4, 5).any(axis=2).sum(axis=1) >= 3)

    found = floor_probability(8, 20, 20, 4, stats(floor_days=6, floor_trades=20, floor_blocks=3))

    assert found == pytest.approx(met.mean(), abs=0.004)


def test_a_sleeve_that_trades_daily_is_retained_as_the_t_test_says() -> None:
    """Ninety active days: the exact noncentral t within the noise of 2,000 windows."""
    inputs = PowerInputs(load_registration(PREREG).plan, stats(), {}, {})
    uniform = retain.draw(bits(3), 90, 2)
    exact = [float(nct.sf(nct.ppf(0.975, 89, 0), 89, sharpe * sqrt(90 / 365))) for sharpe in (0, 3, 5)]

    shares = [retain.retained(uniform, sharpe, 90, 180, inputs) for sharpe in (0, 3, 5)]

    np.testing.assert_allclose(shares, exact, atol=0.03)
    many = PowerInputs(inputs.plan, stats(floor_trades=100), {}, {})
    assert retain.retained(uniform, 5, 90, 90, many) == 0  # a trade a day is ninety, fewer than a hundred


def test_a_ratio_that_so_few_active_days_cannot_have_is_no_number() -> None:
    """SR_d^2 >= p / (1 - p): whatever is earned on two days of ninety, the year cannot look like that."""
    inputs = PowerInputs(load_registration(PREREG).plan, stats(), {}, {})
    uniform = retain.draw(bits(3), 90, 2)

    assert retain.retained(uniform, 8, 9, 18, inputs) is None
    p, ratio = 30 / 90, 5 / sqrt(365)
    m = ratio / sqrt(p - ratio**2 * (1 - p))
    assert p * m / sqrt(p + p * (1 - p) * m * m) == pytest.approx(ratio, rel=1e-12)


def test_h2_is_supported_as_often_as_a_normal_bound_says_where_days_are_even() -> None:
    """A coefficient of variation of a twentieth is nearly normal: the noncentral t is the answer."""
    uniform = retain.draw(bits(9), 90, 1)[:, 0]
    for share in (0.99, 1.0):
        exact = float(nct.sf(nct.ppf(0.95, 89, 0), 89, (1 / share - 1) / 0.05 * sqrt(90)))
        assert capacity.supported(uniform, share, 0.05, 0.95) == pytest.approx(exact, abs=0.03)


def test_the_registered_plan_shows_what_the_protocol_prints(found: Statement) -> None:
    """Statistics 1.4: 12.5, 25.5, 43.4, 79.4, 98.9; 2,258 days at SR 1; all seven 0.03%, 7.5%, 84%."""
    exact = next(values for name, values in rows(found, "sharpe").items() if "SR <= 0" in name)
    seven = rows(found, "sleeves")["all seven, if daily and independent"]

    assert [round(100 * share, 1) for share in exact[1:]] == [12.5, 25.5, 43.4, 79.4, 98.9]
    assert [round(days) for days in rows(found, "days")["days"][:4]] == [2258, 566, 252, 92]
    assert [round(100 * share, 2) for share in seven[3:]] == [0.03, 7.45, 84.09]
    np.testing.assert_allclose(
        next(v for name, v in rows(found, "sharpe").items() if "N1" in name)[1:5],
        [0.116, 0.226, 0.379, 0.746],
        atol=0.03,
    )
    answers = np.array(list(rows(found, "answers").values()))
    np.testing.assert_allclose(answers.sum(axis=0), 1, atol=1e-9)
    assert found.acknowledged


def test_the_page_stands_alone_and_escapes_what_a_plan_says(found: Statement) -> None:
    """No script, no address, no tag from a title; the JSON has every table and no NaN."""
    from dataclasses import replace

    hostile = replace(found, title="<script>|", study="<b>")
    html, text = page.as_html(hostile), page.as_markdown(hostile)
    document = json.loads(page.as_json(found), parse_constant=pytest.fail)

    for word in ("<script", "<b>&", "http:", "https:", "url("):
        assert word not in html
    assert "<script" not in text
    assert html.count("<svg") == len(found.curves) == 2
    assert [table["name"] for table in document["tables"]] == [table.name for table in found.tables]


READS = """
import sys
from pathlib import Path
seen = []
sys.addaudithook(lambda event, args: seen.append(str(args[0])) if event == "open" else None)
sys.argv = ["cme", "power", sys.argv[1], "--json", "--quiet"]
import cme
try:
    cme.main(sys.argv[1:])
except SystemExit as done:
    code = done.code
here = str(Path.cwd())
own = [name for name in seen if not name.endswith((".py", ".pyc")) and "site-packages" not in name]
print("\\n".join(sorted({name for name in own if name.startswith((here, sys.argv[2][:1]))})), file=sys.stderr)
sys.exit(code)
"""


def test_nothing_of_a_run_is_opened(found: Statement, tmp_path: Path) -> None:
    """Every file the command opens: the plan and seeds.lock; a run and data lie beside the plan, unread."""
    plan = tmp_path / "plan.toml"
    plan.write_text(load_registration(PREREG).text)
    for name in ("returns.parquet", "trades.parquet", "ledger/resolution.jsonl", "verdicts.json", "placements.parquet"):
        path = tmp_path / "runs" / "one" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("poison")

    done = subprocess.run(
        [sys.executable, "-c", READS, str(plan)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    opened = [Path(line) for line in done.stderr.splitlines() if line.startswith("/")]
    ours = {path.name for path in opened if path.is_relative_to(tmp_path) or path.is_relative_to(ROOT)}

    assert done.returncode == 0, done.stderr
    assert done.stdout == page.as_json(found)  # another process: the same to the last digit
    beside = {path.relative_to(tmp_path).as_posix() for path in opened if path.is_relative_to(tmp_path)}
    assert beside == {"plan.toml"}
    # The seals of the running code stand beside the certificate's: they read sources, and nothing of a run.
    assert {"plan.toml", "seeds.lock", "certificate.json"} <= ours
    assert not ours & {"returns.parquet", "trades.parquet", "resolution.jsonl", "verdicts.json", "placements.parquet"}


def test_the_rule_that_decides_comes_first_with_the_certificate_s_own_counts(found: Statement) -> None:
    """Shares are counts over markets of the certificate; whose code it certifies is said; N1 alone is named so."""
    content = json.loads(certificate.PATH.read_text())
    first = found.tables[0]
    engine = {row["name"]: row for row in content["rows"] if row["cell"] == "engine/informative"}

    assert first.name == "decides"
    assert first.head[1:] == ("0", "1", "2", "3", "5", "8")
    for ratio, share in zip((1, 2, 3, 5, 8), first.rows[0][2:], strict=True):
        row = engine[f"H1 supported, true Sharpe ratio {ratio}"]
        assert share == pytest.approx(row["count"] / row["of"], abs=5e-5)
    assert "the certificate is" in first.notes[0]
    assert all("N1 alone" in table.title for table in found.tables[1:3])
    assert "costs no power" not in page.as_markdown(found)


def test_without_a_certificate_the_statement_says_how_to_make_one() -> None:
    """An empty table with its reason, under the same name."""
    without = statement(load_registration(PREREG), streams_of(streams.load(ROOT / "seeds.lock")), None)

    assert without.tables[0].rows == ()
    assert "cme calibrate" in without.tables[0].notes[0]
    assert without.name == power_hash(load_registration(PREREG).content)


def test_blocks_of_cells_draw_from_replicates_of_their_own(found: Statement) -> None:
    """No two blocks share a word, and the lock lists them all."""
    lock = streams.load(ROOT / "seeds.lock")
    spans = sorted((first, first + REPLICATES) for first in FIRST.values())

    assert all(end <= begin for (_, end), (begin, _) in pairwise(spans))
    assert spans[-1][1] <= lock.replicates[STREAM]
    assert replicates(streams_of(lock), "retain")(5).random_raw() == lock.generator(STREAM, 10_005).random_raw()
    assert {table.kind for table in found.tables} == {"exact", "simulated", "measured"}
