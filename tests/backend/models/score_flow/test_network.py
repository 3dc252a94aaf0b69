"""Weight files of score-flow."""

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from backend.model_registry import WEIGHTS
from backend.models.common.runtime import OnnxNetwork, load_network
from backend.models.common.weights_file import save_weights
from backend.models.score_flow.conditions import NAME
from backend.models.score_flow.legacy_names import LEGACY_KEYS
from backend.models.score_flow.network.flow import load, save
from backend.models.score_flow.trained import TrainedScoreFlow
from tests.backend.models.score_flow.conftest import SMALL


def test_weights_survive_a_round_trip(weights: Path) -> None:
    network = load(weights)
    assert network.config == SMALL
    other = weights.with_name("other.safetensors")
    save_weights(other, "partner-flow", {}, {"x": torch.zeros(1)})
    with pytest.raises(ValueError, match="score-flow"):
        load(other)


def test_ones_own_weights_of_the_shipped_shape_run_without_torch(tmp_path: Path) -> None:
    shipped, own = WEIGHTS / "score-flow.safetensors", tmp_path / "score-flow.safetensors"
    save(own, load(shipped))
    assert isinstance(load_network(NAME, own, "cpu"), OnnxNetwork)
    assert TrainedScoreFlow.load(own, "cpu").bar_seconds == TrainedScoreFlow.load(shipped, "cpu").bar_seconds


def test_a_weight_file_of_0_1_0_loads_under_todays_names(weights: Path, tmp_path: Path) -> None:
    with safe_open(weights, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    renamed = {new: old for old, new in LEGACY_KEYS.items() if old.count(".") < 2}
    old_names = {}
    for name, tensor in tensors.items():
        parts = name.replace("music_encoder.mlp", "share_music.layers").replace(
            "dance_encoder.out_mlp", "reader.gather"
        )
        parts = parts.replace("posterior", "tell").replace("decoder_in", "take")
        old_names[".".join(renamed.get(part, part) for part in parts.split("."))] = tensor
    vae = '{"drums": 4, "pitched": 8, "width": 16, "beat": 8}'
    config = f'{{"coder": {vae}, "width": 16, "layers": 1, "reader": 8, "shared": 8}}'
    save_file(old_names, tmp_path / "old.safetensors", metadata={"model": "score-flow", "config": config})
    network = load(tmp_path / "old.safetensors")
    assert network.config == SMALL
    expected = load(weights).state_dict()
    assert all(torch.equal(tensor, expected[name]) for name, tensor in network.state_dict().items())
