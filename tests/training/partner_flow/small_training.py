"""A small training of partner-flow: two duets, their windows, and a task."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from backend.models.motion_flow.conditions import MotionFlowConfig
from backend.models.partner_flow.network import PartnerFlow
from rigs import files
from rigs.motion import Motion, resample, rotate_about_z, translate
from rigs.sample_dance.salsa import sample_dance
from training.data.duets import Duet
from training.experiment.config import CONFIGS, read_config
from training.motion_flow.dataset import MotionFlowWindows
from training.partner_flow.dataset import duet_windows
from training.partner_flow.task import PartnerFlowTask, PartnerFlowTrainingConfig, set_buffers
from training.partner_flow.validation import PartnerFlowValidation

CONFIG = CONFIGS / "partner-flow.toml"
SMALL = MotionFlowConfig(width=48, layers=1, heads=2)


def small_duets() -> list[Duet]:
    leader = resample(sample_dance(), 30.0)
    follower: Motion = translate(rotate_about_z(leader, np.pi), np.array([0.0, -1.2, 0.0]))
    return [Duet(name, leader[:300], follower[:300]) for name in ("a", "b")]


def small_windows(duets: list[Duet]) -> MotionFlowWindows:
    _, config = read_config(CONFIG, PartnerFlowTrainingConfig)
    return duet_windows(duets, SMALL, replace(config, speeds=[1.0], steps=150, batch_size=16))


def small_task(duets: list[Duet], windows: MotionFlowWindows) -> PartnerFlowTask:
    torch.manual_seed(1)
    network = PartnerFlow(SMALL)
    set_buffers(network, windows, duets, statistics=True)
    assert isinstance(windows.config, PartnerFlowTrainingConfig)
    return PartnerFlowTask(network, windows.config, PartnerFlowValidation(duets, []))


def write_small_training(duets: list[Duet], folder: Path) -> Path:
    """Write a folder `duets`, and beside it the TOML file of a training of a few steps on it."""
    (folder / "duets").mkdir()
    for name in ("one", "salsa_10", "salsa_07"):
        for role in ("leader", "follower"):
            files.write(folder / "duets" / f"{name}_{role}.npz", getattr(duets[0], role))
    text = CONFIG.read_text().replace("steps = 8000", "steps = 4").replace("batch = 64", "batch = 4")
    config = folder / "config.toml"
    config.write_text(text + "\n[network]\nwidth = 16\nlayers = 1\nheads = 2\n")
    return config
