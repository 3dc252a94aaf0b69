"""The server: answers clients as protocol.py specifies."""

from backend.server.serve import AddressInUse, serve

__all__ = ["AddressInUse", "serve"]
