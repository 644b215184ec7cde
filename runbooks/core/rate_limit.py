"""A token bucket for each key: steady use passes, a burst passes once, more has to wait."""

import math
from collections import OrderedDict
from collections.abc import Callable
from threading import Lock

BURST_SHARE = 4
"""A quarter of a minute's requests may come at once."""
MOST_KEYS = 10_000


class RateLimit:
    """Limits each key on its own. Safe to use from several threads."""

    def __init__(self, per_minute: int, *, clock: Callable[[], float]) -> None:
        """Without a limit when `per_minute` is 0; `clock` gives seconds."""
        self.per_second = per_minute / 60
        self.burst = max(1.0, per_minute / BURST_SHARE)
        self.clock = clock
        self._lock = Lock()
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_for(self, key: str) -> int:
        """Take one; 0 when it may go on, else after how many whole seconds there will be one."""
        if not self.per_second:
            return 0
        now = self.clock()
        with self._lock:
            left, at = self._buckets.get(key, (self.burst, now))
            left = min(self.burst, left + (now - at) * self.per_second)
            passes = left >= 1
            self._buckets[key] = (left - 1 if passes else left, now)
            self._buckets.move_to_end(key)
            if len(self._buckets) > MOST_KEYS:
                self._buckets.popitem(last=False)
        return 0 if passes else max(1, math.ceil((1 - left) / self.per_second))
