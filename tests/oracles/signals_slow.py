"""A second writing of S4: one grid time after the other, one key after the other, plain numbers and dictionaries.

It reads the same violations and mids as the engine, and shares none of its code for persistence, episodes, shared
sizes, entries, exits, funding and marks.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite, isnan

from engine.market.view import PreparedPanel
from engine.params import Params
from engine.records import Violations

DAY = 86_400 * 10**9


@dataclass
class SlowPosition:
    """A signal and what has become of it."""

    key: tuple[str, str, int, int, int]
    t_ns: int
    size: float
    gross: float
    net: float
    spot: float
    legs: list[tuple[int, float]]  # code, quantity
    decided: list[float]  # mids
    entry_ns: int = -1
    entry: list[float] = field(default_factory=list)
    entry_gross: float = 0.0
    exit_ns: int = -1
    reason: str = ""
    trigger: str = ""
    trigger_ns: int = -1
    exit_price: list[float] = field(default_factory=list)
    funding: list[tuple[int, int, float]] = field(default_factory=list)  # time, leg, rate
    pending: list[tuple[int, int, float, float]] = field(default_factory=list)
    received: float = 0.0
    seen: list[tuple[float, int]] = field(default_factory=list)  # mark, when known
    last_mid: list[float] = field(default_factory=list)
    marks: dict[int, list[float]] = field(default_factory=dict)


@dataclass
class SlowKey:
    """A key's past."""

    run: int = 0
    fallen: bool = True
    position: SlowPosition | None = None


