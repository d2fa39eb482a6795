"""Constraints on a chain of your own
==================================

Arrays in, violations out: the relations of options (C3, C4, C7) are functions of bid and ask arrays. No data set, no
plan and no file is needed. Prices may be in coin (Deribit) or in dollars (a listed exchange).
"""

# %%
# Five calls of one expiry, premiums in coin, as quoted. The call at 100,000 is bid above the ask of the one at 95,000:
# somebody would pay more for the right to buy dearer.
import numpy as np
from engine.constraints.c4_butterfly import worst_butterflies
from engine.constraints.c7_vertical import worst_verticals

strike = np.array([90_000.0, 95_000.0, 100_000.0, 105_000.0, 110_000.0])
bid = np.array([0.0900, 0.0555, 0.0600, 0.0190, 0.0095])
ask = np.array([0.0915, 0.0570, 0.0615, 0.0205, 0.0110])

# %%
# One function a relation. An array ``[n, T]`` has a row a strike and a column a time: here one time. Bought at the ask,
# sold at the bid; a positive excess is profit before fees, in the currency of the premiums.
excess, bought = worst_verticals(
    ask[:, None], bid[:, None], strike, per_usd=None, above=False
)
for n in np.flatnonzero(excess[:, 0] > 0):
    print(
        f"C7: sell the {strike[n]:,.0f} call, buy the {strike[bought[n, 0]]:,.0f} call: {excess[n, 0]:.4f} coin"
    )

excess, low, high = worst_butterflies(ask[:, None], bid[:, None], strike)
for n in np.flatnonzero(excess[:, 0] > 0):
    wings = f"{strike[low[n, 0]]:,.0f} and {strike[high[n, 0]]:,.0f}"
    print(
        f"C4: sell the {strike[n]:,.0f} call, buy the wings {wings}: {excess[n, 0]:.4f} coin"
    )

# %%
# Which quote is wrong?
# ---------------------
# A violated relation names two or three quotes, of which one is wrong. All relations together say more: the least
# movement beyond bid and ask that makes the whole chain free of arbitrage, and which quotes must move for it.
from hypotheses.chains.records import QuotedChain
from hypotheses.chains.solve import solve_jointly

chain = QuotedChain(
    coin=True,
    expiry_ns=np.array([1_782_460_800_000_000_000]),
    forward_bid=np.array([97_950.0]),
    forward_ask=np.array([98_050.0]),
    expiry=np.zeros(5, dtype=np.int32),
    strike=strike,
    call=np.ones(5, dtype=bool),
    bid=bid,
    ask=ask,
)
solution = solve_jointly(chain)
for n in np.flatnonzero(solution.side):
    side = "bid too high" if solution.side[n] < 0 else "ask too low"
    print(
        f"{strike[n]:,.0f} call: {side}, by {solution.least_bps[n]:.1f} to {solution.most_bps[n]:.1f} bps of the forward"
    )
print(f"least movement of the chain: {solution.total_bps:.1f} bps")

# %%
import matplotlib.pyplot as plt

figure, axes = plt.subplots(figsize=(7, 3), layout="constrained")
axes.vlines(strike, bid, ask, linewidth=6, label="bid to ask")
axes.plot(strike, solution.price, "k.", label="prices without arbitrage")
axes.set(
    xlabel="strike, USD", ylabel="premium, coin", title="One chain, synthetic quotes"
)
axes.legend()

# %%
# Fees, depth, funding and the life of a position come in where a plan says what they are: ``cme detect`` does it for a
# data set, and :func:`engine.constraints.detect.detect` for a panel.
