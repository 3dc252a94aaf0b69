"""The client by itself: no server, a wrong address, a server that dies or answers with something else."""

import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import zmq

from backend.client import BackendError, BackendLost, BackendUnavailable, Client, NoBackend
from backend.protocol import decode_client_message, encode
from backend.wire.messages import DanceRequest, MotionResult
from rigs.motion import Motion
from tests.backend.conftest import Start
from tests.backend.fake_music_models import COUPLE, expected_dance, song


def test_no_server_is_an_error_of_one_sentence() -> None:
    with zmq.Context() as context, context.socket(zmq.ROUTER) as deaf:
        deaf.linger = 0
        port = deaf.bind_to_random_port("tcp://127.0.0.1")
        url = f"tcp://127.0.0.1:{port}"
        begin = time.monotonic()
        with pytest.raises(BackendLost, match=rf"^the backend at {url} has not answered for 1 seconds$"):
            Client(url, timeout=1.0).hello()
    with pytest.raises(BackendUnavailable, match=rf"^no backend answers at {url}$"):  # the context has closed the port
        Client(url, timeout=0.5).hello()
    assert time.monotonic() - begin < 3.0


def test_another_program_at_the_address_is_told_from_no_backend() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        url = f"tcp://127.0.0.1:{other.getsockname()[1]}"
        sentence = rf"^what listens at {url} does not answer: it hangs, or is another program$"
        with pytest.raises(NoBackend, match=sentence):
            Client(url, timeout=0.5).hello()


@pytest.mark.parametrize("url", ["", "backend", "tcp://127.0.0.1", "tcp://127.0.0.1:http", "ipc:///tmp/backend"])
def test_an_invalid_address_is_an_error_of_one_sentence(url: str) -> None:
    with pytest.raises(BackendError, match=r"an address such as tcp://127.0.0.1:7429 expected"):
        Client(url).hello()


def test_a_server_that_dies_is_unavailable(start: Start, long_leader: Motion) -> None:
    with start() as backend:

        def kill(fraction: float, what: str) -> None:
            backend.process.kill()

        with pytest.raises(BackendUnavailable):
            Client(backend.url, timeout=1.0).partner(long_leader, progress=kill)


def test_the_client_needs_numpy_and_zmq_alone() -> None:
    check = (
        "import sys\n"
        "for name in ('scipy', 'torch', 'tyro', 'rich', 'safetensors'): sys.modules[name] = None\n"
        "import backend.client"
    )
    assert subprocess.run([sys.executable, "-c", check]).returncode == 0


def test_a_result_that_was_not_requested_is_an_error() -> None:
    short = MotionResult((expected_dance(DanceRequest(song(2)))[:30],))
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router, ThreadPoolExecutor() as pool:
        client = Client(f"tcp://127.0.0.1:{router.bind_to_random_port('tcp://127.0.0.1')}")
        for call, message in (
            (lambda: client.dance(song(2)), "answered with other than 1 dancers of 121 frames"),
            (lambda: client.compose(COUPLE), "answered with other than music"),
        ):
            future = pool.submit(call)
            peer, *question = router.recv_multipart()
            router.send_multipart([peer, *encode(decode_client_message(question)[0], short)])
            with pytest.raises(BackendError, match=message):
                future.result()
