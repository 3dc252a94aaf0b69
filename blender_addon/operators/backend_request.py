"""Requests from operators to the backend, at the address in the preferences."""

import bpy

from backend.client import BackendUnavailable, Client
from backend.wire.messages import Request, Result

from ..background_job import OperatorError, Reporter
from ..properties.preferences import addon_preferences, is_local


def backend_address(context: bpy.types.Context) -> str:
    """The backend's address. Raises OperatorError for another machine without Blender's online access."""
    address: str = addon_preferences(context).address
    if not is_local(address) and not bpy.app.online_access:
        raise OperatorError(f"Allow Online Access in Blender's System preferences to use the backend at {address}")
    return address


def request_backend(address: str, request: Request, reporter: Reporter) -> Result:
    """Send a request and wait for its result. Raises OperatorError if no backend answers, BackendError, Cancelled."""
    try:
        return Client(address).answer(request, progress=reporter.progress, cancelled=reporter.cancelled)
    except BackendUnavailable:
        advice = ": press Start Backend in the Backend panel" if is_local(address) else ""
        raise OperatorError(f"No backend answers at {address}{advice}") from None
