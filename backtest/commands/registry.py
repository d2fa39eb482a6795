"""Lists every command in a literal table; each is imported when it is called (`backtest.commands.lazy_group`)."""

from __future__ import annotations

from typing import Final

COMMANDS: Final = {
    "run": ("cme:run", "the main job, end to end: data, folds, verdicts, report, MLflow"),
    "init": ("backtest.commands.init:init", "a short plan of your own, from a template"),
    "power": ("hypotheses.planning.commands:power", "what a plan can show, before any outcome is read"),
    "freeze": ("backtest.commands.freeze:freeze", "seal a registered study, or compare it with its seal"),
    "emit": ("backtest.commands.live:emit", "seal the days that are over, judge them, append what they emit"),
    "resolve": ("backtest.commands.live:resolve", "settle what is due outside a registered window"),
    "status": ("backtest.commands.status:status", "feeds, days, ledgers and faults of the daily operation"),
    "looks": ("backtest.commands.freeze:looks", "how often outcomes were looked at; abort an open look"),
    "record": ("backtest.commands.record:record", "raw messages of the registered feeds, with proven gaps"),
    "data": ("backtest.commands.data:data", "build, check or synthesise a canonical data set"),
    "detect": ("hypotheses.chains.commands:detect", "the engine alone: every package that violates a relation"),
    "judge": ("hypotheses.commands:judge_command", "recompute the three verdicts of a run"),
    "report": ("reports.commands:report", "render a run's page and its Markdown twin again"),
    "list": ("reports.many.commands:list_runs", "the finished runs of a folder and their answers"),
    "compare": ("reports.many.commands:compare", "several runs side by side, in a table and on a page"),
    "verify": ("backtest.commands.verify:verify", "recompute every hash of a run or a ledger from its content"),
    "prove": ("backtest.commands.proofs:prove", "that a row is in a ledger, or an earlier size a prefix of a later"),
    "sign": ("backtest.commands.proofs:sign", "sign a checkpoint with a key file"),
    "anchor": ("backtest.commands.proofs:anchor", "what a time-stamp authority needs and gave"),
    "bundle": ("backtest.commands.bundle:bundle", "everything a reviewer needs in one file"),
    "reproduce": ("hypotheses.reproduction.commands:reproduce", "a published run computed again, level by level"),
    "drill": ("hypotheses.reproduction.commands:drill", "tamper with copies of a run; what catches each way"),
    "calibrate": ("hypotheses.calibration.commands:calibrate", "measured size, coverage and power of the pipeline"),
    "leaks": ("backtest.commands.leaks:leaks", "the leak battery on a data set"),
    "track": ("backtest.commands.track:track", "bring MLflow up to the journals; list what differs"),
    "covenants": ("reports.covenants.commands:covenants", "a pair through the covenants, with placebos"),
    "simulate": ("reports.venue_risk.commands:simulate", "a venue's risk mechanics: a scenario or a real event"),
}
"""Name -> (module:attribute, the line `cme --help` shows), in the order of a day's work."""
