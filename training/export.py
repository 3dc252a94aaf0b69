"""Export the partner flow's network to ONNX, for inference without torch.

    python training/export.py backend/weights/partner-flow.safetensors --out partner-flow.onnx

Inputs and output are those of `PartnerFlow.forward`, with a dynamic batch size; the Euler steps of flow matching and
classifier-free guidance are left to whoever runs it.
"""

import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import onnx
import torch
import tyro
from torch import Tensor

from backend.models.motion_flow.features import JOINTS_DIM, PARTNER_DIM, PAST_DIM
from backend.models.motion_flow.network import TARGET_DIM
from backend.models.partner_flow.network import NAME, PartnerFlow
from rigs.files import BadFile
from rigs.files.atomic_write import atomic_path

INPUT_NAMES = ("noisy", "t", "past", "leader", "role", "leader_mask", "target_pose", "energy")
OUTPUT_NAME = "clean"
"""Names in the ONNX file."""


@dataclass(frozen=True)
class ExportArguments:
    """Export a partner flow's network to ONNX."""

    weights: Annotated[Path, tyro.conf.Positional]
    """The .safetensors file."""
    out: Path
    """The .onnx file."""


def export_onnx(weights: Path, out: Path) -> None:
    """Export the network of a weights file to ONNX, whole or not at all. Raises BadFile."""
    try:
        network = PartnerFlow.load(weights)
    except ValueError as error:
        raise BadFile(str(error)) from None
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


def main() -> int:
    """Run the command; 0 done, 2 bad input."""
    args = tyro.cli(ExportArguments)
    try:
        export_onnx(args.weights, args.out)
    except BadFile as bad:
        print(bad, file=sys.stderr)
        return 2
    print(args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
