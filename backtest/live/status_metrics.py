"""The status as metrics of node_exporter's textfile collector.  [live L3]"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backtest.live.feeds import STATES
from engine.units import MICRO

MetricFamily = tuple[str, str, list[tuple[str, object]]]
"""Name, help, and pairs (labels, value)."""


def metrics_of(document: Mapping[str, Any]) -> str:
    """Return the metrics in Prometheus' text format, each with its help and type."""
    days, disk = document["days"], document["disk"]
    study = f'study="{_label(document["study"])}"'
    groups: list[MetricFamily] = [
        ("cme_days_sealed", "days sealed", [(study, days["sealed"])]),
        ("cme_days_behind", "days that are over and not sealed", [(study, days["behind"] or 0)]),
        ("cme_gap_minutes", "minutes of gaps in the sealed days", [(study, days["gap_minutes"])]),
        ("cme_faults", "faults that need a person", [(study, len(document["faults"]))]),
        ("cme_disk_free_bytes", "bytes free below the live folder", [(study, disk["free_bytes"])]),
        ("cme_disk_days_left", "days for which they last at the size of the sealed days",
         [(study, disk["days_left"])] if disk["days_left"] is not None else []),
        ("cme_next_run_seconds", "when the next daily operation is due, seconds since 1970-01-01 UTC",
         [(study, document["next_run_us"] // MICRO)]),
        ("cme_ledger_rows", "rows of a live ledger",
         [(f'study="{_label(one["study"])}",kind="{one["kind"]}"', one["rows"]) for one in document["ledgers"]]),
        ("cme_ledger_exit", "exit code of a live ledger's verification",
         [(f'study="{_label(one["study"])}",kind="{one["kind"]}"', one["exit"]) for one in document["ledgers"]]),
        ("cme_ledger_checkpoint_age_seconds", "age of the newest checkpoint of a live ledger",
         [(f'study="{_label(one["study"])}",kind="{one["kind"]}"', one["checkpoint_age_h"] * 3600)
          for one in document["ledgers"] if one["checkpoint_age_h"] is not None]),
        *(
            (f"cme_funnel_{key}", words, [(f'study="{_label(row["study"])}"', row[key]) for row in document["funnel"]
                                          if row[key] is not None])
            for key, words in (("examined", "packages examined"), ("emitted", "signals emitted"),
                               ("due", "signals whose life is over"), ("resolved", "signals resolved"))
        ),
        *_of_constraints(document["constraints"], study),
        *_of_feeds(document["feeds"]),
    ]  # fmt: skip
    lines = []
    for name, words, values in groups:
        if values:
            lines += [f"# HELP {name} {words}", f"# TYPE {name} gauge"]
            lines += [f"{name}{{{labels}}} {value}" for labels, value in values]
    return "\n".join(lines) + "\n"


def _of_constraints(rows: Sequence[Mapping[str, Any]], study: str) -> list[MetricFamily]:
    """Return coverage by part, and what was emitted beside the floors of H3, by constraint."""
    of = {row["code"]: f'{study},constraint="{row["code"]}"' for row in rows}
    covered = [
        (f'{of[row["code"]]},part="{name}"', part["coverage"])
        for row in rows
        for name, part in (("window", row), ("history", row["history"]))
        if part["coverage"] is not None
    ]
    floors = [(of[row["code"]], row["floors"]) for row in rows if row["floors"] is not None]
    counts = [(f'{label},count="{name}"', count) for label, one in floors for name, count in one["at_most"].items()]
    least = [(f'{label},count="{name}"', count) for label, one in floors for name, count in one["floors"].items()]
    return [
        ("cme_constraint_coverage_ratio", "share of grid times at which a constraint could be judged", covered),
        ("cme_constraint_signals", "signals emitted in the window", [(at, one["signals"]) for at, one in floors]),
        ("cme_constraint_at_most", "upper bound of what H3 will count so far, from what was emitted", counts),
        ("cme_constraint_floor", "registered floor of H3", least),
        ("cme_constraint_floors_reachable", "1 while the floors of H3 can still be reached",
         [(at, int(one["reachable"])) for at, one in floors]),
    ]  # fmt: skip


def _of_feeds(feeds: Sequence[Mapping[str, Any]]) -> list[MetricFamily]:
    """Return state, lag, drops, gaps and reconnects by stream, and the bound of the clock by venue."""
    of = [
        (f'venue="{_label(one["venue"])}",feed="{_label(one["feed"])}",stream="{_label(one["stream"])}"', one)
        for one in feeds
    ]
    bounds = {one["venue"]: one["clock_bound_us"] for one in feeds if one["clock_bound_us"] is not None}
    return [
        ("cme_feed_live", "1 while a stream is live", [(at, int(one["state"] == "live")) for at, one in of]),
        ("cme_feed_state", "1 for the state that a stream is in",
         [(f'{at},state="{state}"', int(one["state"] == state)) for at, one in of for state in STATES]),
        ("cme_feed_lag_seconds", "receipt less event of the newest message of a stream",
         [(at, one["lag_ms"] / 1000) for at, one in of if one["lag_ms"] is not None]),
        ("cme_feed_lag_limit_seconds", "lag over which a stream is late",
         [(at, one["lag_limit_ms"] / 1000) for at, one in of]),
        ("cme_feed_last_receipt_seconds", "receipt of the newest message, seconds since 1970-01-01 UTC",
         [(at, one["last_receipt_us"] / MICRO) for at, one in of if one["last_receipt_us"] is not None]),
        ("cme_feed_gap_minutes", "minutes of gaps of a stream today", [(at, one["gap_minutes"]) for at, one in of]),
        ("cme_feed_dropped", "records of a stream's feed that were received and not written",
         [(at, one["dropped"]) for at, one in of]),
        ("cme_feed_reconnects", "connections of a stream's feed after its first",
         [(at, one["reconnects"]) for at, one in of]),
        ("cme_clock_bound_seconds", "largest difference of the clock from a venue's",
         [(f'venue="{_label(venue)}"', bound / MICRO) for venue, bound in sorted(bounds.items())]),
    ]  # fmt: skip


def _label(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
