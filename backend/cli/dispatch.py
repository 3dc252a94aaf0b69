"""Answering a command's request: by the engine in this process, or by a backend at an address."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

from backend.cli.terminal import BadInput, Fault, signals_deferred
from backend.engine import Engine, InvalidResult, model_for
from backend.model_registry import REGISTRY
from backend.protocol import DEFAULT_URL, round_as_sent
from backend.wire.messages import Request, Result


@contextmanager
def bad_input_from_value_errors() -> Iterator[None]:
    """Turn a ValueError, whose text is one sentence by convention, into BadInput."""
    try:
        yield
    except ValueError as error:
        raise BadInput(str(error)) from None


def expect_address(url: str | None) -> None:
    """Raise ValueError for what cannot be a backend's address."""
    if url is None:
        return
    parts = urlsplit(url)
    if parts.scheme != "tcp" or not parts.hostname or not parts.port:
        raise ValueError(f"--server {url}: an address such as {DEFAULT_URL} expected")


def expect_answerable(request: Request, server: str | None) -> None:
    """Raise ValueError, before any work, for an invalid address and for what the request's model cannot do.

    A backend may have models that are not known here; it refuses what it cannot do itself.
    """
    expect_address(server)
    if server is None:
        _ = model_for(request).weights
    elif request.model in REGISTRY:
        model_for(request)


def answer(request: Request, server: str | None, progress: Callable[[float, str], None]) -> Result:
    """The result of a request. Equal requests give equal results, in this process and by a backend."""
    return _answer_here(request, progress) if server is None else _answer_by_backend(request, server, progress)


def _answer_here(request: Request, progress: Callable[[float, str], None]) -> Result:
    """The engine's result; request and result are rounded as if they were sent, so that a backend's is the same."""
    request = round_as_sent(request)
    engine = Engine()
    try:
        with signals_deferred():
            engine.load_for(request)
        return round_as_sent(engine.answer(request, progress=progress))
    except ModuleNotFoundError as error:
        raise Fault(f"The model needs {error.name}, which is not installed: install pas-de-deux[server]") from None
    except InvalidResult as error:
        raise Fault(str(error)) from None


def _answer_by_backend(request: Request, server: str, progress: Callable[[float, str], None]) -> Result:
    """A backend's result. A missing backend is a fault, not bad input: the same command works once it is there."""
    from backend.client import BackendError, Client, RequestRefused

    try:
        return Client(server).answer(request, progress=progress)
    except RequestRefused as error:
        raise BadInput(str(error)) from None
    except BackendError as error:
        raise Fault(str(error)) from None
