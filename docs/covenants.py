"""Write docs/covenants.md: every sentence of the SCPC seed, its mechanism, and its figure or the reason why not.

``python docs/covenants.py`` writes the page from docs/covenants.json; ``--check`` fails if it is stale;
``--from RUNS`` first renews docs/covenants.json from the newest run of each study below RUNS (`cme covenants`).
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

from measured_page import renew_check_or_write

HERE = Path(__file__).resolve().parent
FIGURES, SENTENCES, PAGE = HERE / "covenants.json", HERE / "covenants-sentences.tsv", HERE / "covenants.md"
STUDIES = ("scpc-2022-2024", "scpc-minutes-2025", "scpc-synthetic")


def newest(runs: Path, study: str) -> Path:
    """Return the newest run directory of a study."""
    found = sorted(runs.glob(f"{study}-20*"), key=lambda path: path.stat().st_mtime)
    if not found:
        sys.exit(
            f"docs/covenants.py: expected a run of {study} below {runs}: cme covenants configs/studies/{study}.toml"
        )
    return found[-1]


def collected(runs: Path) -> dict[str, Any]:
    """Return the figures that the page shows, from the runs' own files."""
    content: dict[str, Any] = {}
    for study in STUDIES:
        run = newest(runs, study)
        entry: dict[str, Any] = {"run": run.name}
        for name in ("figures", "claims", "verdicts", "experiments"):
            path = run / f"{name}.json"
            entry[name] = json.loads(path.read_text()) if path.is_file() else {}
        for name in ("accounts", "august_2024", "crowding", "learners", "curve"):
            path = run / f"{name}.csv"
            entry[name] = list(csv.DictReader(path.read_text().splitlines())) if path.is_file() else []
        content[study] = entry
    return content


