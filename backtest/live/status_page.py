"""The status as text and as a static page without scripts.  [live L3]"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any, Final

from backtest.live.feeds import STATES, time_text
from engine.units import MICRO

_STYLE: Final = """
:root{color-scheme:light dark;--bg:#fff;--fg:#1b1b1b;--dim:#5c5c5c;--line:#d8d8d8;--bad:#b00020;--good:#1b6e3c}
@media(prefers-color-scheme:dark){:root{--bg:#16181b;--fg:#e8e8e8;--dim:#a0a0a0;--line:#3a3d42;--bad:#ff7b86;
--good:#74d69b}}
*{box-sizing:border-box}body{margin:0 auto;padding:1rem;max-width:72rem;background:var(--bg);color:var(--fg);
font:15px/1.5 system-ui,sans-serif}h1{font-size:1.4rem;margin:.2rem 0}h2{font-size:1.1rem;margin:1.6rem 0 .4rem}
p,ul{margin:.3rem 0}.dim{color:var(--dim)}.bad{color:var(--bad);font-weight:600}.good{color:var(--good)}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.3rem .6rem .3rem 0;border-bottom:1px solid var(--line);white-space:nowrap}
th{color:var(--dim);font-weight:500}td.n,th.n{text-align:right}code{font:13px ui-monospace,monospace}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem;margin:.3rem 0}dt{color:var(--dim)}
dd{margin:0;overflow-wrap:anywhere}
"""


def page_of(document: Mapping[str, Any]) -> str:
    """Return the page: faults first, then days, ledgers, feeds."""
    days, disk = document["days"], document["disk"]
    faults = document["faults"]
    listed = "".join(f"<li>{escape(one)}</li>" for one in faults)
    state = (
        f'<p class="bad">{len(faults)} fault{"" if len(faults) == 1 else "s"}</p><ul>{listed}</ul>'
        if faults
        else '<p class="good">No fault.</p>'
    )
    facts = {
        "sealed": f"{days['sealed']} of {days['of'] or '?'} days, {days['first'] or '-'} to {days['last'] or '-'}",
        "window": " to ".join(days["window"]) if days["window"] else "not dated yet",
        "gaps": f"{days['gap_minutes']} minutes; least share of minutes up {days['least_up_share'] or '-'}; "
                f"{days['missing']} settlements or deliveries missing for ever",
        "minutes with a quote, last day": quoted_text(days["quoted_share"]),
        "head of the days": days["head"],
        "next run": f"on {time_text(document['next_run_us'])[:10]} UTC, when the day before it is over",
        "disk": f"{disk['free_bytes'] / 1e9:.1f} GB free"
                + (f", about {disk['days_left']} days" if disk["days_left"] is not None else ""),
    }  # fmt: skip
    parts = [
        f"<h1>{escape(document['study'])}</h1><p class=dim>{escape(document['at'])}. Operational counts only: no "
        "money, no expected value, before the look.</p>",
        state,
        *(_refusal(each) for each in document["refused"]),
        "<h2>Days</h2><dl>"
        + "".join(f"<dt>{escape(k)}</dt><dd>{escape(str(v))}</dd>" for k, v in facts.items())
        + "</dl>",
        "<h2>Constraints</h2>"
        + _table(CONSTRAINT_COLUMNS, map(_constraint_row, document["constraints"]), "None.")
        + f"<p class=dim>{escape(FLOORS_NOTE)}</p>",
        "<h2>Funnel</h2>" + _table(FUNNEL_COLUMNS, map(_funnel_row, document["funnel"]), "Nothing is judged yet."),
        "<h2>Ledgers</h2>" + _table(LEDGER_COLUMNS, map(_ledger_row, document["ledgers"]), "No ledger is begun."),
        "<h2>Feeds</h2>"
        + _states(document["feeds"])
        + _table(FEED_COLUMNS, map(_feed_row, _worst_first(document["feeds"])), "No recording was named (--raw)."),
    ]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" '
        'content="width=device-width,initial-scale=1"><meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\"><title>"
        f"{escape(document['study'])}: status</title><style>{_STYLE}</style></head><body><main>"
        + "".join(parts)
        + "</main></body></html>\n"
    )


LEDGER_COLUMNS: Final = ("study", "kind", "rows", "signals", "resolved", "judged to", "verified", "checkpoint", "head")
FEED_COLUMNS: Final = (
    "venue", "stream", "state", "last event", "last receipt", "lag, ms", "limit, ms", "dropped", "gap today, min",
    "reconnects", "clock bound, ms",
)  # fmt: skip
CONSTRAINT_COLUMNS: Final = (
    "constraint", "floors of H3", "active days", "dislocations", "active blocks", "signals", "coverage, window",
    "history",
)  # fmt: skip
OUT_OF_REACH: Final = "out of reach"
BAD: Final = ("failing", "gap", "off", "late", OUT_OF_REACH)
FUNNEL_COLUMNS: Final = ("study", "packages examined", "signals emitted", "due", "resolved")
FLOORS_NOTE: Final = (
    "Coverage: share of grid times at which the constraint could be judged, and days with one. Active days, "
    "dislocations and active blocks are upper bounds from what was emitted, beside the registered floor: no outcome is "
    "read. A floor is out of reach if the bound and the days that are left together are below it."
)


def _ledger_row(ledger: Mapping[str, Any]) -> Sequence[object]:
    counts = ledger["counts"]
    age = ledger["checkpoint_age_h"]
    return (
        ledger["study"], ledger["kind"], ledger["rows"], counts.get("signal", 0), counts.get("resolution", 0),
        ledger["judged"] or "-", "yes" if not ledger["exit"] else f"exit {ledger['exit']}",
        "none" if age is None else f"{ledger['checkpoint_rows']} rows, {age} h old", (ledger["head"] or "-")[:16],
    )  # fmt: skip


def _feed_row(feed: Mapping[str, Any]) -> Sequence[object]:
    bound = feed["clock_bound_us"]
    return (
        feed["venue"], feed["stream"], feed["state"], _clock(feed["last_event_us"]), _clock(feed["last_receipt_us"]),
        _or_dash(feed["lag_ms"]), feed["lag_limit_ms"], feed["dropped"], feed["gap_minutes"], feed["reconnects"],
        "-" if bound is None else round(bound / 1000, 1),
    )  # fmt: skip


def _states(feeds: Sequence[Mapping[str, Any]]) -> str:
    return f"<p>{escape(_counted(feeds))}</p>" if feeds else ""


def _counted(feeds: Sequence[Mapping[str, Any]]) -> str:
    """Return how many streams are in each state, in the order of `STATES`."""
    counts = Counter(feed["state"] for feed in feeds)
    return ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])


def _worst_first(feeds: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the streams that are not live before the thousands that may be."""
    return sorted(feeds, key=lambda feed: feed["state"] == "live")


def _constraint_row(row: Mapping[str, Any]) -> Sequence[object]:
    floors, covered = row["floors"], [_coverage(part) for part in (row, row["history"])]
    if floors is None:
        return (row["code"], "no day is sealed", "-", "-", "-", "-", *covered)
    counts = (f"{count} of {floors['floors'][name]}" for name, count in floors["at_most"].items())
    reach = f"can be reached, {_days(floors['days_left'])} left" if floors["reachable"] else OUT_OF_REACH
    return (row["code"], reach, *counts, floors["signals"], *covered)


def _coverage(part: Mapping[str, Any]) -> str:
    return "-" if part["coverage"] is None else f"{part['coverage']:.1%}, {_days(part['days_judged'])}"


def _funnel_row(row: Mapping[str, Any]) -> Sequence[object]:
    return (row["study"], *(_or_dash(row[key]) for key in ("examined", "emitted", "due", "resolved")))


def quoted_text(shares: Mapping[str, Mapping[str, float]]) -> str:
    """Return the shares of `quoted_shares` in words; a dash where there is none."""
    return (
        "; ".join(
            f"{venue} {share['with_refresh']:.1%} ({share['without_refresh']:.1%} without refresh)"
            for venue, share in shares.items()
        )
        or "-"
    )


def _days(count: int) -> str:
    return f"{count} day{'' if count == 1 else 's'}"


def _or_dash(value: object) -> object:
    return "-" if value is None else value


def _clock(at_us: int | None) -> str:
    """Return the time of day in UTC; a dash where there is none."""
    return "-" if at_us is None else f"{datetime.fromtimestamp(at_us / MICRO, UTC):%H:%M:%S}"


def _refusal(refusal: Mapping[str, Any]) -> str:
    answers = ", ".join(f"{claim}: {answer}" for claim, answer in refusal["verdicts"].items())
    counts = ", ".join(f"{count} {kind}" for kind, count in refusal["counts"].items())
    return f'<p class="bad">{escape(refusal["analysis_id"])}: {escape(answers)} ({escape(counts)})</p>'


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]], none: str) -> str:
    listed = list(rows)
    if not listed:
        return f"<p class=dim>{escape(none)}</p>"
    lines = ["<tr>" + "".join(_cell(value) for value in row) + "</tr>" for row in listed]
    numbers = (all(isinstance(row[at], int | float) for row in listed) for at in range(len(columns)))
    head = "".join(
        f"<th{' class=n' * number}>{escape(name)}</th>" for name, number in zip(columns, numbers, strict=True)
    )
    # what scrolls can be reached by the keyboard, and is named by its first column
    label = escape(f"by {columns[0]}")
    box = f'<div class="scroll" tabindex="0" role="group" aria-label="{label}">'
    return f"{box}<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table></div>"


