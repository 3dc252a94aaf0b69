"""A small untrained network and a dance for the tests of score-flow."""

from pathlib import Path

import pytest
import torch

from backend.models.score_flow.conditions import BarVAEConfig, ScoreFlowConfig
from backend.models.score_flow.network.flow import ScoreFlow, save
from rigs.motion import Motion
from rigs.sample_dance.salsa import sample_dance

SMALL = ScoreFlowConfig(BarVAEConfig(4, 8, width=16, beat=8), width=16, layers=1, dance_width=8, shared_dim=8)


@pytest.fixture(scope="package")
def dancer() -> Motion:
    return sample_dance()


@pytest.fixture(scope="package")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    network = ScoreFlow(SMALL)
    torch.nn.init.normal_(network.latent_out[1].weight, std=1.0)
    for vae in (network.vae.drums, network.vae.pitched):
        torch.nn.init.normal_(vae.decoder_in.weight, std=3.0)
    network.onset_thresholds.fill_(0.52)
    path = tmp_path_factory.mktemp("weights") / "score-flow.safetensors"
    save(path, network)
    return path
