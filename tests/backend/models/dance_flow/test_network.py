"""The leader features of dance-flow, and the weights that it refuses."""

from pathlib import Path

import numpy as np
import pytest
import torch

from backend.models.dance_flow.conditions import music_leader
from backend.models.dance_flow.network import DanceFlow
from backend.models.motion_flow.features import floor_frame_at
from backend.music.music_features import MUSIC_DIM
from tests.backend.models.small_networks import SMALL, small_partner_flow


def test_home_is_in_the_floor_frame_of_the_dancer() -> None:
    """A dancer 2 m to the left of home who faces +X has it 2 m to the right."""
    leader = music_leader(torch.zeros(5, MUSIC_DIM), torch.tensor([0.0, 0.0]))[None]
    frames = [floor_frame_at(torch.tensor([0.0, 2.0, 1.0]), torch.tensor(angle)) for angle in (0.0, np.pi / 2.0)]
    ahead, turned = (DanceFlow(SMALL).leader_features(frame, leader)[0, :, MUSIC_DIM:] for frame in frames)
    assert ahead.shape == (4, 2)
    assert torch.allclose(ahead, torch.tensor([0.0, -2.0]).expand(4, 2), atol=1e-5)
    assert torch.allclose(turned.norm(dim=-1), torch.tensor(2.0), atol=1e-5)
    assert torch.allclose(turned[:, 1], torch.tensor(0.0), atol=1e-5)


def test_the_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    small_partner_flow().save(tmp_path / "partner.safetensors")
    with pytest.raises(ValueError, match="weights of dance-flow expected, those of partner-flow found"):
        DanceFlow.load(tmp_path / "partner.safetensors")
