"""How many requests are under way at once: found out, not asked for.

The limit grows fourfold a round until something is in the way, then by one a round (by a sixteenth
of itself where that is more), and shrinks by a factor on congestion (additive increase,
multiplicative decrease: Chiu and Jain 1989, as in TCP). An endpoint says so with 429 or 503, by
letting requests time out, or by taking longer the more it is asked without answering more of them.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice

FIRST = 8.0  # requests at once
MORE = 4.0  # factor from round to round at first
STEP = 1 / 16  # of the limit, at least one, from round to round later
LESS = 0.6  # factor on congestion
TRIES = 40  # looked back upon at least
LOOKED_BACK = 512  # and at most
CROWDED = 0.25  # share of them turned down from which that is congestion, and no accident
SLOWER = 2.0  # times the latency at its best, before throughput is looked at
GAIN = 1.05  # what more requests at once must bring of throughput, where latency has grown


@dataclass
class Rate:
    """A token bucket: so much a minute, a twentieth of a minute's worth at once.

    Attributes:
        per_minute: 0 for no limit.
    """

    per_minute: float
    clock: Callable[[], float]
    level: float = 0.0
    at: float = -1.0

    def delay(self) -> float:
        """Seconds until more may be taken."""
        if not self.per_minute:
            return 0.0
        self._fill()
        return max(0.0, -self.level * 60 / self.per_minute)

    def take(self, amount: float) -> None:
        """Take an amount, also a negative one: what was not used."""
        if self.per_minute:
            self._fill()
            self.level -= amount

    def _fill(self) -> None:
        now = self.clock()
        burst = self.per_minute / 20
        gained = (now - self.at) * self.per_minute / 60 if self.at >= 0 else 0.0
        self.level, self.at = min(burst, self.level + gained), now


@dataclass
class Limiter:
    """Lets requests to one (endpoint, model) through.

    Attributes:
        most: requests at once, however well it goes.
        limit: requests at once now.
        under_way: how many are.
    """

    most: int
    requests: Rate
    tokens: Rate
    clock: Callable[[], float]
    limit: float = FIRST
    under_way: int = 0
    _searching: bool = True
    _paused_until: float = 0.0
    _best: float = float("inf")
    _held: bool = False
    _round: list[float] = field(default_factory=list)
    _round_began: float = -1.0
    _throughput: float = 0.0
    _last_cut: float = -1.0
    _peak: int = 0
    _crowded: deque[bool] = field(default_factory=lambda: deque(maxlen=LOOKED_BACK))
    _waiting: deque[asyncio.Future[None]] = field(default_factory=deque)

    async def enter(self, tokens: int) -> None:
        """Wait for a place, and until the rates allow a request of so many tokens."""
        while self.under_way >= int(min(self.limit, self.most)) or self._wait_for() > 0:
            seconds = self._wait_for()
            if seconds > 0:
                await asyncio.sleep(seconds)
                continue
            place: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(place)
            try:
                await place
            except asyncio.CancelledError:
                self._wake()
                raise
        self.under_way += 1
        self._peak = max(self._peak, self.under_way)
        self.requests.take(1)
        self.tokens.take(tokens)

    def leave(self, seconds: float | None, unused_tokens: int = 0) -> None:
        """Give a place back.

        Args:
            seconds: how long the answer took; None when there was none.
            unused_tokens: of those the request was let in with.
        """
        self.under_way -= 1
        self.tokens.take(-unused_tokens)
        if seconds is not None:
            self._learn(seconds)
        self._wake()

    def congested(self, pause: float = 0.0) -> None:
        """Shrink, once for all requests that were under way together; pause where asked to."""
        now = self.clock()
        self._paused_until = max(self._paused_until, now + pause)
        self._crowded.append(True)
        back = max(TRIES, int(self.limit) // 2)  # more where more are under way
        if sum(islice(reversed(self._crowded), back)) < CROWDED * back:
            return
        if now - self._last_cut >= max(pause, min(self._best, 1.0)):
            self._cut(LESS)

    def _wait_for(self) -> float:
        paused = self._paused_until - self.clock()
        return max(paused, self.requests.delay(), self.tokens.delay())

    def _cut(self, factor: float) -> None:
        self.limit = max(1.0, min(self.limit, self.most) * factor)
        self._searching, self._last_cut = False, self.clock()
        self._crowded.clear()
        self._round, self._throughput, self._round_began = [], 0.0, -1.0

    def _learn(self, seconds: float) -> None:
        """Count an answer; a round ends when as many came as may be under way."""
        now = self.clock()
        if self._round_began < 0:
            self._round_began = now - seconds
        self._best = min(self._best, seconds)
        self._crowded.append(False)
        self._round.append(seconds)
        if len(self._round) < self.limit:
            return
        throughput = len(self._round) / max(now - self._round_began, 1e-9)
        typical = sorted(self._round)[len(self._round) // 2]
        self._round, self._round_began = [], now
        in_vain = typical > SLOWER * self._best and throughput < GAIN * self._throughput
        full = self._peak >= int(min(self.limit, self.most))
        self._peak = self.under_way
        if in_vain:
            self._searching = False
            if not self._held and typical > 2 * SLOWER * self._best:
                self.limit = max(1.0, self.limit * 0.9)
            self._held = not self._held  # try again every other round
        elif full and self.limit < self.most:
            more = self.limit * MORE if self._searching else self.limit + max(1, self.limit * STEP)
            self.limit = min(self.most, more)
        self._throughput = throughput

    def _wake(self) -> None:
        free = int(min(self.limit, self.most)) - self.under_way
        while free > 0 and self._waiting:
            place = self._waiting.popleft()
            if not place.done():
                place.set_result(None)
                free -= 1
