"""Choreographic devices as the command takes them: a name beside the models', with options of its own."""

from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated

from tyro.conf import arg

from backend.cli.terminal import print_note
from backend.model_registry import MODELS
from rigs.choreography.devices import DELAYED, DEVICES, Choreography, Unit, choreograph, collision_warnings
from rigs.choreography.formations import Formation
from rigs.motion import Motion


@dataclass(frozen=True)
class DeviceOptions:
    """How a device dances, and where."""

    delay: Annotated[float, arg(metavar="N")] = Choreography.delay
    """how much later a canon follows, or how long a question and an answer are."""
    delay_in: Unit = Choreography.unit
    """what the delay is counted in; beats are found in the leader's movement."""
    formation: Formation = Choreography.formation
    """where the partner of a device stands."""
    distance: Annotated[float, arg(metavar="M")] = Choreography.distance
    """metres between the two in a device's first frame."""


USUAL = DeviceOptions()


def chosen(model: str, options: DeviceOptions, *, takes: int, history: Path | None) -> Choreography | None:
    """The device that `model` names, or None for a model. Raises ValueError for options that do not go with it."""
    changed = [field.name for field in fields(options) if getattr(options, field.name) != field.default]
    for name in changed:
        fitting = DELAYED if name.startswith("delay") else DEVICES
        if model not in fitting:
            option = name.replace("_", "-")
            raise ValueError(f"--{option}: one of {', '.join(fitting)} expected as the model for it, {model} found")
    if model not in DEVICES:
        return None
    if takes != 1:
        raise ValueError(f"--takes: 1 expected, {takes} found: {model} leaves nothing to chance")
    if history is not None:
        raise ValueError(f"--history: {' or '.join(MODELS)} expected as the model for it, {model} found")
    given = asdict(options)
    return Choreography(device=model, unit=given.pop("delay_in"), **given)


def expect_known(model: str) -> None:
    """Raise ValueError for what is neither a model nor a device."""
    if model not in (*MODELS, *DEVICES):
        raise ValueError(f"model {model}: no such model, one of {', '.join((*MODELS, *DEVICES))} expected")


def danced(leader: Motion, device: Choreography) -> list[Motion]:
    """The one take of a device; what is doubtful about it is said."""
    partner = choreograph(leader, device)
    for doubt in collision_warnings(leader, partner, device):
        print_note(f"{device.device}: {doubt}")
    return [partner]
