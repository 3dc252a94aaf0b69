"""dance-flow's network: the motion flow whose leader is music."""

import torch
from torch import nn

from backend.models.dance_flow.conditions import NAME, DanceFlowConditions
from backend.models.motion_flow.conditions import MotionFlowConfig
from backend.models.motion_flow.network import INITIAL_PASTS, MotionFlow, config_of, exported_functions

__all__ = ["DanceFlow", "config_of", "exported_functions", "load"]


class DanceFlow(DanceFlowConditions, MotionFlow):
    """Motion flow to music.

    `initial_pasts` are in their own floor frames, each with its count in the music's phrase: `initial_counts` (2, N).
    `rhythm` (4, 2): real and imaginary parts of the rhythm of real dancers, see `rigs.choreography.beat_alignment`.
    """

    name = NAME

    def __init__(self, config: MotionFlowConfig) -> None:
        super().__init__(config)
        self.initial_counts = nn.Buffer(torch.zeros(2, INITIAL_PASTS))
        self.rhythm = nn.Buffer(torch.zeros(4, 2))


load = DanceFlow.load
