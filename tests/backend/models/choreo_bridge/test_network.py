"""choreo-bridge's network: its published sizes, its bounds and its weights file."""

from pathlib import Path

import numpy as np
import torch

from backend.models.choreo_bridge.network import ChoreoBridge, ChoreoBridgeConfig, load, save
from backend.models.choreo_bridge.trained import TrainedChoreoBridge
from backend.models.common.runtime import TORCH_CPU
from rigs.skeleton import DEFAULT_SKELETON


def test_the_networks_are_the_published_ones() -> None:
    network = ChoreoBridge(ChoreoBridgeConfig(joints=33))

    def sizes(layers: torch.nn.Module) -> list[tuple[int, int]]:
        return [(m.in_features, m.out_features) for m in layers.modules() if isinstance(m, torch.nn.Linear)]

    for modality, width in (("music", 4096), ("dance", 32 * 33 * 3)):
        vae, bridge = network.vae(modality), network.bridge(modality)
        assert sizes(vae.encoder) == [(width, 512), (512, 256), (256, 128)]
        assert sizes(vae.mean) == sizes(vae.log_variance) == [(128, 128)]
        assert sizes(vae.decoder) == [(128, 128), (128, 256), (256, 512), (512, width)]
        assert sizes(bridge.encoder) == [(128, 256), (256, 128)]
        assert sizes(bridge.mean) == [(128, 32)]
        assert sizes(bridge.decoder) == [(32, 128), (128, 256), (256, 128)]


def test_either_modality_translates_to_the_other_within_the_bounds_of_tanh() -> None:
    network = ChoreoBridge(ChoreoBridgeConfig())
    rolls, dance = 50.0 * torch.rand(2, 32, 128), 50.0 * torch.randn(2, 32, 29, 3)
    with torch.no_grad():
        translated = network.translate(rolls, "music", "dance")
        assert translated.shape == (2, 32, 29, 3)
        assert translated.abs().max() <= 1.25
        translated = network.translate(dance, "dance", "music")
        assert translated.shape == (2, 32, 128)
        assert translated.abs().max() <= 1.0
        assert network.reconstruct(dance, "dance").shape == dance.shape


def test_weights_come_back_in_half_precision(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = ChoreoBridge(ChoreoBridgeConfig(joints=5, latent=8, bridge=4))
    save(tmp_path / "bridge.safetensors", network, DEFAULT_SKELETON.offsets)
    assert [path.name for path in tmp_path.iterdir()] == ["bridge.safetensors"]
    again = load(tmp_path / "bridge.safetensors")
    assert again.config == network.config
    trained = TrainedChoreoBridge.load(tmp_path / "bridge.safetensors", TORCH_CPU)
    assert trained.joints == 5
    np.testing.assert_allclose(trained.body, DEFAULT_SKELETON.offsets, atol=1e-6)
    for name, tensor in network.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], tensor, rtol=1e-3, atol=1e-6)
