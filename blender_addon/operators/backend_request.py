"""Requests from operators to the backend."""

from backend.client import BackendUnavailable, Client
from backend.wire.messages import Request, Result

from ..background_job import OperatorError, Reporter
from ..properties.preferences import is_local


def request_backend(address: str, request: Request, reporter: Reporter) -> Result:
    """Send a request and wait for its result. Raises OperatorError if no backend answers, BackendError, Cancelled."""
    try:
        return Client(address).answer(request, progress=reporter.progress, cancelled=reporter.cancelled)
    except BackendUnavailable:
        advice = ": press Start Backend in the Backend panel" if is_local(address) else ""
        raise OperatorError(f"No backend answers at {address}{advice}") from None
