"""Leaders as long as one likes: the takes of the corpus joined one after the other, or the sample dance."""

import os
from functools import cache
from pathlib import Path

from backend.models.partner_flow.conditions import NAME
from rigs.motion import Motion, resample
from rigs.sample_dance.salsa import sample_dance
from tests import installed
from training.data.duets import FPS, Duet
from training.evaluation.baselines import align_placement, crossfade, floor_placement
from training.evaluation.partner_model import configured_split

__all__ = ["FPS", "duets", "joined", "leader_of"]


def leader_of(frames: int, lap: int | None = None) -> tuple[Motion, str]:
    """A leader of so many frames at 30 fps that goes over smoothly from take to take, and what it is made of.

    lap: frames after which all is danced again, in the same order; without it, all takes come before any comes again.
    """
    known = duets()
    takes = [duet.leader for duet in known] or [resample(sample_dance(), FPS)]
    names = {duet.name for duet in known} or {"the sample dance"}
    once = takes if lap is None else [joined(takes, lap + 1)]  # the next lap's first frame is the moment of the last
    return joined(once, frames), ", ".join(sorted(names))


def joined(takes: list[Motion], frames: int) -> Motion:
    """The takes one after the other, again and again, until there are so many frames.

    Each begins where and as the one before it has ended: it is carried there, and the poses go over into each other.
    """
    whole, n = takes[0], 0
    while len(whole) < frames:
        n += 1
        following = takes[n % len(takes)]
        here, there = floor_placement(following.positions[0]), floor_placement(whole[-1:].positions[0])
        whole = crossfade(whole, align_placement(following, here, there))
    return whole[:frames]


@cache
def duets() -> tuple[Duet, ...]:
    """The recordings of the corpus that the partner flow is not tested on; none where there is no corpus."""
    folder = Path(os.environ.get("PASDEDEUX_DATA", installed.ROOT.parent / "shared" / "data")) / "salsa"
    if not folder.is_dir():
        return ()
    split = configured_split(folder, NAME)
    return (*split.train, *split.validation)
