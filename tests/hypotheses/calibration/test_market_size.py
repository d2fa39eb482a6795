"""The market of four pairs is four small markets of the same law, and the small one is the certificate's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from backtest.data.format.dataset import open_dataset, quote_path
from backtest.environment import ROOT
from backtest.registration.load import load_registration
from backtest.seeds import streams
from benchmarks import power_by_market_size as benchmark
from engine.units import NS_PER_DAY
from hypotheses.calibration import market
from hypotheses.calibration.base import Context
from hypotheses.calibration.draws import Replayed
from hypotheses.calibration.plan import load_plan
from hypotheses.calibration.verdict_cells import judge
from hypotheses.permutation_nulls import STREAM, permutations

PLAN = load_plan(ROOT / "configs" / "calibration" / "registered.toml")
LARGE = load_registration(ROOT / "benchmarks" / "power_by_market_size.toml")
DAY = LARGE.plan.history_ns // NS_PER_DAY + 1


def quotes(folder: Path, coin: str) -> pa.Table:
    return pq.read_table(folder / quote_path(coin, DAY))


@pytest.fixture
def study(tmp_path: Path) -> benchmark.Study:
    return benchmark.Study(PLAN, {1: PLAN.markets["costly"], 4: LARGE}, streams.load(ROOT / "seeds.lock"), tmp_path)


def test_the_window_of_the_small_market_is_the_certificate_s(study: benchmark.Study, tmp_path: Path) -> None:
    """Replication 7 of the family, row by row."""
    made = benchmark.write_market(study, 1, 7, tmp_path / "made")
    kept = market.write_market(study.seeds, "informative", 7, study.markets[1].plan, tmp_path / "kept")
    assert quotes(made, "BTC").equals(quotes(kept, "BTC"))
    assert open_dataset(made).instruments.name == open_dataset(kept).instruments.name


def test_each_pair_of_the_large_market_is_a_small_one_that_no_other_cell_draws(
    study: benchmark.Study, tmp_path: Path
) -> None:
    """Pair k of window r is replication 10,000 + 4r + k, under the coin's own instruments."""
    made = benchmark.write_market(study, 4, 3, tmp_path / "made")
    listed = open_dataset(made).instruments
    for number, coin in enumerate(("BTC", "ETH", "SOL", "XRP")):
        r = 10_000 + 4 * 3 + number
        kept = quotes(market.write_market(study.seeds, "informative", r, study.markets[4].plan, tmp_path / coin), "BTC")
        found = quotes(made, coin)
        assert found.drop_columns("code").equals(kept.drop_columns("code"))
        names = [listed.name[code] for code in found["code"].to_pylist()]
        wanted = [(f"binance:{coin}USDC", f"binance:{coin}USDC-PERP")[code] for code in kept["code"].to_pylist()]
        assert names == wanted


@pytest.mark.slow
def test_the_book_earns_what_its_four_pairs_earn_alone(study: benchmark.Study) -> None:
    """Window 0 through the engine, day by day to the micro-dollar: no pair takes capital or depth from another."""
    book = benchmark.run_window(study, 4, 0)
    alone = [benchmark.run_window(study, 1, 10_000 + number) for number in range(4)]
    assert int(book["refused"]) == 0
    assert int(book["trades"]) == sum(int(one["trades"]) for one in alone)
    assert np.array_equal(book["profit"], sum(one["profit"] for one in alone))
    assert np.array_equal(book["observed"], sum(one["observed"] for one in alone))


@pytest.mark.slow
def test_the_counted_rule_is_the_certificate_s_judge(study: benchmark.Study) -> None:
    """N1, N2 by the mean and H1 of one window of each size, at charges under and over its profit."""
    words = Replayed(study.seeds)
    context = Context(PLAN.study, PLAN.stats, {}, study.seeds, words, lambda _: {}, study.out, None)
    place = np.stack([permutations(words(STREAM), r, 10, 9).ravel() for r in range(PLAN.stats.n2_draws)])
    answers = set()
    for size in benchmark.SIZES:
        window = benchmark.run_window(study, size, 0)
        for share in (-3, 0, 1):
            charge = share * int(window["profit"].mean())
            found = judge(context, window, study.markets[size].plan, np.full(90, charge, dtype=np.int64))
            counted = benchmark.verdict(window, charge, place, 10, PLAN.stats.sharpe_claim, PLAN.stats.alpha)
            assert counted == {"n1": found["n1"], "n2": found["n2_mean"], "supported": found["supported"]}
            answers.add(counted["n1"])
    assert answers == {True, False}
