"""`cme detect --joint`: planted options are found, a fair market has none, columns and counts are as documented."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from backtest.commands.detect import registration_of
from backtest.data.format.dataset import Dataset
from backtest.folds.curve_study import empty_history
from backtest.folds.registered_panels import registered_panels
from engine.errors import UsageError
from engine.market.view import prepare
from engine.records import Kind
from engine.units import NS_PER_HOUR
from hypotheses.chains.commands import detect
from hypotheses.chains.quotes import chains_of
from hypotheses.chains.study import GUILTY
from tests.leakage import small_study
from tests.leakage.small_study import NO_PLANTS

ask = partial(small_study.ask, detect)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return small_study.market(tmp_path_factory.mktemp("planted"), small_study.text())


@pytest.fixture(scope="module")
def fair(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return small_study.market(tmp_path_factory.mktemp("fair"), small_study.text(**NO_PLANTS))


def largest_plants(dataset: Dataset) -> list[dict[str, Any]]:
    """The butterfly and the vertical of largest gross: far above the spread."""
    truth = pq.read_table(io.BytesIO(dataset.read("truth.parquet"))).to_pandas()
    own = truth[~truth.side_effect & truth.constraint.isin(["C4", "C7"])]
    found: list[dict[str, Any]] = own.loc[own.groupby("constraint").gross_bps.idxmax()].to_dict("records")
    return found


def test_a_planted_option_is_guilty(planted: Dataset, tmp_path: Path) -> None:
    """At the first grid time of the largest plants the bid of the short leg is too high; rows are as documented."""
    for plant in largest_plants(planted):
        out, begin = tmp_path / "guilty.parquet", plant["from_ns"]
        document = json.loads(
            ask(planted.path, "--joint", "--from", begin, "--to", begin + 1, "--out", out, "--json").stdout
        )
        rows = pq.read_table(out).to_pandas()

        assert plant["short"] in set(rows.instrument[rows.side == "bid"])
        assert rows.columns.tolist() == GUILTY.names
        assert (rows.t_ns == begin).all()
        assert ((rows.side == "bid") == (rows.price < rows.bid)).all() or (rows.beyond_bps == 0.0).any()
        assert (rows.least_bps <= rows.most_bps).all()
        coin = rows[rows.currency == "BTC"]
        assert coin.beyond_bps.to_list() == pytest.approx(
            (1e4 * (coin.bid - coin.price).clip(lower=0.0) + 1e4 * (coin.price - coin.ask).clip(lower=0.0)).to_list(),
            abs=1e-3,
        )
        assert document["rows"] == len(rows) == sum(chain["guilty"] for chain in document["chains"])
        worst = {chain["currency"]: chain["largest_bps"] for chain in document["chains"]}
        assert rows.groupby("currency").chain_bps.max().to_dict() == {
            currency: bps for currency, bps in worst.items() if bps > 1e-3
        }


def test_a_fair_market_has_no_guilty_quote_and_says_so(fair: Dataset, tmp_path: Path) -> None:
    """Every chain of four hours is counted as one without executable arbitrage; the file is there without rows."""
    begin = int(registration_of(fair, None).plan.t0_ns)
    out = tmp_path / "guilty.parquet"

    text = ask(fair.path, "--joint", "--from", begin, "--to", begin + 4 * NS_PER_HOUR, "--out", out).stdout

    assert pq.read_table(out).num_rows == 0
    assert "BTC at deribit, premiums in BTC: no executable arbitrage before fees in 4 of 4 chains" in text


def test_a_chain_takes_usable_two_sided_quotes_and_the_future_to_trade_at(fair: Dataset) -> None:
    """Bids and asks are the panel's; listed and not usable is counted; a future without a quote binds nothing."""
    registration = registration_of(fair, None)
    begin = int(registration.plan.t0_ns)
    panel = next(iter(registered_panels(fair, registration.params, "BTC", begin, begin + 1)))
    view = prepare(panel, registration.params, empty_history(registration.params, "BTC"))
    whole = next(iter(chains_of(view)))
    bid = panel.bid.copy()
    bid[0, whole.column[0]] = np.nan
    futures = np.flatnonzero(panel.instruments.kind[panel.code] == Kind.FUTURE)
    bid[0, futures] = np.nan
    less = next(iter(chains_of(prepare(replace(panel, bid=bid), view.params, view.curves))))

    assert whole.chain.bid.tolist() == panel.bid[0, whole.column].tolist()
    assert (whole.chain.forward_bid < whole.chain.forward_ask).all()
    assert less.left_out == whole.left_out + 1
    assert less.column.tolist() == whole.column[1:].tolist()
    assert np.isnan(less.chain.forward_bid).all()


@pytest.mark.parametrize("option", [["--constraint", "C3"], ["--mids-only"], ["--min-gross-bps", "1"]])
def test_options_of_packages_are_refused(option: list[str], fair: Dataset, tmp_path: Path) -> None:
    """They would be ignored without a word."""
    with pytest.raises(UsageError, match=option[0]):
        ask(fair.path, "--joint", *option, "--out", tmp_path / "x.parquet")

    assert not (tmp_path / "x.parquet").exists()


def test_without_the_option_the_packages_are_written(fair: Dataset, tmp_path: Path) -> None:
    """The command is the one of the harness."""
    begin = int(registration_of(fair, None).plan.t0_ns)
    document = json.loads(
        ask(
            fair.path,
            "--constraint",
            "C3",
            "--from",
            begin,
            "--to",
            begin + 1,
            "--out",
            tmp_path / "x.parquet",
            "--json",
        ).stdout
    )

    assert list(document["constraints"]) == ["C3"]
