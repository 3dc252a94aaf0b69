"""Requests from operators to the backend: the embedded one on this computer, or a server at an address."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import bpy

from backend.client import BackendError, BackendLost, BackendUnavailable, Client, KeysRefused, NoBackend, OtherVersion
from backend.keys import SharedSecret, read_client_keys
from backend.wire.messages import PreviewFrames, Request, Result
from rigs.motion import Motion

from ...background_job import OperatorError, Reporter
from ...context_access import EXTENSION_PACKAGE
from ...properties.preferences import addon_preferences, is_local
from . import launcher as backend_launcher
from . import status as backend_status


@dataclass(frozen=True)
class BackendConnection:
    """How the backend is reached, read from the preferences.

    launch: what starts the one on this computer; None for a server.  address: the server's.
    keys: the folder of this client's keys; None for a server without any.
    """

    launch: backend_launcher.LaunchOptions | None = None
    address: str = ""
    keys: Path | None = None


def backend_connection(context: bpy.types.Context) -> BackendConnection:
    """How the backend is reached. Raises OperatorError for settings that cannot be used."""
    preferences = addon_preferences(context)
    if preferences.location == "THIS_COMPUTER":
        launch = backend_launcher.launch_options(user_folder())
        return BackendConnection(launch, keys=launch.keys)
    address: str = preferences.address.strip()
    _expect_server_address(address)
    if not is_local(address) and not bpy.app.online_access:
        raise OperatorError(f"Allow Online Access in Blender's System preferences to use the backend at {address}")
    if not preferences.keys:
        return BackendConnection(address=address)
    keys = Path(bpy.path.abspath(preferences.keys))
    try:
        read_client_keys(keys)
    except SharedSecret as error:
        raise OperatorError(str(error)) from None
    except ValueError:
        raise OperatorError(
            f"{keys} holds no keys: choose as Key Folder the one with client.key_secret and server.key"
        ) from None
    return BackendConnection(address=address, keys=keys)


def user_folder() -> str:
    """The extension's folder for files of its own."""
    return bpy.utils.extension_path_user(EXTENSION_PACKAGE, create=True)


def request_backend(connection: BackendConnection, request: Request, reporter: Reporter) -> Result:
    """Send a request and wait for its result; its previews are `PreviewFrames`. The first one starts the backend.

    Raises OperatorError if no backend answers, BackendError, Cancelled.
    """

    def preview(take: int, first: int, frames: Motion) -> None:
        reporter.preview(PreviewFrames(take, first, frames, validate=False))

    def answer(address: str) -> Result:
        with backend_status.request_running():
            return Client(address, keys=connection.keys).answer(
                request, progress=reporter.progress, cancelled=reporter.cancelled, preview=preview
            )

    if connection.launch is None:
        try:
            return answer(connection.address)
        except BackendError as error:
            raise OperatorError(server_sentence(error, connection)) from None
    # One that was stopped, killed or hangs since its last request is replaced without a word.
    for last_try in (False, True):
        address = backend_launcher.ensure_backend(connection.launch, reporter)
        try:
            return answer(address)
        except BackendLost:
            if last_try or _is_started_here(address):
                raise OperatorError(_lost_sentence(address)) from None
            backend_launcher.discard(address)  # another Blender has ended it: this one starts its own
        except (BackendUnavailable, KeysRefused):  # the keys were made anew meanwhile
            backend_launcher.discard(address)
            if last_try:
                raise OperatorError("The backend does not answer: click Show Log in the Backend panel") from None
    raise AssertionError


def server_sentence(error: BackendError, connection: BackendConnection) -> str:
    """What to say of a server's error, with the button or setting that helps; the server's own words are kept."""
    kind = error.reason if isinstance(error, KeysRefused) else type(error)
    return _SERVER_SENTENCES.get(kind, "{error}").format(server=f"The server at {connection.address}", error=error)


_SERVER_SENTENCES: dict[str | type[BackendError], str] = {
    "no keys": "{server} admits only clients with keys: choose yours as Key Folder in the Backend panel",
    "not admitted": "{server} does not admit your keys: ask who runs it for others, and choose them as Key Folder",
    "another server": "{server} uses no keys, or others than yours: clear the Key Folder, or choose another",
    NoBackend: "{server} does not answer: it hangs, or is another program; check the address in the Backend panel",
    BackendLost: "{server} was lost during the work: click Test Connection in the Backend panel, then try again",
    BackendUnavailable: "{server} does not answer: check its address in the Backend panel, or choose This Computer",
    OtherVersion: "{server} has another version of Pas de Deux: install the same version on both",
}
"""What to say of errors, by their type or, for keys that are refused, their reason."""


def _is_started_here(address: str) -> bool:
    """Whether this Blender has started the backend at an address."""
    running = backend_launcher.current
    return running is not None and running.address == address and running.process is not None


def _lost_sentence(address: str) -> str:
    """What to say of an embedded backend that was lost during a request; it is ended if it still runs."""
    running, mine = backend_launcher.current, _is_started_here(address)
    ended = running is None or running.ended
    backend_launcher.discard(address)
    if not mine:
        return "The backend of another Blender ended during the work: try again, which starts one of this Blender"
    if ended:
        return "The backend ended during the work: try again, which starts it anew (Show Log says more)"
    return "The backend did not answer any more and was stopped: try again, which starts it anew (Show Log says more)"


def _expect_server_address(address: str) -> None:
    """Raise OperatorError with what is wrong with the address of a server."""
    if not address:
        raise OperatorError("Write the server's address, such as tcp://gpubox:7429, in the Backend panel")
    if "://" not in address:
        raise OperatorError(f"The server's address lacks tcp:// in front: write tcp://{address} in the Backend panel")
    try:
        parts = urlsplit(address)
        valid = parts.scheme == "tcp" and parts.hostname and parts.port
    except ValueError:
        valid = False
    if not valid:
        raise OperatorError(
            f"{address} is no server's address: write one such as tcp://gpubox:7429 in the Backend panel"
        )
