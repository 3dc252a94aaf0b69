"""Token buckets that limit how many messages and bytes each client sends a second."""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

REQUESTS_PER_SECOND, REQUEST_BURST = 50.0, 1_000.0
CONTROLS_PER_SECOND, CONTROL_BURST = 200.0, 2_000.0
"""Of hello, cancel, status and whatever else is answered at once, apart from requests."""
BYTES_PER_SECOND, BYTE_BURST = 128.0 * 2**20, 2.0 * 2**30
FLOOD_FACTOR = 4.0
"""Bursts by which a client may exceed a limit, though told to wait, until its connections are closed."""
_MAX_COUNTED = 8192
"""Clients and connections that are counted at a time; those that have sent nothing for longest start anew."""
_CONTROLS = frozenset({"hello", "cancel", "status", "attach"})


@dataclass
class TokenBucket:
    """An amount that refills over time: `rate` a second, up to `burst`. A client that goes on is in debt."""

    rate: float
    burst: float
    now: float
    level: float = field(init=False)

    def __post_init__(self) -> None:
        self.level = self.burst

    def take(self, amount: float, now: float) -> float:
        """Take an amount; returns the seconds until it would be there, 0 where it was.

        What is refused is taken all the same, but no more than `FLOOD_FACTOR` bursts are owed.
        """
        self.level = min(self.burst, self.level + (now - self.now) * self.rate)
        self.now = now
        wait = max(0.0, min(amount, self.burst) - self.level) / self.rate
        self.level = max(self.level - amount, -FLOOD_FACTOR * self.burst)
        return wait

    @property
    def flooded(self) -> bool:
        """Whether a client has gone on for long after it was told to wait."""
        return self.level <= -FLOOD_FACTOR * self.burst


@dataclass(frozen=True)
class Excess:
    """That a client sends more than it may.

    text: a sentence for the error "busy".  seconds: until it may send again.
    flooding: whether it goes on although it was told, and is to be disconnected.
    """

    text: str
    seconds: float
    flooding: bool


class RateLimits:
    """Counts what each client sends, and each of its connections. Not for several threads.

    A connection may send half of what its client may, so that a script that floods on one leaves room for the others
    of its client, which without keys are all those of an address.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, controls: Collection[str] = _CONTROLS) -> None:
        self._clock = clock
        self._controls = controls
        self._buckets: dict[str | bytes, dict[str, TokenBucket]] = {}

    def count(self, identity: str, connection: bytes, kind: str, size: int) -> Excess | None:
        """Count a message; returns None where its client may send it.

        connection: the ROUTER's name for it.  size: bytes of all the message's parts.
        kind: the message's; one that is unreadable counts as a request.
        """
        now = self._clock()
        unit = "controls" if kind in self._controls else "requests"
        for counted, share in ((connection, 0.5), (identity, 1.0)):
            buckets = self._buckets_of(counted, share, now)
            for name, amount in ((unit, 1.0), ("bytes", float(size))):
                bucket = buckets[name]
                if (wait := bucket.take(amount, now)) > 0.0:
                    seconds = max(0.1, wait)
                    limit = f"{bucket.rate / 2**20:.0f} MiB" if name == "bytes" else f"{bucket.rate:.0f} messages"
                    owner = "client" if counted is identity else "connection"
                    text = f"too much at once, at most {limit} a second expected of a {owner}: wait {seconds:.1f} s"
                    return Excess(text, seconds, bucket.flooded)
        return None

    def _buckets_of(self, counted: str | bytes, share: float, now: float) -> dict[str, TokenBucket]:
        buckets = self._buckets.pop(counted, None) or {
            "requests": TokenBucket(share * REQUESTS_PER_SECOND, share * REQUEST_BURST, now),
            "controls": TokenBucket(share * CONTROLS_PER_SECOND, share * CONTROL_BURST, now),
            "bytes": TokenBucket(share * BYTES_PER_SECOND, share * BYTE_BURST, now),
        }
        self._buckets[counted] = buckets  # the last, as dictionaries keep their order
        if len(self._buckets) > _MAX_COUNTED:
            del self._buckets[next(iter(self._buckets))]
        return buckets
