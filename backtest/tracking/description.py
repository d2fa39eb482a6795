"""Names and descriptions that MLflow shows of a run: the three answers with number, interval and claim.  [audit 13]

Texts are built from the journal alone and are as long as MLflow keeps a tag.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from backtest.tracking.journal import Record
from backtest.tracking.windows import SHARPE, WindowRecord, of_window
from engine.constraints.codes import CODES

LONGEST: Final = 8000
"""The characters of a tag that MLflow keeps; it would cut the rest without a word.  [audit 13.4]"""
_FOUR_DIGITS: Final = 1000


def study_name(record: Record) -> str:
    """Return the name of a journal's run: the id of its run directory, or what it ran where it has none or several."""
    ids = [window.tags[key] for window in record.windows if (key := of_window("run", window.start)) in window.tags]
    if len(record.windows) == len(ids) == 1:
        return ids[0]
    if named := record.tags.get("simulation") or record.tags.get("covenants"):
        return named
    return f"{record.study}, {len(record.windows)} windows" if record.windows else f"{record.study}: {record.command}"


def window_name(window: WindowRecord) -> str:
    """Return the name of a window's run: the id of its run directory, or its first day before it has one."""
    return window.tags.get(of_window("run", window.start), f"window {window.start}")


def study_text(record: Record) -> str:
    """Return the description of a journal's run in Markdown: what was run, and the answers of each window."""
    market = "synthetic market, " if record.params.get("synthetic") == "true" else ""
    head = f"**{record.params.get('title', record.study)}** (`cme {record.command}`, {market}{record.mode})"
    if record.exit_code is None:
        head += ": it has no end, so it was killed or is still going on"
    elif record.exit_code:
        head += f": it ended with exit code {record.exit_code}"
    answers = [_list(window, len(record.windows) > 1) for window in record.windows]
    return "\n\n".join([head, "\n".join(answers)])[:LONGEST].strip()


def window_text(record: Record, window: WindowRecord) -> str:
    """Return the description of a window's run in Markdown: the three answers, and where its files are."""
    market = "Synthetic market. " if record.params.get("synthetic") == "true" else ""
    files = f"{market}Page, figures and tables: artifacts of the run above, folder `{window_name(window)}`."
    return f"{_list(window, dated=False)}\n\n{files}"[:LONGEST]


def _list(window: WindowRecord, dated: bool) -> str:
    """Return a list in Markdown of the answers of a window; ``dated`` under its first day."""
    answers = [f"- {answer}" for answer in _answers(window)]
    if not dated:
        return "\n".join(answers)
    return "\n".join([f"- **{window.start}**", *(f"    {answer}" for answer in answers)])


def _answers(window: WindowRecord) -> list[str]:
    """Return each answer with its number, interval and claim."""
    value = {key: float(text) for key, text, _, _ in window.metrics}
    words = {
        key: window.tags.get(of_window(key, window.start), "") for key in ("h1", "h2", "h3", *map(str.lower, CODES))
    }
    if not words["h1"]:
        return ["no answer was recorded"]
    retained = [code for code in CODES if words[code.lower()] == "retained"]
    chance = "".join(
        f"; p({name}) {_short(value[key])}" for name, key in (("N1", "h1/p_n1"), ("N2", "h1/p_n2")) if key in value
    )
    return [
        f"H1 **{words['h1']}**: net Sharpe ratio {_number(value, SHARPE)}, "
        f"claim > {_short(value.get('h1/sharpe_claim'))}{chance}",
        f"H2 **{words['h2']}**: modelled net EV {_number(value, 'h2/mean_usd_per_day')} USD a day, "
        f"claim < {_short(value.get('h2/claim_usd_per_day'))}",
        f"H3 **{words['h3']}**: {len(retained)} of {_short(value.get('h3/constraints'))} constraints retained"
        + (f" ({', '.join(retained)})" if retained else ""),
    ]


def _number(value: Mapping[str, float], key: str) -> str:
    """Return a number with its interval; what was not recorded is said to be undefined."""
    if key not in value:
        return "undefined"
    low, high = value.get(f"{key}_low"), value.get(f"{key}_high")
    return _short(value[key]) + ("" if low is None or high is None else f" [{_short(low)}, {_short(high)}]")


def _short(value: float | None) -> str:
    """Return four significant digits; from a thousand on, whole numbers with separators."""
    if value is None:
        return "unknown"
    return f"{value:,.0f}" if abs(value) >= _FOUR_DIGITS else f"{value:.4g}"
