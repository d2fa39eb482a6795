"""Where the plan and the methods come from: the registered page, what it names, and the literature used here."""

from __future__ import annotations

from collections.abc import Sequence

from reports.base import Block, Section, Table, Text
from reports.citation import Cited, sourced, with_sources
from reports.load import Run

HERE = "reports/sections/references.py"
REGISTERED = sourced("AsPredicted #288615", f"{HERE}: REGISTERED")
"""The registration whose public page is followed."""
PAGE = (
    ("preregistration", "AsPredicted #288615: CME V0.2-Perps"),
    ("date", "2026-05-01, by the page"),
    ("freeze commit", "adb99d6: named by the page, not available"),
    ("its ancestor", "version 0.1 for prediction markets: named by the page, not available"),
    ("its sister method", "a skill ranking of traders: named by the page, not available"),
    (
        "statement on AI tools, the page's",
        "AI tools helped with research while the method was designed and reviewed; the "
        "page says that none of its claims rests on their output, which this report cannot confirm",
    ),
    (
        "statement on AI tools, ours",
        "code and text of this repository were written with AI tools; a figure is never "
        "taken from one: it comes from the command that stands beside it, and tests compare it with an independent "
        "computation",
    ),
)
"""Facts of the registered page, each with who says it."""

WORKS = (
    ("Almgren, Chriss (2001), Optimal execution of portfolio transactions, J. Risk 3", "costs", "yes"),
    ("Andrews, Monahan (1992), An improved HAC covariance matrix estimator, Econometrica 60", "standard errors", "no"),
    ("Bailey, Borwein, Lopez de Prado, Zhu (2017), The probability of backtest overfitting, J. Comp. Finance 20",
     "combinatorial splits", "no"),
    ("Bailey, Lopez de Prado (2012), The Sharpe ratio efficient frontier, J. Risk 15", "PSR", "no"),
    ("Bailey, Lopez de Prado (2014), The deflated Sharpe ratio, J. Portfolio Management 40", "DSR", "no"),
    ("Benjamini, Hochberg (1995), Controlling the false discovery rate, JRSS B 57", "diagnostics", "no"),
    ("Canay, Romano, Shaikh (2017), Randomization tests under an approximate symmetry assumption, Econometrica 85",
     "N1", "no"),
    ("Carr, Madan (2005), A note on sufficient conditions for no arbitrage, Finance Research Letters 2",
     "joint solve of chains", "yes"),
    ("Cohen, Reisinger, Wang (2020), Detecting and repairing arbitrage in traded option prices",
     "option relations", "no"),
    ("Cont, Kukanov, Stoikov (2014), The price impact of order book events, J. Financial Econometrics 12",
     "costs", "yes"),
    ("Hansen (2005), A test for superior predictive ability, J. Business and Economic Statistics 23",
     "diagnostics", "no"),
    ("Holm (1979), A simple sequentially rejective multiple test procedure, Scand. J. Statistics 6", "H3", "no"),
    ("Hull (2021), Options, Futures, and Other Derivatives, 11th ed., sections 5.6, 11.3 and 11.5",
     "term structure and option relations", "yes"),
    ("Ledoit, Wolf (2008), Robust performance hypothesis testing with the Sharpe ratio, J. Empirical Finance 15",
     "intervals", "no"),
    ("Litterman, Scheinkman (1991), Common factors affecting bond returns, J. Fixed Income 1", "C5", "yes"),
    ("Lo (2002), The statistics of Sharpe ratios, Financial Analysts J. 58", "standard errors", "no"),
    ("Lopez de Prado (2018), Advances in Financial Machine Learning, Wiley", "purged folds", "yes"),
    ("Patton, Politis, White (2009), Correction to automatic block-length selection, Econometric Reviews 28",
     "block length", "no"),
    ("Phipson, Smyth (2010), Permutation p-values should never be zero, SAGMB 9", "N2", "no"),
    ("Politis, Romano (1994), The stationary bootstrap, JASA 89", "intervals", "no"),
    ("Romano, Wolf (2005), Stepwise multiple testing as formalized data snooping, Econometrica 73", "H3", "no"),
)  # fmt: skip
"""What the methods of this repository follow, where, and whether the registered page names it too."""


def build(run: Run) -> Sequence[Block]:
    """Return the facts of the registered page and the works that the methods follow; the same for every run."""
    del run
    page, works = (
        tuple(tuple(row) for row in with_sources([list(row) for row in rows], HERE, name))
        for name, rows in (("PAGE", PAGE), ("WORKS", WORKS))
    )
    return [
        Text(
            Cited(
                "The plan follows the public page of {}. What that page names and does not publish is marked as such; "
                "its statements are its own."
            ).format(REGISTERED)
        ),
        Table("The registered page", ("what", "what is said of it"), page),
        Table(
            "Works that the methods of this repository follow",
            ("work", "used for", "named by the page"),
            works,
            folded=True,
        ),
    ]


SECTION = Section("references", "The registered page and references", "", build)
