"""Export of the partner flow's network to ONNX, for inference without torch.

Inputs and output are those of `PartnerFlow.forward`, with a dynamic batch size; the Euler steps of flow matching and
classifier-free guidance are left to whoever runs it.
"""

from dataclasses import asdict
from pathlib import Path

import onnx
import torch
from torch import Tensor

from backend.models.motion_flow.features import JOINTS_DIM, PARTNER_DIM, PAST_DIM
from backend.models.motion_flow.network import TARGET_DIM
from backend.models.partner_flow.network import NAME, PartnerFlow
from rigs.files.atomic_write import atomic_path

INPUT_NAMES = ("noisy", "t", "past", "leader", "role", "leader_mask", "target_pose", "energy")
OUTPUT_NAME = "clean"
"""Names in the ONNX file."""


def export_onnx(weights: Path, out: Path) -> None:
    """Export the network of a weights file to ONNX, whole or not at all. Raises ValueError."""
    network = PartnerFlow.load(weights)
    batch = torch.export.Dim("batch", min=1, max=4096)
    program = torch.onnx.export(
        network,
        example_inputs(network, 3),
        input_names=INPUT_NAMES,
        output_names=(OUTPUT_NAME,),
        dynamic_shapes=tuple({0: batch} for _ in INPUT_NAMES),
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    onnx.helper.set_model_props(model, {"model": NAME, **{k: str(v) for k, v in asdict(network.config).items()}})
    with atomic_path(out) as temporary:
        onnx.save(model, temporary)


def example_inputs(network: PartnerFlow, size: int) -> tuple[Tensor, ...]:
    """Random inputs of `forward` for a batch of `size` windows."""
    config = network.config
    return (
        torch.randn(size, config.block, PARTNER_DIM),
        torch.rand(size),
        torch.randn(size, config.history, PAST_DIM),
        torch.randn(size, config.leader_blocks * config.block, JOINTS_DIM),
        torch.randint(0, 2, (size,)),
        torch.rand(size, config.leader_blocks) < 0.7,
        torch.randn(size, TARGET_DIM),
        torch.randn(size, 2),
    )