def values(content: dict[str, Any]) -> dict[str, str]:
    """Return the texts that stand for the names in braces of the sentences' answers."""
    hours, minutes = content["scpc-2022-2024"], content["scpc-minutes-2025"]
    claims, main = hours["claims"], hours["verdicts"]["readings"]["main"]
    event = {(row["account"], row["leverage"], row["side"]): row for row in hours["august_2024"]}
    control, forecast = claims["spread_control"], claims["breach_prediction"]
    slope, thin, drift = claims["tightening"], claims["thin_pair"], claims["drift_calibrated"]
    accounts = {row["account"]: row for row in hours["accounts"]}
    learners = "; ".join(
        f"{row['engine']} {float(row['mean_loss']):.4f}" + (" (may replace)" if row["replaces"] == "True" else "")
        for row in hours["learners"]
    )

    def interval(found: dict[str, Any]) -> str:
        if found["point"] is None:
            return "not evaluable"
        return f"{found['point']:+.2f} [{found['low']:+.2f}, {found['high']:+.2f}], {found.get('verdict', '')}".rstrip(
            ", "
        )

    def against(view: str, claim: str) -> str:
        return "; ".join(f"{name}: {interval(main[view][name][claim])}" for name in ("a", "p1", "p2", "p3"))

    def liquidated(leverage: str) -> str:
        return ", ".join(
            f"{name} {float(event[(name, leverage, 'short_a')]['liquidated']):.0f}/30"
            for name in ("a", "b", "lm", "p1", "p2")
        )

    experiments = content["scpc-synthetic"]["experiments"]
    changes, flow = experiments["regime_changes"], experiments["order_flow"]
    book = minutes["experiments"]["order_flow_book"]
    curve = {(row["configuration"], row["side"]): row for row in hours["curve"]}

    def minutes_of(value: float | None) -> str:
        return "none in ten days" if value is None else f"{value:.0f} min"

    def monitor(name: str) -> str:
        delays = ", ".join(
            f"{change} {minutes_of(changes[change][f'{name}_delay_min'])}"
            for change in ("volatility", "correlation", "level")
        )
        return f"{name} {changes['none'][f'{name}_false_a_day']:.1f} false alarms a day, delay {delays}"

    def error(rule: str) -> str:
        row = changes["correlation"]
        return f"{row[f'above_before_{rule}']:.1%} before, {row[f'above_after_{rule}']:.1%} after"

    def by_side(name: str) -> str:
        return " / ".join(f"{float(accounts[f'{name}_{side}']['mdd']):.1%}" for side in ("short_a", "long_a"))

    return {
        "anomalies": "; ".join(
            f"{jump} pp at z 4: precision {row['precision']:.2f}, recall {row['recall']:.2f}"
            for jump in (5, 10, 15)
            for row in (experiments["anomalies"][f"{jump} pp, z 4"],)
        )
        + f"; without a break {experiments['anomalies']['0 pp, z 4']['false_a_day']:.3f} false alarms a day",
        "flow": f"pinball loss of the band {flow['planted']['gain_share']:.1%} lower on synthetic minutes whose flow announces moves, "
        f"{flow['moved by a day']['gain_share']:.1%} with the same flow moved by a day, {book['gain_share']:.1%} on the six stored "
        f"minutes of 2024-08-08 (weight {book['weight']:g}, {book['bars']:.0f} s out of sample); elsewhere no book: not evaluable",
        "beta": "Synthetic break of correlation from 0.85 to 0.3, windows above the band: rule of beta "
        f"{error('regime')}; constant beta {error('constant')}",
        "monitors": f"Synthetic changes of regime: {monitor('literal')}; {monitor('calibrated')}",
        "configurations": f"{hours['verdicts']['configurations']}",
        "deflated": ", ".join(f"{side} {value:.3f}" for side, value in hours["verdicts"]["deflated"].items()),
        "rho": f"{hours['figures']['rho_median']:.2f} over 7 days of hours, {minutes['figures']['rho_median']:.2f} over 24 h of May's minutes",
        "phi": "Ablation phi = 1, drawdown of SCPC "
        + " / ".join(
            f"{float(curve[(name, side)]['mdd']):.2%}"
            for side in ("short_a", "long_a")
            for name in ("literal", "literal phi=1")
        )
        + " (with and without the factor, short A / with and without, long A)",
        "mdd_a": by_side("a"), "mdd_b": by_side("b"), "mdd_stop": by_side("a_stop"), "mdd_c": f"{float(accounts['c']['mdd']):.1%}",
        "stop": f"{by_side('a_stop')} drawdown, without it {by_side('a')} (short A / long A)",
        "reliability": f"{forecast['reliability'][0]['frequency']:.1%} of bars, one above 0.8 in {forecast['reliability'][-1]['frequency']:.1%}",
        "excess": f"{control['exposure_share_a']:.1%} of exposure beyond 2.5 pp in a, {control['exposure_share_b']:.1%} in b",
        "brier": f"Brier {forecast['brier']:.3f} against {forecast['brier_climatology']:.3f} of climatology",
        "auto": f"{claims['automation']['share_without_manual']:.1%} of {claims['automation']['breaches']:.0f} breaches end "
        f"without MANUAL, median {claims['automation']['median_minutes']:.0f} min",
        "manual": f"{hours['figures']['manual_share']:.1%} of hours, {minutes['figures']['manual_share']:.1%} of May's minutes",
        "slopes": "; ".join(f"{rule} {s['slope']:+.3f} [{s['low']:+.3f}, {s['high']:+.3f}]" for rule, s in slope.items()),
        "learners": learners,
        "event10": liquidated("10.0"),
        "event5": liquidated("5.0"),
        "crowding": "; ".join(
            f"{float(row['covenanted_share']):.0%}: liquidated {float(row['liquidated']):.1%}, further move "
            f"{float(row['further_move']):.1%}"
            for row in hours["crowding"]
        ),
        "writes": f"{claims['writes']['bands']:.1f} bands and {claims['writes']['caps']:.1f} caps a day",
        "thin": f"{thin['false_breach_share']:.1%} of hours are false breaches, median correlation {thin['rho_median_noisy']:.2f}",
        "drift": f"literal {minutes['figures']['drift_alarm_share_literal']:.1%} of minutes (hours "
        f"{hours['figures']['drift_alarm_share_literal']:.1%}), calibrated {drift['alarm_share']:.1%} of blocks",
        "breaches": f"literal lagged {minutes['figures']['breach_share_literal_lagged']:.1%}, fixed 2.5 pp "
        f"{minutes['figures']['breach_share_fixed']:.1%} of May's minutes",
        "sigma": f"{minutes['figures']['sigma_pp_min']:.2f} / {minutes['figures']['sigma_pp_median']:.2f} / "
        f"{minutes['figures']['sigma_pp_max']:.2f} pp (min, median, max)",
        "depth": "; ".join(f"{share}: {d['fill_fraction']:.1%} filled, {d['residual']:.1f} x capital left to people, moved {d['transfers']:.1f} x capital" for share, d in claims["depth"].items()),
        "c1_mean": against("mean", "C1"), "c1_short": against("short_a", "C1"), "c1_long": against("long_a", "C1"),
        "c2_mean": against("mean", "C2"), "c2_short": against("short_a", "C2"), "c2_long": against("long_a", "C2"),
        "power": "; ".join(f"{view} {p['detectable']:.2f}" for view, p in hours["verdicts"]["power"].items()),
        "lev_a": f"{float(accounts['a_short_a']['leverage']):.2f}", "lev_b": f"{float(accounts['b_short_a']['leverage']):.2f}",
        "cap": f"{hours['figures']['leverage_cap_min']:.1f} to 10 (median {hours['figures']['leverage_cap_median']:.1f})",
        "b0": f"static b0: {float(accounts['b0_short_a']['mdd']):.1%} / {float(accounts['b0_long_a']['mdd']):.1%}, adaptive b: "
        f"{float(accounts['b_short_a']['mdd']):.1%} / {float(accounts['b_long_a']['mdd']):.1%} drawdown (short A / long A)",
        "call": f"{float(accounts['c']['final']):.2f} of capital, drawdown {float(accounts['c']['mdd']):.1%} (model)",
        "turn_a": f"{float(accounts['a_short_a']['turnover_a_year']):.0f}", "turn_b": f"{float(accounts['b_short_a']['turnover_a_year']):.0f}",
        "reallocations": f"{hours['figures']['reallocations']:.0f} reallocations in three years",
    }  # fmt: skip


