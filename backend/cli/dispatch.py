"""Answering a command's request: by the engine in this process, or by a backend at an address."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
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


def expect_address(url: str | None, keys: Path | None = None) -> None:
    """Raise ValueError for what cannot be a backend's address, and for keys without a backend."""
    if url is None:
        if keys is not None:
            raise ValueError(f"--keys {keys}: --server URL expected with it")
        return
    parts = urlsplit(url)
    if parts.scheme != "tcp" or not parts.hostname or not parts.port:
        raise ValueError(f"--server {url}: an address such as {DEFAULT_URL} expected")


def expect_answerable(request: Request, server: str | None, keys: Path | None = None) -> None:
    """Raise ValueError, before any work, for an invalid address and for what the request's model cannot do.

    A backend may have models that are not known here; it refuses what it cannot do itself.
    """
    expect_address(server, keys)
    if server is None:
        _ = model_for(request).weights
    elif request.model in REGISTRY:
        model_for(request)


def answer(
    request: Request, server: str | None, progress: Callable[[float, str], None], keys: Path | None = None
) -> Result:
    """The result of a request. Equal requests give equal results, in this process and by a backend.

    keys: the folder of this client's keys, for a server with keys.
    """
    return _answer_here(request, progress) if server is None else _answer_by_backend(request, server, keys, progress)


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


def _answer_by_backend(
    request: Request, server: str, keys: Path | None, progress: Callable[[float, str], None]
) -> Result:
    """A backend's result. A missing backend is a fault, not bad input: the same command works once it is there."""
    from backend.client import BackendError, BackendUnavailable, Client, KeysRefused, RequestRefused

    try:
        return Client(server, keys=keys).answer(request, progress=progress)
    except RequestRefused as error:
        raise BadInput(str(error)) from None
    except KeysRefused as error:
        advice = "; give this client's folder of them with --keys DIR" if keys is None else ""
        raise BadInput(f"{error}{advice}") from None
    except BackendUnavailable as error:
        advice = "; start one with `pasdedeux serve`" if type(error) is BackendUnavailable else ""
        raise Fault(f"{error}{advice}") from None
    except BackendError as error:
        raise Fault(str(error)) from None
