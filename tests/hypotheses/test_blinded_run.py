"""A blinded run shows nothing that an outcome could move, and draws as it says.  [live L0.7]"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pytest

import cme
from backtest.pipeline import blinded, placements
from backtest.pipeline.placements import admitted_signals, n2_shifts
from backtest.registration.load import load_registration
from backtest.rundir.stages import HARNESS, WindowJob, run_blinded, run_stages
from engine.positions import portfolio
from engine.positions.base import Trade
from engine.units import NS_PER_DAY
from hypotheses import blinded_run
from tests.helpers.cli import RunCommand, refused
from tests.helpers.small_run import Tiny, write_config

NOW_US = 1_800_000_000_000_000
Files = dict[str, bytes]


def random_money(bits: np.random.Generator) -> Any:
    """A settlement that keeps the position and draws every amount."""
    settle = portfolio.settle

    def drawn(*arguments: Any) -> Trade:
        trade = settle(*arguments)
        accruals = {day: int(bits.integers(-(10**9), 10**9)) for day in trade.accruals}
        net = sum(accruals.values())
        fees, funding = (int(amount) for amount in bits.integers(0, 10**8, 2))
        return replace(trade, gross=net + fees - funding, fees=fees, slippage=0, funding=funding, borrow=0, net=net,
                       accruals=accruals, first_index={})  # fmt: skip

    return drawn


def files_of(folder: Path) -> Files:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Observed:
    """What a blinded run writes, keeps for its length, prints and journals, and the true outcomes behind it."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.kept: list[Files] = []
        self.true_nets: list[list[int]] = []
        self._numbers = count(1)
        remove, booked, reprice = shutil.rmtree, blinded.booked_run, placements.reprice_all

        def removed(folder: Path, **options: Any) -> None:
            if Path(folder).name == blinded_run.WORK and Path(folder).exists():
                self.kept.append(files_of(Path(folder)))
            remove(folder, **options)

        def observed(*arguments: Any) -> Any:
            run = booked(*arguments)
            self.true_nets.append([trade.net for trade in (*run.history, *run.trades)])
            return run

        def moved(views: Any, sources: Any, signal: Any, t_ns: Any, *rest: Any) -> Any:
            assert (t_ns != sources.t_ns[signal]).all()
            return reprice(views, sources, signal, t_ns, *rest)

        patch.setattr(blinded_run.shutil, "rmtree", removed)
        patch.setattr(blinded, "booked_run", observed)
        patch.setattr(placements, "reprice_all", moved)
        patch.setattr(cme, "now_us", lambda: NOW_US)
        patch.setattr(cme, "uuid4", lambda: UUID(int=next(self._numbers), version=4))


TWO_DAYS: dict[str, Any] = {
    "split.folds": 5, "split.fold_d": "2", "statistics.n2_draws": 19, "statistics.n2_extended": 19,
    "statistics.bootstrap_draws": 19,
}  # fmt: skip
"""Folds of two days: each has another day."""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path, TWO_DAYS)


@pytest.mark.slow
def test_other_outcomes_with_the_same_exits_change_no_byte(
    config: Path, tmp_path: Path, run_command: RunCommand
) -> None:
    """Every file, journal and cache file, every printed line: equal where each settled amount is another."""
    out = tmp_path / "runs"
    seen: list[tuple[Files, list[Files], str, str]] = []
    nets: list[list[list[int]]] = []
    for kernel in (None, random_money(np.random.default_rng(7))):
        shutil.rmtree(out, ignore_errors=True)
        with pytest.MonkeyPatch.context() as patch:
            observed = Observed(patch)
            if kernel is not None:
                patch.setattr(portfolio, "settle", kernel)
            done = run_command("run", config, "--out", out, "--workers", 1, "--blinded")
        assert done.code == 0, done.err
        assert not (out / blinded_run.WORK).exists()
        seen.append((files_of(out), observed.kept, done.out, done.err))
        nets.append(observed.true_nets)
    assert nets[0] != nets[1]  # the outcomes are others, and there are some
    assert len([net for net in nets[0][0] if net]) > 10
    (one, kept_one, *said_one), (other, kept_other, *said_other) = seen
    assert sorted(one) == sorted(other)
    assert [name for name in one if one[name] != other[name]] == []
    assert len(kept_one) == len(kept_other) == 1
    for first, second in zip(kept_one, kept_other, strict=True):
        assert sorted(first) == sorted(second)
        assert {Path(name).suffix for name in first} >= {".piece", ".parquet", ".html", ".jsonl"}
        assert [name for name in first if first[name] != second[name]] == []
    assert said_one == said_other
    document = json.loads(next(path for name, path in one.items() if name.endswith("blinded.json")))
    assert set(document["withheld"].values()) == {document["answers"]["H2"]} == {"blinded"}
    assert document["counts"]["signals"] + 1 == document["counts"]["ledger_rows"] > 1