def page(content: dict[str, Any]) -> str:
    """Return docs/covenants.md."""
    known = values(content)
    lines = [
        "# The SCPC seed, sentence by sentence", "",
        "Generated by `python docs/covenants.py` from docs/covenants-sentences.tsv and docs/covenants.json. Do not edit.", "",
        "Real data unless said: hours 2022 to 2024 (marks), minutes of May 2025 (last prices). a: standard pair; b: SCPC; p1, p2, "
        "p3: placebos with the same average leverage, volatility targeting, the same reallocations at random times. Intervals are "
        "95%. Sentences are paraphrased; the number is the sentence's place in the seed's section.", "",
        f"Runs: {', '.join(content[study]['run'] for study in STUDIES)}.", "",
        "Status: measured (below, or on the page of the run), vector (reproduced by a vector of the rules), built (a mechanism with its",
        "tests; the sentence makes no other claim), not testable and outside (with the reason), no claim.", "",
        "| sentence | what it says | mechanism | status | answer |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for row in csv.reader(SENTENCES.read_text(encoding="utf-8").splitlines(), delimiter="\t"):
        if row and not row[0].startswith("#"):
            place, says, mechanism, status, answer = row
            lines.append(f"| {place} | {says} | {mechanism} | {status} | {answer.format(**known)} |")
    lines += ["", "## The seed's comparison table, measured", "",
              "| feature | standard perpetuals (a) | SCPC (b) | covered call (c) |", "|---|---|---|---|"]  # fmt: skip
    lines += [
        f"| drawdown (short A / long A) | {known['mdd_a']}; with a stop at -20% {known['mdd_stop']} | {known['mdd_b']} | {known['mdd_c']} (model, long) |",
        f"| leverage | {known['lev_a']} a leg on average | {known['lev_b']} on average; cap {known['cap']} | none |",
        f"| risk guards | none; drawdown by orientation: see T2 | {known['reallocations']}; MANUAL {known['manual']} | premium: {known['call']} |",
        f"| spread control | {known['excess']} | the same sentence: exposure moves, the market's spread does not | not applicable |",
        f"| rebalancing | {known['turn_a']} x capital a year | {known['turn_b']} x capital a year; {known['auto']} | weekly roll |",
        f"| complexity | no parameter | {known['writes']} | three parameters (delta, tenor, mark-up) |",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(renew_check_or_write(str(__doc__), "--from", collected, 6, FIGURES, page, PAGE))
