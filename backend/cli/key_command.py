"""The command that makes keys: `keys`."""

from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from backend.cli.dispatch import bad_input_from_value_errors


def keys(
    folder: Annotated[Positional[Path], arg(metavar="DIR")],
    client: Annotated[str | None, arg(metavar="NAME", help_behavior_hint="")] = None,
) -> None:
    """Make the keys of a server that other machines reach, and those of its clients.

    A server started with `pasdedeux serve --keys DIR` is encrypted and admits only the clients in DIR/clients; delete a
    client's file there to admit it no longer.

    Args:
        folder: folder of the server's keys; they are made if it has none.
        client: name of a client to admit; its keys are made in DIR/for-NAME, the folder to give to it alone.
    """
    from backend.keys import make_client_keys, make_server_keys

    with bad_input_from_value_errors():
        if folder.exists() and not folder.is_dir():
            raise ValueError(f"{folder}: a folder of keys expected, a file found")
        made = make_server_keys(folder)
        if made or client is None:
            print(folder / "server.key_secret")
        if client is not None:
            print(make_client_keys(folder, client))
