"""The dance flow: the flow network that dances alone to music, which it hears.

A frame of its leader is what is heard in it (`backend.music.music_features`) and where home is: the middle of the
floor it dances on, so that it does not wander off.
"""

import torch
from torch import Tensor

from backend.models.motion_flow.features import Dance, Place
from backend.models.motion_flow.network import STARTS, FlowConfig, FlowNetwork
from backend.music.music_features import HEARD

NAME = "dance-flow"
_HOME = 2
_FARTHEST = 4.0
"""Deviations from the mean beyond which nothing is heard."""


class DanceFlow(FlowNetwork):
    """See `FlowNetwork`. Ways to begin are as seen from where the dancer stands; `counts` (2, N) tells in which count.

    rhythm: (4, 2) the real and imaginary parts of how dancers keep to the music, see
    `rigs.choreography.beat_alignment`.

    The leader's frames are (..., HEARD + 2), what is heard, and the place of home on the floor in m.
    """

    name = NAME
    led = HEARD + _HOME

    counts: Tensor
    rhythm: Tensor

    def __init__(self, config: FlowConfig) -> None:
        super().__init__(config)
        self.register_buffer("counts", torch.zeros(2, STARTS))
        self.register_buffer("rhythm", torch.zeros(4, 2))

    def views(self, past: Dance, offsets: Tensor, leader: Tensor, place: Place) -> tuple[Tensor, Tensor]:
        """See `FlowNetwork.views`. Whole songs swell and rest more than the stretches learnt from: that is bounded."""
        own, led = super().views(past, offsets, leader, place)
        return own, led.clamp(-_FARTHEST, _FARTHEST)

    def seen_from(self, place: Place, leader: Tensor) -> Tensor:
        """See `FlowNetwork.seen_from`."""
        heard, home = leader[..., 1:, :HEARD], leader[..., 1:, HEARD:]
        seen = place.into(torch.nn.functional.pad(home, (0, 1)))
        return torch.cat([heard, seen[..., :_HOME]], dim=-1)


def led_by(hearing: Tensor, home: Tensor) -> Tensor:
    """The leader (F, HEARD + 2) of a dance to what is heard (F, HEARD), at home (2,) m on the floor."""
    return torch.cat([hearing, home.expand(len(hearing), _HOME)], dim=-1)
