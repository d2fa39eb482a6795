#!/usr/bin/env bash
# Surprise: The probabilistic Sharpe ratio against a benchmark of 0 does not depend on the skewness and kurtosis
#   passed to it: returns with skewness -3 and kurtosis 30 get the number of normal ones.
# Who meets it: whoever moves from the formula of Bailey and Lopez de Prado (2012) to that of 2025: the same name and
#   the same inputs, but the variance is taken at the benchmark.
# Versions: jsharpe 0.6.3, numpy 2.4.6, pandas 3.1.1, scipy 1.17.1, scikit-learn 1.9.1
# Source: jsharpe/sharpe/psr.py, probabilistic_sharpe_ratio: sharpe_ratio_variance(SR0, T, ...); at SR0 = 0 and no
#   autocorrelation it is 1 / T.
# This project: both conventions stand side by side under their own names (hypotheses/statistics/psr.py: psr,
#   psr_at_benchmark), and neither decides a verdict.
# Guess before the run: heavy left tails lower the probability, as in Bailey and Lopez de Prado (2012); written after
#   the source was read, before it was run.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install -q --disable-pip-version-check jsharpe==0.6.3 numpy==2.4.6 pandas==3.1.1 scipy==1.17.1 scikit-learn==1.9.1
cd "$tmp"
"$tmp/venv/bin/python" - <<'PY'
from importlib.metadata import version
from math import sqrt

from jsharpe import probabilistic_sharpe_ratio
from scipy.stats import norm

ratio, days, skew, kurtosis = 0.1, 250, -3.0, 30.0
normal = probabilistic_sharpe_ratio(ratio, 0.0, T=days)
tails = probabilistic_sharpe_ratio(ratio, 0.0, T=days, gamma3=skew, gamma4=kurtosis)
above = probabilistic_sharpe_ratio(ratio, 0.05, T=days), probabilistic_sharpe_ratio(ratio, 0.05, T=days, gamma3=skew, gamma4=kurtosis)
of_2012 = norm.cdf(ratio * sqrt(days - 1) / sqrt(1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2))
print("jsharpe", version("jsharpe"))
print(f"expected: normal returns {normal:.4f}, with skewness -3 and kurtosis 30 about {of_2012:.4f} (formula of 2012)")
print(f"seen: normal {normal:.4f}, heavy tails {tails:.4f}; against 0.05: {above[0]:.4f} and {above[1]:.4f}")
assert tails == normal
assert above[1] < above[0]
assert normal - of_2012 > 0.02
PY
