"""Whether two outputs say the same: everything that a change of names or of layout must not move.

    python benchmarks/same_results.py OLD NEW        (make same-results OLD=... NEW=...)

OLD and NEW are `--out` folders of `cme run` (or single run directories), or `--out` folders of `cme calibrate`.  Runs
are paired by study and first day; `backtest.rundir.same_results` says what is compared of them.  Of a certificate each
cell is compared.  What may differ is printed for both.  Exits with 1 where anything else differs.
"""

from __future__ import annotations

import sys
from pathlib import Path

from backtest.rundir.same_results import compared, moved, runs_of
from hypotheses.calibration.carried import differing_rows, rows_of
from hypotheses.calibration.publish import NAME, kept_certificate


def main(old: Path, new: Path) -> int:
    """Print what is compared and what differs; return 1 where something differs or nothing was compared."""
    if (old / NAME).is_file():
        left, right = (rows_of(kept_certificate(folder / NAME)) for folder in (old, new))
        bad = differing_rows(left, right)
        print(f"certificate: {len(left)} and {len(right)} rows, {len(bad)} differ", *bad[:20], sep="\n  ")
        return int(bool(bad) or not left)
    wrong = pairs = 0
    olds, news = runs_of(old), runs_of(new)
    for name in sorted({*olds, *news}):
        if name not in olds or name not in news:
            print(f"{name}: only in {'the first' if name in olds else 'the second'}")
            wrong += 1
            continue
        found = compared(olds[name], news[name])
        pairs, wrong = pairs + 1, wrong + bool(found.differences)
        added = [f"added: {line}" for line in found.additions]
        print(f"{name}: {'DIFFERS' if found.differences else 'the same'}", *found.differences, *added, sep="\n  ")
        before, after = moved(olds[name]), moved(news[name])
        for key in before:
            print(f"    {key:<22} {before[key]}  ->  {after.get(key)}")
    print(f"{pairs} runs compared, {wrong} differ")
    return int(bool(wrong) or not pairs)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("expected two folders: python benchmarks/same_results.py OLD NEW")
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
