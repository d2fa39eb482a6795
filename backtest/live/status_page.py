"""The status as text, as a static page without scripts, and as metrics of node_exporter's textfile collector.  [L3]"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, Final

_STYLE: Final = """
:root{color-scheme:light dark;--bg:#fff;--fg:#1b1b1b;--dim:#5c5c5c;--line:#d8d8d8;--bad:#b00020;--good:#1b6e3c}
@media(prefers-color-scheme:dark){:root{--bg:#16181b;--fg:#e8e8e8;--dim:#a0a0a0;--line:#3a3d42;--bad:#ff7b86;
--good:#74d69b}}
*{box-sizing:border-box}body{margin:0 auto;padding:1rem;max-width:72rem;background:var(--bg);color:var(--fg);
font:15px/1.5 system-ui,sans-serif}h1{font-size:1.4rem;margin:.2rem 0}h2{font-size:1.1rem;margin:1.6rem 0 .4rem}
p,ul{margin:.3rem 0}.dim{color:var(--dim)}.bad{color:var(--bad);font-weight:600}.good{color:var(--good)}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.3rem .6rem .3rem 0;border-bottom:1px solid var(--line);white-space:nowrap}
th{color:var(--dim);font-weight:500}td.n{text-align:right}code{font:13px ui-monospace,monospace}
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
        "head of the days": days["head"],
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
        "<h2>Ledgers</h2>" + _table(LEDGER_COLUMNS, map(_ledger_row, document["ledgers"]), "No ledger is begun."),
        "<h2>Feeds</h2>" + _table(FEED_COLUMNS, map(_feed_row, document["feeds"]), "No recording was named (--raw)."),
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
FEED_COLUMNS: Final = ("venue", "stream", "state", "gap today, min", "reconnects", "clock bound, ms")


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
    return (feed["venue"], feed["stream"], feed["state"], feed["gap_minutes"], feed["reconnects"],
            "-" if bound is None else f"{bound / 1000:.1f}")  # fmt: skip


def _refusal(refusal: Mapping[str, Any]) -> str:
    answers = ", ".join(f"{claim}: {answer}" for claim, answer in refusal["verdicts"].items())
    counts = ", ".join(f"{count} {kind}" for kind, count in refusal["counts"].items())
    return f'<p class="bad">{escape(refusal["analysis_id"])}: {escape(answers)} ({escape(counts)})</p>'


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]], none: str) -> str:
    lines = ["<tr>" + "".join(_cell(value) for value in row) + "</tr>" for row in rows]
    if not lines:
        return f"<p class=dim>{escape(none)}</p>"
    head = "".join(f"<th>{escape(name)}</th>" for name in columns)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def _cell(value: object) -> str:
    kind = ' class="n"' if isinstance(value, int | float) else ""
    kind = ' class="bad"' if value in ("failing", "gap", "off") or str(value).startswith("exit ") else kind
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
    states: dict[str, int] = {}
    for feed in document["feeds"]:
        states[feed["state"]] = states.get(feed["state"], 0) + 1
    if states:
        lines.append("feeds    " + ", ".join(f"{count} {state}" for state, count in sorted(states.items())))
    for refusal in document["refused"]:
        lines += [
            f"refused  {refusal['analysis_id']}: {claim} {answer}" for claim, answer in refusal["verdicts"].items()
        ]
    lines += [f"fault    {fault}" for fault in document["faults"]]
    return "\n".join(lines)


def metrics_of(document: Mapping[str, Any]) -> str:
    """Return the metrics in Prometheus' text format, each with its help and type."""
    days, disk = document["days"], document["disk"]
    study = f'study="{_label(document["study"])}"'
    groups: list[tuple[str, str, list[tuple[str, object]]]] = [
        ("cme_days_sealed", "days sealed", [(study, days["sealed"])]),
        ("cme_days_behind", "days that are over and not sealed", [(study, days["behind"] or 0)]),
        ("cme_gap_minutes", "minutes of gaps in the sealed days", [(study, days["gap_minutes"])]),
        ("cme_faults", "faults that need a person", [(study, len(document["faults"]))]),
        ("cme_disk_free_bytes", "bytes free below the live folder", [(study, disk["free_bytes"])]),
        ("cme_ledger_rows", "rows of a live ledger",
         [(f'study="{_label(one["study"])}",kind="{one["kind"]}"', one["rows"]) for one in document["ledgers"]]),
        ("cme_ledger_exit", "exit code of a live ledger's verification",
         [(f'study="{_label(one["study"])}",kind="{one["kind"]}"', one["exit"]) for one in document["ledgers"]]),
        ("cme_feed_live", "1 while a stream is live",
         [(f'venue="{_label(one["venue"])}",stream="{_label(one["stream"])}"', int(one["state"] == "live"))
          for one in document["feeds"]]),
    ]  # fmt: skip
    lines = []
    for name, words, values in groups:
        if values:
            lines += [f"# HELP {name} {words}", f"# TYPE {name} gauge"]
            lines += [f"{name}{{{labels}}} {value}" for labels, value in values]
    return "\n".join(lines) + "\n"


def _label(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
