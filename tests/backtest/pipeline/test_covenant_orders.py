"""Covenants over a plan's book: the orders of the machine, the exits they cause, and what verifies them.  [S4.5]"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from backtest.audit.run.check import verify_run
from backtest.audit.verify_ledger import trusted_inputs
from backtest.pipeline.covenant_orders import entries, require_orders, with_orders
from backtest.registration.load import load_registration
from backtest.rundir import checksums
from engine.covenants.measures import measure
from engine.covenants.parameter_engine import unscaled_band
from engine.covenants.parameters import Parameters
from engine.covenants.paths import walk_machine
from engine.errors import UsageError
from engine.units import NS_PER_SECOND
from tests.engine.covenants.pair import closes
from tests.helpers.small_run import Tiny, make, write_config

COVENANTS = {
    "a": "binance:BTCUSDC-PERP", "b": "hyperliquid:BTC-PERP", "bar_min": 30, "reading": "scaled", "alpha": "0.5",
    "beta": "0.1", "closes_on": "breach",
}  # fmt: skip
TRUSTED = trusted_inputs((), (), None)
WITH = {"families": ["core", "covenants"], "covenants": COVENANTS}


@pytest.fixture(scope="module")
def covenanted(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """A run whose machine enters its state at every 97th bar: two perps of one coin never leave a band of 0.5 pp."""
    folder = tmp_path_factory.mktemp("covenanted")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("backtest.pipeline.covenant_orders.entries", lambda t_ns, *_: np.arange(50, t_ns.size, 97))
        return make(write_config(folder, WITH), folder / "runs")


def trades_of(run: Path) -> list[dict[str, object]]:
    return [
        row for path in sorted(run.glob("folds/[0-9]*/trades.parquet")) for row in pq.read_table(path).to_pylist()
    ]  # fmt: skip


def test_positions_end_by_the_covenant_and_the_run_verifies(covenanted: Tiny) -> None:
    orders = json.loads((covenanted.folder / "forced_exits.json").read_text())
    trades = trades_of(covenanted.folder)
    reasons = Counter(row["exit_reason"] for row in trades)

    assert reasons["covenant"] >= 3
    assert {order["reason"] for order in orders} == {"covenant"}
    times = np.array([order["t_ns"] for order in orders])
    for row in trades:
        inside = times[(times > row["entry_ns"]) & (times <= row["exit_ns"])]
        assert row["exit_reason"] != "covenant" or inside.size >= 1
        # An order waits for quotes of every leg, here for a few grid times at most.
        late_ns = row["exit_ns"] - inside[0] if inside.size and row["exit_reason"] != "void" else 0
        assert late_ns <= 6 * 3600 * NS_PER_SECOND
    assert verify_run(covenanted.folder, TRUSTED).exit == 0
    ledger = (covenanted.folder / "ledger" / "resolution.jsonl").read_text()
    assert ledger.count('"exit_reason":"covenant"') >= reasons["covenant"]


def test_an_exit_without_its_order_is_found(covenanted: Tiny, tmp_path: Path) -> None:
    run = tmp_path / covenanted.folder.name
    shutil.copytree(covenanted.folder, run)
    (run / "forced_exits.json").write_text("[]\n")
    assert verify_run(run, TRUSTED).exit != 0
    checksums.write(run)
    found = verify_run(run, TRUSTED)
    assert found.exit == 15
    assert "forced_exits.json, an order of covenant for" in found.reason


def test_a_plan_without_the_table_has_the_hash_it_had(tmp_path: Path) -> None:
    plain = load_registration(write_config(tmp_path))
    assert "covenants" not in plain.content
    assert plain.covenants is None
    assert plain.params.forced_exits == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"covenants": COVENANTS}, "families: expected covenants among them .*, was core"),
        ({"families": ["core", "covenants"]}, "families: expected covenants among them .* and only there"),
        (WITH | {"covenants": COVENANTS | {"alpha": "0.8"}}, r"alpha: expected a value in \[0.3, 0.7\], was 0.8"),
        (WITH | {"covenants": COVENANTS | {"bar_min": 7}}, "bar_min: expected a divisor of a day's 1,440 minutes"),
        (WITH | {"covenants": COVENANTS | {"closes_on": "never"}}, "closes_on"),
    ],
)
def test_a_wrong_table_is_refused(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words) as refused:
        load_registration(write_config(tmp_path, changes))
    assert "tiny.toml" in str(refused.value)


def test_who_cannot_compute_orders_refuses_the_plan(covenanted: Tiny) -> None:
    registration = load_registration(covenanted.config)
    with pytest.raises(UsageError, match="only `cme run` computes their orders"):
        require_orders(registration)
    ordered = with_orders(covenanted.dataset, registration, registration.plan)
    require_orders(ordered)
    # The machine's own answer: no breach between two perps of one coin.
    assert ordered.params.forced_exits == ()


def test_an_instrument_that_the_data_lack_is_refused(covenanted: Tiny, tmp_path: Path) -> None:
    changes = WITH | {"covenants": COVENANTS | {"b": "binance:NONE-PERP"}}
    registration = load_registration(write_config(tmp_path, changes))
    with pytest.raises(UsageError, match="expected an instrument of the data set, was 'binance:NONE-PERP'"):
        with_orders(covenanted.dataset, registration, registration.plan)


@pytest.mark.parametrize("closes_on", ["breach", "manual"])
def test_orders_are_the_entries_of_the_machine_s_own_walk_and_know_nothing_later(closes_on: str) -> None:
    p = Parameters(bar_min=60)
    t_ns, a, b = closes(3000, seed=6, bar_min=60)
    m = measure(t_ns, a, b, p)
    modes = walk_machine(m.spread, unscaled_band(m, p), m.decorrelated, m.stale, p).mode
    states = {"breach": (2, 3), "manual": (3,)}[closes_on]
    expected = [k for k in range(3000) if modes[k] in states and (k == 0 or modes[k - 1] not in states)]

    found = entries(t_ns, a, b, p, closes_on)
    assert found.tolist() == expected
    assert len(expected) > 5
    cut = expected[3] + 1
    assert entries(t_ns[:cut], a[:cut], b[:cut], p, closes_on).tolist() == expected[:4]