def _cell(value: object) -> str:
    kind = ' class="n"' if isinstance(value, int | float) else ""
    kind = (
        ' class="bad"'
        if value in ("failing", "gap", "off", "late", "out of reach") or str(value).startswith("exit ")
        else kind
    )
    return f"<td{kind}>{escape(str(value))}</td>"


def text_of(document: Mapping[str, Any]) -> str:
    """Return the status as lines for a terminal."""
    days = document["days"]
    lines = [f"{document['study']}  {document['at']}",
             f"days     {days['sealed']} of {days['of'] or '?'} sealed, the last {days['last'] or 'none'}, "
             f"{days['gap_minutes']} minutes of gaps"]  # fmt: skip
    for ledger in document["ledgers"]:
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(ledger["counts"].items()))
        lines.append(f"ledger   {ledger['study']} ({ledger['kind']}): {ledger['rows']} rows ({counts}), "
                     f"{'intact' if not ledger['exit'] else 'exit ' + str(ledger['exit'])}")  # fmt: skip
    for row in document["constraints"]:
        code, reach, active, dislocations, blocks, signals, window, history = _constraint_row(row)
        bounds = f"at most {active} active days, {dislocations} dislocations, {blocks} active blocks"
        lines.append(
            f"{code:<9}floors of H3 {reach}: {bounds}; signals {signals}; coverage {window}; history {history}"
        )
    for row in document["funnel"]:
        passed = (f"{_or_dash(row[key])} {key}" for key in ("examined", "emitted", "due", "resolved"))
        lines.append(f"funnel   {row['study']}: " + " -> ".join(passed))
    if document["feeds"]:
        lines.append(f"feeds    {_counted(document['feeds'])}")
    for refusal in document["refused"]:
        lines += [
            f"refused  {refusal['analysis_id']}: {claim} {answer}" for claim, answer in refusal["verdicts"].items()
        ]
    lines += [f"fault    {fault}" for fault in document["faults"]]
    return "\n".join(lines)
