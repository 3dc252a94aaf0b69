"""Addresses at which a server listens, and which of them other machines can reach."""

import ipaddress
import re

from backend.protocol import DEFAULT_URL


def bind_address(url: str, *, keys: bool = False) -> str:
    """The address as ZeroMQ binds it.

    keys: whether the server admits only clients with keys, without which the address must be one of this machine alone.
    Raises ValueError for no address, and for one that others reach without keys.
    """
    parts = re.fullmatch(r"tcp://(\[[^]]+\]|[^:\[\]/]+):(\*|\d{1,5})", url)
    if not parts or (parts[2] != "*" and int(parts[2]) > 65_535):
        raise ValueError(f"{url}: an address such as {DEFAULT_URL} expected")
    host = {"localhost": "127.0.0.1", "*": "0.0.0.0"}.get(parts[1], parts[1])
    try:
        is_loopback = ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback and not keys:
        raise ValueError(f"{url}: an address of this machine alone expected, such as {DEFAULT_URL}; others need --keys")
    return f"tcp://{host}:{parts[2]}"
