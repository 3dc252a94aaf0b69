"""The client that a message is counted for, read from messages over real sockets."""

import os
import socket

import zmq

from backend.server.connections.client_identity import client_identity, connection_descriptor


def test_a_client_without_keys_is_its_address() -> None:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router, context.socket(zmq.DEALER) as dealer:
        port = router.bind_to_random_port("tcp://127.0.0.1")
        dealer.connect(f"tcp://127.0.0.1:{port}")
        dealer.send_multipart([b"one", b"two"])
        parts = router.recv_multipart(copy=False)
        assert client_identity(parts, keys=False) == "127.0.0.1"
        with socket.socket(fileno=os.dup(connection_descriptor(parts))) as connection:
            assert connection.getsockname() == ("127.0.0.1", port)


def test_a_message_that_came_over_no_network_has_no_descriptor() -> None:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router, context.socket(zmq.DEALER) as dealer:
        router.bind("inproc://here")
        dealer.connect("inproc://here")
        dealer.send(b"one")
        parts = router.recv_multipart(copy=False)
        assert client_identity(parts, keys=False) == "unknown"
        assert connection_descriptor(parts) == -1


def test_a_client_without_keys_cannot_claim_a_name() -> None:
    """ZeroMQ notes whatever properties a client's handshake brings."""
    greeting = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(16) + b"\x00" + bytes(31)
    properties = b"\x0bSocket-Type\x00\x00\x00\x06DEALER\x07User-Id\x00\x00\x00\x04anna"
    ready = b"\x05READY" + properties
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router:
        port = router.bind_to_random_port("tcp://127.0.0.1")
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(greeting + bytes([4, len(ready)]) + ready)
            client.settimeout(5.0)
            answer = b""
            while b"READY" not in answer:
                answer += client.recv(1000)
            client.sendall(b"\x00\x03one")
            assert router.poll(5000)
            parts = router.recv_multipart(copy=False)
        assert parts[0].get("User-Id") == "anna"
        assert client_identity(parts, keys=False) == "127.0.0.1"
