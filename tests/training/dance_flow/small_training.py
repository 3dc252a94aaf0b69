"""A small training of dance-flow: its config, pairs of leaders and followers, and a network with their buffers."""

from dataclasses import replace

import numpy as np
import torch

from backend.models.dance_flow.network import DanceFlow
from rigs.motion import translate
from tests.backend.models.small_networks import SMALL
from tests.training.choreo_bridge.pairs import pairs
from training.dance_flow.dataset import DanceFlowTrainingConfig, DanceFlowWindows
from training.dance_flow.task import set_buffers
from training.data.music_pairs import Pair
from training.experiment.config import CONFIGS, read_config

CONFIG = CONFIGS / "dance-flow.toml"


def small_config() -> DanceFlowTrainingConfig:
    return replace(read_config(CONFIG, DanceFlowTrainingConfig)[1], batch_size=16, steps=100, speeds=[1.0])


def couple_pairs() -> list[Pair]:
    """Pairs of two leaders and two followers, who stand 20 cm higher."""
    couples = []
    for n, pair in enumerate(pairs(4)):
        raised = translate(pair.dancer, np.array([0.0, 0.0, 0.2 * (n % 2)]))
        couples.append(replace(pair, name=f"{pair.name}_{('leader', 'follower')[n % 2]}", dancer=raised))
    return couples


def network_with_buffers(couples: list[Pair]) -> DanceFlow:
    torch.manual_seed(0)
    network = DanceFlow(SMALL)
    set_buffers(network, DanceFlowWindows(couples, SMALL, small_config()), couples, statistics=True)
    return network
