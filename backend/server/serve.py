"""`serve`: bind the socket, admit clients, and run the loop until told to stop."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import zmq

from backend.model_registry import REGISTRY_PATH, import_registry
from backend.protocol import DEFAULT_URL
from backend.server.addresses import bind_address
from backend.server.connections.connection_guard import guard_connections
from backend.server.router_loop import Server
from backend.server.stopping import Wakeup, catch_stop_signals
from backend.worker.process_pool import ProcessPool, accelerator_names, open_standard_streams

MAX_PART = 64 * 2**20
"""Bytes; ZeroMQ disconnects a client that sends a larger part."""


class AddressInUse(ValueError):
    """An address that cannot be bound, as a program listens there or this machine has none such."""


def serve(
    bind: str = DEFAULT_URL,
    accelerator: str = "auto",
    registry: str = REGISTRY_PATH,
    *,
    memory: float | None = None,
    keys: Path | None = None,
    on_listening: Callable[[str, Wakeup], None] = lambda address, wakeup: None,
) -> int:
    """Answer clients until SIGINT or SIGTERM, on the main thread; print a line once it listens. Returns 0.

    bind: a loopback address, or with keys any of this machine; with * for the port a free one is taken.
    accelerator: "auto", or a list of torch devices' names such as "cuda:0,cuda:1", each of which gets a worker.
    registry: import path of the models' registry, "module:NAME", which the workers import.
    memory: GiB that a worker may hold before it is replaced, by default any number; only Linux tells it.
    keys: folder of the server's keys; only clients that it lists are admitted.
    on_listening: called once with the address, and what stops the server.
    Raises ValueError for an address that cannot be bound, AddressInUse for one that is taken, and for missing keys,
    a wrong list of accelerators or amount of memory.
    """
    open_standard_streams()  # before sockets take their places
    address = bind_address(bind, keys=keys is not None)
    models = import_registry(registry)
    pool = ProcessPool(accelerator_names(accelerator), registry, memory=memory_budget(memory))
    with ExitStack() as stack:
        context = stack.enter_context(zmq.Context())
        router = stack.enter_context(context.socket(zmq.ROUTER))
        wakeup = stack.enter_context(catch_stop_signals())
        router.set(zmq.ROUTER_MANDATORY, 1)  # a send to a client that has gone raises an error
        router.set(zmq.MAXMSGSIZE, MAX_PART)
        router.set(zmq.IPV6, int("[" in address))
        router.linger = 500  # ms, for the last messages
        guard = stack.enter_context(guard_connections(router, keys))
        try:
            router.bind(address)
        except zmq.ZMQError as error:
            reason = zmq.strerror(error.errno or 0)
            raise AddressInUse(f"{bind}: an address that is free expected ({reason})") from None
        server = Server(router, pool, models, wakeup, guard)
        listening = router.get_string(zmq.LAST_ENDPOINT)
        on_listening(listening, wakeup)
        print(f"listening on {listening}", flush=True)
        server.run()
    return 0


def memory_budget(gib: float | None) -> int | None:
    """The bytes that a worker may hold. Raises ValueError."""
    if gib is not None and not 0.25 <= gib <= 65536.0:
        raise ValueError(f"memory: 0.25 to 65536 GiB a worker expected, {gib:g} found")
    return None if gib is None else int(gib * 2**30)
