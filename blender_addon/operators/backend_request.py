"""Requests from operators to the backend, at the address in the preferences."""

import bpy

from backend.client import BackendUnavailable, Client
from backend.wire.messages import PreviewFrames, Request, Result
from rigs.motion import Motion

from ..background_job import OperatorError, Reporter
from ..properties.preferences import addon_preferences, is_local


def backend_address(context: bpy.types.Context) -> str:
    """The backend's address. Raises OperatorError for another machine without Blender's online access."""
    address: str = addon_preferences(context).address
    if not is_local(address) and not bpy.app.online_access:
        raise OperatorError(f"Allow Online Access in Blender's System preferences to use the backend at {address}")
    return address


def request_backend(address: str, request: Request, reporter: Reporter) -> Result:
    """Send a request and wait for its result; its previews are `PreviewFrames`.

    Raises OperatorError if no backend answers, BackendError, Cancelled.
    """

    def preview(take: int, first: int, frames: Motion) -> None:
        reporter.preview(PreviewFrames(take, first, frames, validate=False))

    try:
        return Client(address).answer(
            request, progress=reporter.progress, cancelled=reporter.cancelled, preview=preview
        )
    except BackendUnavailable:
        advice = ": press Start Backend in the Backend panel" if is_local(address) else ""
        raise OperatorError(f"No backend answers at {address}{advice}") from None
