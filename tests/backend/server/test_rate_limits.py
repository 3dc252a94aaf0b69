"""How much a client may send a second."""

from backend.server.rate_limits import BYTE_BURST, CONTROL_BURST, REQUEST_BURST, REQUESTS_PER_SECOND, RateLimits


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_client_may_send_a_burst_and_then_waits_as_long_as_it_is_told() -> None:
    clock = Clock()
    limits = RateLimits(clock)
    assert all(limits.count("anna", "partner", 100) is None for _ in range(int(REQUEST_BURST)))
    excess = limits.count("anna", "partner", 100)
    assert excess is not None
    assert not excess.flooding
    assert excess.text == "too much at once, at most 50 messages a second expected of a client: wait 0.1 s"
    clock.now += excess.seconds + 1 / REQUESTS_PER_SECOND  # the refused one is owed
    assert limits.count("anna", "partner", 100) is None


def test_one_client_leaves_the_others_alone_and_requests_leave_hellos_alone() -> None:
    limits = RateLimits(Clock())
    while limits.count("anna", "partner", 1) is None:
        pass
    assert limits.count("ben", "partner", 1) is None
    assert limits.count("anna", "hello", 1) is None
    for _ in range(int(CONTROL_BURST)):
        limits.count("anna", "hello", 1)
    assert limits.count("anna", "cancel", 1) is not None


def test_bytes_are_counted_together() -> None:
    limits = RateLimits(Clock())
    assert limits.count("anna", "partner", int(BYTE_BURST)) is None
    excess = limits.count("anna", "compose", 64 * 2**20)
    assert excess is not None
    assert "MiB a second" in excess.text
    assert excess.seconds == 0.5


def test_a_client_that_goes_on_is_flooding() -> None:
    limits = RateLimits(Clock())
    results = [limits.count("anna", "hello", 1) for _ in range(int(6 * CONTROL_BURST))]
    assert [excess is not None and excess.flooding for excess in results].index(True) == 5 * CONTROL_BURST - 1
    assert limits.count("ben", "hello", 1) is None


def test_very_many_clients_are_counted_in_bounded_memory() -> None:
    limits = RateLimits(Clock())
    while limits.count("first", "hello", 1) is None:
        pass
    for number in range(5000):
        limits.count(f"client-{number}", "hello", 1)
    assert limits.count("first", "hello", 1) is None, "forgotten"
    assert len(limits._buckets) <= 4096