class SlowEngine:
    """Feed it blocks; read `positions`."""

    def __init__(self, params: Params) -> None:
        self.params = params
        self.keys: dict[tuple[str, str, int, int, int], SlowKey] = {}
        self.positions: list[SlowPosition] = []
        self.last_ns = -1

    def block(self, view: PreparedPanel, violations: tuple[Violations, ...]) -> None:
        for row, now in enumerate(view.panel.times_ns.tolist()):
            for position in self.positions:
                if not position.reason:
                    self._hold(position, view, row, now)
            self._decide(view, violations, row, now)
            self.last_ns = now

    def _decide(self, view: PreparedPanel, violations: tuple[Violations, ...], row: int, now: int) -> None:
        candidates = []
        seen = set()
        for found in violations:
            at_row = {int(found.packages.key[m]): m for m in range(len(found.packages)) if found.packages.row[m] == row}
            rule = self.params.rules[found.constraint]
            for k in range(len(found.keys)):
                name = (
                    found.constraint,
                    found.keys.venue[k],
                    int(found.keys.expiry_ns[k]),
                    int(found.keys.side[k]),
                    int(found.keys.short[k]),
                )
                seen.add(name)
                key = self.keys.setdefault(name, SlowKey())
                m = at_row.get(k)
                fires = m is not None and bool(found.fires[m])
                next_to = now - self.last_ns == self.params.grid_ns and self.last_ns >= 0
                key.run = (key.run + 1 if next_to else 1) if fires else 0
                under = m is None or found.net_bps[m] < self.params.rearm_share * rule.threshold_bps
                if found.evaluated[row, k] and under and self._quoted(view, name, row):
                    key.fallen = True
                resolved = key.position is None or key.position.reason != ""
                if m is not None and key.run >= self.params.persistence and key.fallen and resolved:
                    candidates.append((-round(float(found.net_bps[m]) * 1e6), name, found, m))
        judged = {found.constraint for found in violations if any(found.evaluated[row])}
        for name, key in self.keys.items():
            if name not in seen:
                key.run = 0
                key.fallen = key.fallen or (name[0] in judged and self._quoted(view, name, row))
        self._emit(view, candidates, row, now)

    def _quoted(self, view: PreparedPanel, name: tuple[str, str, int, int, int], row: int) -> bool:
        column = view.panel.column(name[4])
        return column >= 0 and bool(view.usable[row, column])

    def _emit(self, view: PreparedPanel, candidates: list, row: int, now: int) -> None:  # type: ignore[type-arg]
        used: dict[tuple[int, int], float] = {}
        spot = float(view.spot_usd[row])
        names = view.panel.instruments.name
        for _, name, found, m in sorted(candidates, key=lambda c: (c[0], c[1][:4], names[c[1][4]])):
            legs, mids = [], []
            size = float(found.costs.size_usd[m])
            for column, quantity in zip(found.packages.column[m], found.packages.quantity[m], strict=True):
                if column < 0:
                    continue
                book = view.panel.ask_size if quantity > 0 else view.panel.bid_size
                side = (int(column), 1 if quantity > 0 else -1)
                shown = float(book[row, column])
                if not isnan(shown):
                    left = self.params.depth_share * shown - used.get(side, 0.0)
                    size = min(size, left * spot / abs(float(quantity)))
                legs.append((int(view.panel.code[column]), float(quantity)))
                mids.append(float(view.mid[row, column]))
            if size < 0.5e-6:
                continue
            for column, quantity in zip(found.packages.column[m], found.packages.quantity[m], strict=True):
                if column >= 0:
                    side = (int(column), 1 if quantity > 0 else -1)
                    used[side] = used.get(side, 0.0) + abs(float(quantity)) * size / spot
            gross = float(found.packages.gross_bps[m])
            position = SlowPosition(name, now, size, gross, float(found.net_bps[m]), spot, legs, mids)
            self.positions.append(position)
            self.keys[name].fallen = False
            self.keys[name].position = position

    def _mids(self, view: PreparedPanel, position: SlowPosition, row: int) -> list[float]:
        columns = [view.panel.column(code) for code, _ in position.legs]
        return [float(view.mid[row, c]) if c >= 0 else float("nan") for c in columns]

    def _usd(self, view: PreparedPanel, position: SlowPosition, row: int) -> list[float]:
        columns = [view.panel.column(code) for code, _ in position.legs]
        return [float(view.usd[row, c]) if c >= 0 else float("nan") for c in columns]

    def _earned(self, position: SlowPosition, since: list[float], mids: list[float], usd: list[float]) -> float:
        total = 0.0
        for (_, quantity), before, mid, rate in zip(position.legs, since, mids, usd, strict=True):
            total += quantity * (mid - before) * rate
        return total

    def _hold(self, position: SlowPosition, view: PreparedPanel, row: int, now: int) -> None:
        rule = self.params.rules[position.key[0]]
        table = view.panel.instruments
        expiry = min(int(table.expiry_ns[code]) for code, _ in position.legs)
        mids, usd = self._mids(view, position, row), self._usd(view, position, row)
        quoted = all(isfinite(x) for x in [*mids, *usd])
        if position.entry_ns < 0:
            if now < position.t_ns + self.params.latency_ns:
                return
            if not quoted or now >= min(expiry, position.t_ns + rule.life_ns):
                position.entry_ns = position.exit_ns = now
                position.reason = "void"
                return
            position.entry_ns, position.entry = now, mids
            moved = self._earned(position, position.decided, mids, usd)
            position.entry_gross = position.gross - 1e4 * moved / position.spot
            position.seen = [(mid, now) for mid in mids]
            position.last_mid = list(mids)
        else:
            self._settle_due(position, view, row, now)
        self._mark(position, view, row, now, mids)
        earned = 1e4 * self._earned(position, position.entry, mids, usd) / position.spot
        paid = 1e4 * position.received / position.spot
        reason, forced = "", self._forced(position, view, now) if quoted else ""
        if not position.trigger and quoted and now < expiry and not forced:
            level = round(self.params.exit_share * position.entry_gross * 1e6)
            if round((earned + paid) * 1e6) < round(-self.params.stop_multiple * position.net * 1e6):
                position.trigger, position.trigger_ns = "stopped", now
            elif round((position.entry_gross - earned) * 1e6) <= level:
                position.trigger, position.trigger_ns = "converged", now
        waited = position.trigger and now - position.trigger_ns >= self.params.exit_latency_ns
        if forced == "venue":
            reason = "venue"
        elif now >= expiry:
            reason = "expired"
        elif forced:
            reason = forced
        elif waited and quoted and now < position.t_ns + rule.life_ns:
            reason = position.trigger
        elif now >= position.t_ns + rule.life_ns:
            lost = any(view.panel.column(code) < 0 for code, _ in position.legs)
            reason = "horizon" if quoted else "delisted" if lost else "data_gap"
        if reason:
            position.reason, position.exit_ns = reason, now
            position.exit_price = self._exit_prices(position, view, row, now, mids)
        for _, leg, amount, rate in position.pending:
            position.received += amount
            if not reason:
                position.funding.append((now, leg, rate))
        position.pending = []

    def _forced(self, position: SlowPosition, view: PreparedPanel, now: int) -> str:
        """The first reason, in their order, of an order since the entry that names a leg of the position."""
        table, met = view.panel.instruments, set()
        for order in self.params.forced_exits:
            for code, _ in position.legs:
                here = table.underlying[code] == order.underlying and order.venue in ("", table.venue[code])
                if here and position.entry_ns < order.t_ns <= now:
                    met.add(order.reason.value)
        return "venue" if "venue" in met else "covenant" if met else ""

    def _settle_due(self, position: SlowPosition, view: PreparedPanel, row: int, now: int) -> None:
        """Settlements after the last grid time: one at ``now`` itself counts only if the position stays."""
        for leg, (code, quantity) in enumerate(position.legs):
            column = view.panel.column(code)
            interval = int(view.panel.instruments.funding_interval_ns[code])
            if column < 0 or not interval:
                continue
            rate = float(view.panel.funding_paid[row, column])
            instants = [t for t in range(self.last_ns - self.last_ns % interval, now + 1, interval) if t > self.last_ns]
            for instant in instants if rate != 0.0 else []:
                share = rate / len(instants)
                usd = float(view.usd[row, column])
                mark, mid = float(view.panel.mark[row, column]) * usd, float(view.mid[row, column]) * usd
                price = mark
                if self.params.funding_on[view.panel.instruments.venue[code]] == "index":
                    price = float(view.panel.index[row, column])
                for substitute in (mark, mid):
                    if not price > 0:
                        price = substitute
                if not price > 0:
                    price = position.entry[leg]
                amount = 0.0 if isnan(share) else -quantity * price * share
                if instant < now:
                    position.funding.append((instant, leg, share))
                    position.received += amount
                else:
                    position.pending.append((instant, leg, amount, share))

    def _mark(self, position: SlowPosition, view: PreparedPanel, row: int, now: int, mids: list[float]) -> None:
        first_day = max(self.last_ns, position.entry_ns) // DAY
        at_midnight = now % DAY == 0 and now > position.entry_ns
        if at_midnight:
            self._see(position, view, row, now, mids)
        for day in range(first_day, now // DAY):
            end = (day + 1) * DAY
            if end <= position.entry_ns:
                continue
            before = position.marks[max(position.marks)] if position.marks else position.entry
            position.marks[day] = [
                price if known >= end - self.params.mark_max_age_ns else old
                for (price, known), old in zip(position.seen, before, strict=True)
            ]
        self._see(position, view, row, now, mids)

    def _see(self, position: SlowPosition, view: PreparedPanel, row: int, now: int, mids: list[float]) -> None:
        for leg, (code, _) in enumerate(position.legs):
            column = view.panel.column(code)
            if column < 0:
                continue
            mark = float(view.panel.mark[row, column])
            price = mark if mark > 0 else mids[leg]
            if price > 0 and float(view.usd[row, column]) > 0:
                position.seen[leg] = (price, now - int(view.panel.age_ns[row, column]))
            if isfinite(mids[leg]):
                position.last_mid[leg] = mids[leg]

    def _exit_prices(
        self, position: SlowPosition, view: PreparedPanel, row: int, now: int, mids: list[float]
    ) -> list[float]:
        table, prices = view.panel.instruments, []
        for leg, (code, _) in enumerate(position.legs):
            if position.reason == "expired" and table.expiry_ns[code] <= now:
                settled = float(view.panel.settlement[row, view.panel.column(code)])
                inner = settled - table.strike[code] if table.right[code] == 1 else table.strike[code] - settled
                prices.append(max(0.0, float(inner)) / settled)
            else:
                prices.append(mids[leg] if isfinite(mids[leg]) else position.last_mid[leg])
        return prices
