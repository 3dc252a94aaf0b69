"""How a command has a request answered: by the engine in this process, or by a backend elsewhere."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from backend.cli.signals import signals_waiting
from backend.cli.terminal import BadInput, Fault
from backend.protocol import (
    DEFAULT_URL,
    ComposeResult,
    MotionResult,
    decode_client_message,
    decode_server_message,
    encode,
)
from backend.wire.messages import Request

if TYPE_CHECKING:
    from backend.client import Client

HERE = "here"
"""The id of a request that does not leave this process."""
Answered = TypeVar("Answered")


@contextmanager
def bad_input_from_value_errors() -> Iterator[None]:
    """Take a ValueError, whose text is one sentence by contract, as bad input."""
    try:
        yield
    except ValueError as error:
        raise BadInput(str(error)) from None


def expect_address(url: str) -> None:
    """Raise ValueError for what cannot be a backend's address."""
    parts = urlsplit(url)
    if parts.scheme != "tcp" or not parts.hostname or not parts.port:
        raise ValueError(f"--server {url}: an address such as {DEFAULT_URL} expected")


def made(request: Request, progress: Callable[[float, str], None]) -> MotionResult | ComposeResult:
    """The answer, made in this process and rounded as the wire rounds, so that a backend's is the same."""
    from backend.engine import Engine

    _, sent = decode_client_message(encode(HERE, request))
    assert isinstance(sent, Request)
    try:
        engine = Engine()
        with signals_waiting():
            engine.load_for(sent)
        answer = engine.answer(sent, progress=progress)
    except ModuleNotFoundError as error:
        raise Fault(f"This cannot be made here without {error.name}: install pas-de-deux[server]") from None
    _, result = decode_server_message(encode(HERE, answer))
    assert isinstance(result, MotionResult | ComposeResult)
    return result


def asked(question: Callable[["Client"], Answered], server: str) -> Answered:
    """What a backend answers to a question. One that is away is a fault: nothing about the files has to change."""
    from backend.client import BackendError, Client, RequestRefused

    try:
        return question(Client(server))
    except RequestRefused as error:
        raise BadInput(str(error)) from None
    except BackendError as error:
        raise Fault(str(error)) from None