@pytest.fixture(scope="module")
def jobs(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> tuple[WindowJob, WindowJob]:
    """The true run of a study with folds of two days, and its blinded run under the thresholds of the true one."""
    folder = tmp_path_factory.mktemp("blinded")
    registration = load_registration(write_config(folder, TWO_DAYS))
    start = WindowJob(tiny.dataset, registration, registration.plan, tiny.seeds, 1, folder / "true")
    true = run_stages(start, HARNESS)
    fitted = {fit.fold: next(iter(fit.curve.values())).z_threshold for fit in true.finished_run.fitted}
    return true, run_blinded(lambda fold, *_: fitted[fold], replace(start, out=folder / "blind"), None)


@pytest.mark.slow
def test_each_outcome_is_that_of_one_placement_on_another_day_of_the_fold(jobs: tuple[WindowJob, WindowJob]) -> None:
    """By a slow loop over the placements of the true run: the day is another of the fold, and the money is its."""
    true, job = jobs
    plan, table = job.plan, {}
    for name, shift, day, micro in true.finished_placements.placed.itertuples(index=False):
        table.setdefault((name, shift), {})[day] = micro
    lost = set(true.finished_placements.unplaced.itertuples(index=False, name=None))
    assert [s.signal_id for s in job.finished_run.signals] == [s.signal_id for s in true.finished_run.signals]
    replaced = 0
    for trade, own in zip(job.finished_run.trades, true.finished_run.trades, strict=True):
        signal, position = trade.position.signal, trade.position
        kept = (position.exit_ns, trade.rejected, trade.notional_usd, trade.modelled)
        assert kept == (own.position.exit_ns, own.rejected, own.notional_usd, own.modelled)
        assert trade.net == sum(trade.accruals.values()) == trade.gross
        assert (position.funding, position.marks, position.trigger, position.first_index) == ((), (), None, None)
        into = (signal.t_ns - plan.t0_ns) // NS_PER_DAY % 2
        shift = (NS_PER_DAY if into == 0 else -NS_PER_DAY) % (plan.t1_ns - plan.t0_ns)  # the other of two days
        if trade.rejected or (signal.signal_id, shift) in lost:
            assert trade.net == 0
        else:
            assert dict(trade.accruals) == {d: m for d, m in table.get((signal.signal_id, shift), {}).items() if m}
            replaced += own.net != trade.net
    assert replaced > 10
    assert job.finished_run.history == ()
    assert {share for fit in job.finished_run.fitted for share in fit.capture.values()} == {1.0}


@pytest.mark.slow
def test_own_times_and_delays_of_the_nulls_are_the_replaced_outcomes(jobs: tuple[WindowJob, WindowJob]) -> None:
    _, job = jobs
    found = job.finished_placements
    wanted = {(t.position.signal.signal_id, d): m for t in job.finished_run.trades for d, m in t.accruals.items()}
    own = found.placed[found.placed["shift_ns"] == 0]
    assert {(n, d): m for n, d, m in own[["signal_id", "day", "usd_micro"]].itertuples(index=False) if m} == wanted
    for _, late in found.delayed.groupby(["delay_ns", "at_trigger"]):
        assert late["usd_micro"].tolist() == own["usd_micro"].tolist()
    assert found.delayed.groupby(["delay_ns", "at_trigger"]).ngroups == len(placements.DELAYS_NS) + 1


def test_the_draw_is_uniform_over_the_other_days_and_one_word_a_signal(tiny: Tiny) -> None:
    """A fold of ten days: each other day about as often; a signal without a quoted day is left out, others stay."""
    plan = replace(tiny.run.plan, folds=1, fold_ns=tiny.run.plan.t1_ns - tiny.run.plan.t0_ns)
    (signal, *_) = admitted_signals(tiny.run)
    many = tuple(replace(signal, signal_id=f"s{n:04d}") for n in range(1_800))
    run = replace(tiny.run, plan=plan, trades=(), signals=many)
    none = pd.DataFrame({"signal_id": [], "shift_ns": []})
    drawn = blinded.drawn_shifts(run, none, tiny.seeds)
    counted = Counter(drawn.values())
    others = [shift for shift in n2_shifts(signal.t_ns, plan).tolist() if shift]
    assert sorted(counted) == sorted(others)
    assert len(others) == 9
    assert sum((n - 200) ** 2 / 200 for n in counted.values()) < 26.12  # chi-squared, 8 degrees, 0.1%
    lost = pd.DataFrame({"signal_id": ["s0000"] * 9, "shift_ns": others})
    without = blinded.drawn_shifts(run, lost, tiny.seeds)
    assert {**without, "s0000": drawn["s0000"]} == drawn
    assert "s0000" not in without


@pytest.mark.parametrize("option", [("--exploratory",), ("--again",), ("--plan",), ("--replication-of", "x"),
                                    ("--repair-of", "x"), ("--scheduler", "tcp://localhost:1")])  # fmt: skip
def test_a_blinded_run_goes_with_no_request_that_would_reveal_or_repeat(
    option: tuple[str, ...], tmp_path: Path, run_command: RunCommand
) -> None:
    done = run_command("run", write_config(tmp_path), "--out", tmp_path / "runs", "--blinded", *option)
    refused(done, 2, "expected --blinded without", option[0])
