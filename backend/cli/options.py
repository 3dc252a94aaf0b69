"""Options of the commands, as tyro reads them, and what they mean: output paths, models, direction, devices."""

import re
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import OmitArgPrefixes, arg

from backend.model_registry import REGISTRY, Task
from backend.wire.direction import Direction
from rigs.choreography.devices import DELAYED, DEVICES, Choreography, Unit
from rigs.choreography.formations import Formation
from rigs.files import ReadOptions
from rigs.motion import Motion, resample

FPS_TOLERANCE = 1e-3
"""Relative difference of two frame rates that count as equal: BVH rounds the time between frames."""
DRAFT_TOLERANCE = 1.5
"""Frames, at the lower rate, by which a draft of another rate may be shorter or longer than its leader."""


def _model_help(task: Task, generates: str, also: str = "") -> str:
    names = ", ".join(REGISTRY.names(task))
    return f"model that generates {generates}: {names}{also}."


Out = Annotated[Path, arg(aliases=["-o"], metavar="OUT")]
File = Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="")]
Number = Annotated[int, arg(metavar="N")]
Address = Annotated[str | None, arg(metavar="URL", help_behavior_hint="")]
Keys = Annotated[Path | None, arg(metavar="DIR", help_behavior_hint="")]
Track = Annotated[int | None, arg(metavar="N", help_behavior_hint="")]
Bars = Annotated[str | None, arg(metavar="A-B", help_behavior_hint="")]
Model = Annotated[str, arg(metavar="NAME", help=f"the model: {', '.join(REGISTRY.names())}.")]
PartnerModel = Annotated[str, arg(metavar="NAME", help=_model_help("partner", "the partner"))]
PartnerModelOrDevice = Annotated[
    str,
    arg(
        metavar="NAME",
        help=_model_help("partner", "the partner", f"; or a choreographic device: {', '.join(DEVICES)}"),
    ),
]
DanceModel = Annotated[str, arg(metavar="NAME", help=_model_help("dance", "the dance"))]
ComposeModel = Annotated[str, arg(metavar="NAME", help=_model_help("compose", "the music"))]


UpAxis = Literal["auto", "X", "Y", "Z", "-X", "-Y", "-Z"]
LengthUnit = Literal["auto", "m", "dm", "cm", "mm", "in", "ft"]


@dataclass(frozen=True)
class MotionFileOptions:
    """What motion files state wrongly or not at all; by default as they state, or as their movement tells."""

    fps: Annotated[float | None, arg(metavar="RATE", help_behavior_hint="")] = None
    """frames a second of the motion files."""
    up: UpAxis = "auto"
    """axis that points up in the motion files; auto: as stated, unless the movement tells another."""
    unit: LengthUnit = "auto"
    """unit of lengths in the motion files; auto: as stated, unless the dancer's height tells another."""

    @property
    def read_options(self) -> ReadOptions:
        """The same for `files.read`."""
        up, unit = (None if value == "auto" else value for value in (self.up, self.unit))
        return ReadOptions(self.fps, up, unit)

    @property
    def task_entries(self) -> dict[str, float | str]:
        """The entries of a task for Blender; what is not given is empty or 0."""
        options = self.read_options
        return {"fps": options.fps or 0.0, "up": options.up or "", "unit": options.unit or ""}


@dataclass(frozen=True)
class DirectionOptions:
    """How the generated partner is directed."""

    place: Annotated[tuple[float, float, float] | None, arg(metavar="AHEAD LEFT TURN", help_behavior_hint="")] = (
        Direction.place
    )
    """where the partner starts: metres ahead of the leader, metres to its left, degrees turned left from facing it."""
    closeness: Annotated[float, arg(metavar="C")] = Direction.closeness
    """how strongly the partner follows the leader, from 0 (not at all) over 1 (the default) to 2."""
    energy: Annotated[float, arg(metavar="E")] = Direction.energy
    """how much movement, from 0.5 for a calm partner to 2 for a lively one."""
    draft: Annotated[Path | None, arg(metavar="FILE", help_behavior_hint="")] = None
    """an existing partner, such as an edited take, of which --keep or --redo name frames."""
    keep: Annotated[str | None, arg(metavar="FRAMES", help_behavior_hint="")] = None
    """keyframes of the draft whose poses the partner takes, such as 31,60,121-130; the first frame is 1."""
    redo: Annotated[str | None, arg(metavar="FIRST-LAST", help_behavior_hint="")] = None
    """frames of the draft to generate again, such as 121-180; all others stay as they are."""
    without: Annotated[tuple[str, ...], arg(metavar="PART [PART ...]", help_behavior_hint="")] = Direction.without
    """post-processing to leave out: seams (smoothing), bodies (collisions), hands (holds), feet (planting), floor."""


