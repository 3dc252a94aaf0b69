"""partner-flow's network: the motion flow whose leader is another dancer."""

import torch
from torch import nn

from backend.models.motion_flow.conditions import MotionFlowConfig
from backend.models.motion_flow.network import INITIAL_PASTS, MotionFlow, config_of, exported_functions
from backend.models.partner_flow.conditions import NAME, PartnerFlowConditions

__all__ = ["PartnerFlow", "config_of", "exported_functions", "load"]


class PartnerFlow(PartnerFlowConditions, MotionFlow):
    """Motion flow beside a dancer.

    `initial_pasts` are in the leader's floor frame; `initial_leader_poses` (2, N, 29, 3) m are the leader's poses at
    their last frames, in the same floor frame.
    """

    name = NAME

    def __init__(self, config: MotionFlowConfig) -> None:
        super().__init__(config)
        self.initial_leader_poses = nn.Buffer(torch.zeros(2, INITIAL_PASTS, 29, 3))


load = PartnerFlow.load
