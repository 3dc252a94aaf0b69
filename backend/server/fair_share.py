"""Fair shares of the workers' time: start-time fair queueing (Goyal, Vin and Cheng 1996) between clients."""

from collections.abc import Callable, Collection, Iterable
from typing import TypeVar

Item = TypeVar("Item")


class FairShare:
    """The seconds that each client with jobs has used, counted from a common start."""

    def __init__(self) -> None:
        self._used: dict[str, float] = {}

    def join(self, client: str, busy: Collection[str]) -> None:
        """Let a client in beside those that have jobs: it begins with what the least served of them has used.

        So nobody gains by having been away, and what clients have used that have gone is forgotten.
        """
        if client in busy:
            return
        others = {other: used for other, used in self._used.items() if other in busy}
        least = min(others.values(), default=0.0)
        self._used = others | {client: max(self._used.get(client, least) if others else least, least)}

    def charge(self, client: str, seconds: float) -> None:
        """Add seconds to what a client has used."""
        self._used[client] += seconds

    def is_behind(self, client: str, others: Iterable[str]) -> bool:
        """Whether a client has used less than each of these."""
        return all(self._used[client] < self._used[other] for other in others)

    def order(
        self, items: Iterable[Item], client: Callable[[Item], str], seconds: Callable[[Item], float]
    ) -> list[Item]:
        """The order in which items are served: each time the first one of the client that has used least.

        client: of an item.  seconds: that an item will use.
        """
        by_client: dict[str, list[Item]] = {}
        for item in items:
            by_client.setdefault(client(item), []).append(item)
        used = {name: self._used[name] for name in by_client}
        ordered: list[Item] = []
        while by_client:
            name = min(by_client, key=used.__getitem__)
            item = by_client[name].pop(0)
            used[name] += seconds(item)
            ordered.append(item)
            if not by_client[name]:
                del by_client[name]
        return ordered