@dataclass(frozen=True)
class DeviceOptions:
    """How a choreographic device moves the partner, and where."""

    delay: Annotated[float, arg(metavar="N")] = Choreography.delay
    """how much later a canon follows, or the length of a question and an answer."""
    delay_in: Unit = Choreography.unit
    """unit of the delay; beats are detected in the leader's movement."""
    formation: Formation = Choreography.formation
    """where the partner of a device stands."""
    distance: Annotated[float, arg(metavar="M")] = Choreography.distance
    """metres between leader and partner in a device's first frame."""


AS_STATED = MotionFileOptions()
MotionFile = Annotated[MotionFileOptions, OmitArgPrefixes]
UNDIRECTED_OPTIONS = DirectionOptions()
DEFAULT_DEVICE_OPTIONS = DeviceOptions()


def numbered_paths(path: Path, count: int) -> list[Path]:
    """The files of `count` results: the path itself for one, else with -1, -2... before the suffix."""
    if count == 1:
        return [path]
    return [path.with_name(f"{path.stem}-{number}{path.suffix}") for number in range(1, count + 1)]


def read_direction(options: DirectionOptions, frames: int) -> Direction:
    """The direction of a partner to a leader of F frames. Raises ValueError for frames out of range."""
    ranges = _frame_ranges("keep", options.keep, frames)
    keep = sorted({frame for first, last in ranges for frame in range(first, last + 1)})
    ranges = _frame_ranges("redo", options.redo, frames)
    if len(ranges) > 1:
        raise ValueError(f"--redo {options.redo}: one first and one last frame expected, such as 121-180")
    redo = ranges[0] if ranges else None
    return Direction(options.place, options.closeness, options.energy, tuple(keep), redo, options.without)


def fit_draft(draft: Motion, leader: Motion, name: str) -> Motion:
    """A draft, from the file of this name, at the leader's rate. Raises ValueError for one of another length."""
    if abs(draft.fps / leader.fps - 1.0) < FPS_TOLERANCE:
        if len(draft) != len(leader):
            raise ValueError(f"{name}: the leader's {len(leader)} frames expected, {len(draft)} found")
        return replace(draft, fps=leader.fps)
    if abs(draft.seconds - leader.seconds) > DRAFT_TOLERANCE / min(draft.fps, leader.fps):
        raise ValueError(f"{name}: the leader's {leader.seconds:.2f} seconds expected, {draft.seconds:.2f} found")
    return resample(draft, leader.fps, len(leader))


def read_bars(text: str, count: int) -> tuple[int, int]:
    """The first and the last bar, from 0, of a range such as "9-24". Raises ValueError."""
    numbers = re.fullmatch(r"\s*(\d{1,9})\s*-\s*(\d{1,9})\s*", text)
    if not numbers:
        raise ValueError(f"--bars {text}: a first and a last bar expected, such as 9-24")
    first, last = int(numbers[1]), int(numbers[2])
    if not 1 <= first <= last <= count:
        raise ValueError(f"--bars: bars of 1 to {count}, the first not after the last, expected, {text.strip()} found")
    return first - 1, last - 1


def read_choreography(model: str, options: DeviceOptions, *, takes: int, history: Path | None) -> Choreography | None:
    """The choreographic device that `model` names, or None. Raises ValueError for options that it does not have."""
    changed_options = [field.name for field in fields(options) if getattr(options, field.name) != field.default]
    for name in changed_options:
        devices = DELAYED if name.startswith("delay") else DEVICES
        if model not in devices:
            option = name.replace("_", "-")
            raise ValueError(f"--{option}: one of {', '.join(devices)} expected as the model for it, {model} found")
    if model not in DEVICES:
        return None
    if takes != 1:
        raise ValueError(f"--takes: 1 expected, {takes} found: {model} leaves nothing to chance")
    if history is not None:
        names = " or ".join(REGISTRY.names("partner"))
        raise ValueError(f"--history: {names} expected as the model for it, {model} found")
    values = asdict(options)
    return Choreography(device=model, unit=values.pop("delay_in"), **values)


def expect_partner_model(model: str) -> None:
    """Raise ValueError for what is neither a model for partners nor a choreographic device."""
    names = (*REGISTRY.names("partner"), *DEVICES)
    if model not in names:
        raise ValueError(f"model {model}: no such model, one of {', '.join(names)} expected")


def _frame_ranges(option: str, text: str | None, frames: int) -> list[tuple[int, int]]:
    """The first and last frames, from 0, of ranges such as "31,121-130". Raises ValueError."""
    if text is None:
        return []
    ranges = []
    for part in text.split(","):
        numbers = re.fullmatch(r"\s*(\d{1,9})\s*(?:-\s*(\d{1,9})\s*)?", part)
        if not numbers:
            raise ValueError(f"--{option} {text}: frames such as 31,60,121-130 expected")
        first, last = int(numbers[1]), int(numbers[2] or numbers[1])
        if not 1 <= first <= last <= frames:
            expected = f"frames of 1 to {frames}, the first not after the last, expected"
            raise ValueError(f"--{option}: {expected}, {part.strip()} found")
        ranges.append((first - 1, last - 1))
    return ranges
