"""How much a client may send a second."""

from backend.server.connections.rate_limits import BYTE_BURST, CONTROL_BURST, REQUEST_BURST, RateLimits


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_connection_may_send_a_burst_and_then_waits_as_long_as_it_is_told() -> None:
    clock = Clock()
    limits = RateLimits(clock)
    assert all(limits.count("anna", b"1", "partner", 100) is None for _ in range(int(REQUEST_BURST / 2)))
    excess = limits.count("anna", b"1", "partner", 100)
    assert excess is not None
    assert not excess.flooding
    assert excess.text == "too much at once, at most 25 messages a second expected of a connection: wait 0.1 s"
    clock.now += excess.seconds
    assert limits.count("anna", b"1", "partner", 100) is None


def test_a_connection_that_floods_leaves_room_for_the_clients_others_and_these_for_other_clients() -> None:
    limits = RateLimits(Clock())
    for _ in range(100_000):
        limits.count("127.0.0.1", b"1", "hello", 1)
    assert limits.count("127.0.0.1", b"2", "hello", 1) is None
    for number in range(100_000):
        limits.count("127.0.0.1", b"%d" % (number % 1000), "hello", 1)
    excess = limits.count("127.0.0.1", b"another", "hello", 1)
    assert excess is not None
    assert "expected of a client" in excess.text
    assert limits.count("192.0.2.1", b"other", "hello", 1) is None


def test_requests_leave_hellos_alone() -> None:
    limits = RateLimits(Clock())
    for _ in range(10_000):
        limits.count("anna", b"1", "partner", 1)
    assert limits.count("anna", b"1", "partner", 1) is not None
    assert limits.count("anna", b"1", "hello", 1) is None
    for _ in range(int(CONTROL_BURST / 2)):
        limits.count("anna", b"1", "hello", 1)
    assert limits.count("anna", b"1", "cancel", 1) is not None


def test_bytes_are_counted_together() -> None:
    limits = RateLimits(Clock())
    assert limits.count("anna", b"1", "partner", int(BYTE_BURST / 2)) is None
    excess = limits.count("anna", b"1", "compose", 64 * 2**20)
    assert excess is not None
    assert "MiB a second" in excess.text
    assert excess.seconds == 1.0


def test_a_connection_that_goes_on_is_flooding() -> None:
    limits = RateLimits(Clock())
    results = [limits.count("anna", b"1", "hello", 1) for _ in range(int(3 * CONTROL_BURST))]
    assert [excess is not None and excess.flooding for excess in results].index(True) == 2.5 * CONTROL_BURST - 1


def test_very_many_clients_are_counted_in_bounded_memory() -> None:
    limits = RateLimits(Clock())
    for _ in range(10_000):
        limits.count("first", b"1", "hello", 1)
    assert limits.count("first", b"1", "hello", 1) is not None
    for number in range(5000):
        limits.count(f"client-{number}", b"%d" % (number + 2), "hello", 1)
    assert limits.count("first", b"1", "hello", 1) is None, "forgotten"
    assert len(limits._buckets) <= 8192
