"""What `verdicts.json` and `retained.json` must say because the results document and the manifest say it.

The results document is what is hashed; the other two are for people and for the emitter.  Here are the fields they
have in common, so that neither can say more than the document does.  [audit 10.4, statistics 8.3]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from backtest.results.vocabulary import WORD_OF_DECISION, WORD_OF_STATUS
from engine.constraints.codes import NAMES

TOLERANCE: Final = 1e-9
"""The document has nine decimal places, `verdicts.json` ten significant digits: half a unit of each, and no more."""
_READABLE: Final = ("id", "mode", "deviations", "registration", "engine_seal", "commit")
_HASHED: Final = ("study", "analysis_id", "freeze_hash", "dataset_hash", "seeds_hash")


def header_of(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of the results document that name the run."""
    return {key: manifest[key] for key in _HASHED}


def verdicts_of(document: Mapping[str, Any], manifest: Mapping[str, Any], digest: str) -> dict[str, Any]:
    """Return the fields of `verdicts.json` that follow from the results ``document``; constraints by their code."""
    rows = {row["id"]: row for row in document["hypotheses"]}
    ledgers = document["ledgers"]
    return {
        "run": {key: manifest[key] for key in _READABLE}
        | {"data": document["dataset_hash"], "seeds": document["seeds_hash"], "digest": digest},
        "H1": _h1(rows),
        "H2": _h2(rows["h2"]),
        "H3": _h3(rows),
        "integrity": {
            "ledger_rows": {kind: ledger["size"] for kind, ledger in ledgers.items()},
            "head": {kind: ledger["head"] for kind, ledger in ledgers.items()},
            "checkpoints": manifest.get("checkpoints"),
            "quarantined": manifest.get("quarantined"),
        },
    }


def by_code(verdicts: Mapping[str, Any]) -> dict[str, Any]:
    """Return `verdicts.json` in the form of `verdicts_of`: constraints by code, and which codes there are."""
    # A run of an earlier version has other ids for the same words.
    rows = [row | {"status": WORD_OF_STATUS.get(row["status"], row["status"])} for row in verdicts["H3"]["constraints"]]
    kept = [row["code"] for row in rows if row["status"] == "retained"]
    third = {"codes": [row["code"] for row in rows], "kept": kept, "constraints": {row["code"]: row for row in rows}}
    return {**verdicts, "H3": {**verdicts["H3"], **third}}


def retained_of(
    document: Mapping[str, Any], manifest: Mapping[str, Any], digest: str, verdicts: Mapping[str, Any]
) -> dict[str, Any]:
    """Return `retained.json` as it follows from the results ``document``, and from the rows of `verdicts.json`."""
    rows = verdicts["H3"]["constraints"]
    return {
        "schema": "retained/1",
        "retained": [NAMES[row["id"].removeprefix("h3/")] for row in _constraints(document["hypotheses"], kept=True)],
        "status": {NAMES[row["code"]]: row["status"] for row in rows},
        "tail_fragile": [NAMES[row["code"]] for row in rows if row["tail_fragile"]],
        "results_digest": digest,
        "mode": manifest["mode"],
        "engine_hash": manifest["engine_seal"],
        "config_hash": manifest["registration"],
        **{key: document[key] for key in _HASHED},
    }


def differences(expected: Any, actual: Any, where: str) -> Iterator[str]:
    """Yield each place where ``actual`` says something else than ``expected``; what is not expected may be anything."""
    if isinstance(expected, Mapping):
        dot = ", " if where.endswith(".json") else "."
        for key, value in expected.items():
            yield from differences(
                value, actual.get(key) if isinstance(actual, Mapping) else None, f"{where}{dot}{key}"
            )
    elif not _equal(expected, actual):
        yield f"{where}: expected {expected!s:.200}, was {actual!s:.200}"


def _equal(expected: Any, actual: Any) -> bool:
    if isinstance(expected, float):
        # True is an integer to Python, and no statistic.
        known = isinstance(actual, int | float) and not isinstance(actual, bool)
        return known and bool(abs(expected - actual) <= TOLERANCE * max(1.0, abs(expected)))
    if isinstance(expected, list):
        return isinstance(actual, list) and len(actual) == len(expected) and all(map(_equal, expected, actual))
    # By type too: True equals 1, and a verdict is no number.
    return type(expected) is type(actual) and bool(expected == actual)


def _h1(rows: Mapping[str, Any]) -> dict[str, Any]:
    h1, n1, n2 = rows["h1"], rows["h1/n1"], rows.get("h1/n2")
    permuted = None if n2 is None else {"sharpe": _ratio(n2["statistic"]), **_share("p", n2)}
    return {
        "verdict": WORD_OF_DECISION[h1["decision"]],
        "sharpe": _ratio(h1["statistic"]),
        "ci": _interval(h1, _ratio),
        "n1_rejects": n1["decision"] == "supported",
        "n2_rejects": n2 is not None and n2["decision"] == "supported",
        "n2": permuted,
        **_share("p_n1", n1),
        **_share("p_n2", n2),
    }


def _h2(row: Mapping[str, Any]) -> dict[str, Any]:
    bounds = _interval(row, _number)
    return {
        "verdict": WORD_OF_DECISION[row["decision"]],
        "mean_usd_per_day": _number(row["statistic"]),
        **({} if bounds is None else {"lower_95": bounds[0], "upper_95": bounds[1]}),
    }


def _h3(rows: Mapping[str, Any]) -> dict[str, Any]:
    by_constraint = {row["id"].removeprefix("h3/"): row for row in _constraints(rows.values())}
    kept = [code for code, row in by_constraint.items() if row["decision"] == "supported"]
    return {
        "verdict": WORD_OF_DECISION[rows["h3"]["decision"]],
        "codes": list(by_constraint),
        "kept": kept,
        "retained": kept,
        "constraints": {
            code: {"sharpe": _ratio(row["statistic"]), "ci": _interval(row, _ratio), **_share("p", row)}
            | ({"status": "dropped"} if row["decision"] == "not_supported" else {})
            for code, row in by_constraint.items()
        },
    }


def _constraints(rows: Any, *, kept: bool = False) -> list[Any]:
    return [row for row in rows if row["id"].startswith("h3/") and (row["decision"] == "supported" or not kept)]


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)


def _ratio(text: str | None) -> float | None:
    """Return a Sharpe ratio as `verdicts.json` shows it: seven significant digits."""
    return None if text is None else float(f"{float(text):.6e}")


def _interval(row: Mapping[str, Any], shown: Callable[[str | None], float | None]) -> list[float] | None:
    low, high = shown(row["ci_low"]), shown(row["ci_high"])
    return None if low is None or high is None else [low, high]


def _share(name: str, row: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return a p-value and the count it is; both None where the document has none."""
    if row is None or row["p_num"] is None:
        return {name: None, f"{name}_count": None}
    return {name: row["p_num"] / row["p_den"], f"{name}_count": [row["p_num"], row["p_den"]]}
