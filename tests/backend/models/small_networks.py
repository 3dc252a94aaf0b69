"""Small untrained motion flows whose dancers stand, for tests of what holds with any weights."""

from typing import TypeVar

import torch

from backend.models.dance_flow.network import DanceFlow
from backend.models.motion_flow.conditions import MotionFlowConfig
from backend.models.motion_flow.features import ROTATED_JOINTS
from backend.models.motion_flow.network import INITIAL_PASTS, MotionFlow
from backend.models.partner_flow.network import PartnerFlow
from rigs.skeleton import DEFAULT_SKELETON

SMALL = MotionFlowConfig(width=32, layers=1, heads=2)
Network = TypeVar("Network", bound=MotionFlow)


def small_partner_flow(config: MotionFlowConfig = SMALL) -> PartnerFlow:
    """A partner-flow with random outputs near 0."""
    return _standing(PartnerFlow, config)


def small_dance_flow(config: MotionFlowConfig = SMALL) -> DanceFlow:
    """A dance-flow with random outputs near 0, whose n-th initial past is of the count 8 n / N."""
    network = _standing(DanceFlow, config)
    network.initial_counts[:] = 8.0 * torch.arange(INITIAL_PASTS) / INITIAL_PASTS
    return network


def _standing(kind: type[Network], config: MotionFlowConfig) -> Network:
    torch.manual_seed(0)
    network = kind(config)
    torch.nn.init.normal_(network.out_proj.weight, std=0.02)
    network.bone_offsets[:] = torch.from_numpy(DEFAULT_SKELETON.offsets)
    network.initial_pasts[..., 2] = 0.95
    network.initial_pasts[..., 3:-4] = torch.tensor([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]).repeat(len(ROTATED_JOINTS))
    return network.eval()
