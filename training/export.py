"""The partner flow's network as ONNX, for where there is no torch.

    python training/export.py backend/weights/partner-flow.safetensors --out partner-flow.onnx

Inputs and output are those of `PartnerFlow.forward`, for any number of windows; whoever runs it draws the steps.
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

INPUTS = ("noisy", "t", "past", "leader", "role", "heard", "goal", "energy")
OUTPUT = "clean"


@dataclass(frozen=True)
class Export:
    """Write a partner flow's network as ONNX."""

    weights: Annotated[Path, tyro.conf.Positional]
    """The .safetensors file."""
    out: Path
    """The .onnx file."""


def export(weights: Path, out: Path) -> None:
    """Write the network of a weights file as ONNX, whole or not at all. Raises BadFile."""
    if not weights.is_file():
        raise BadFile(f"{weights}: no such file")
    try:
        network = PartnerFlow.load(weights)
    except ValueError as error:
        raise BadFile(str(error)) from None
    batch = torch.export.Dim("batch", min=1, max=4096)
    program = torch.onnx.export(
        network,
        example(network, 3),
        input_names=INPUTS,
        output_names=(OUTPUT,),
        dynamic_shapes=tuple({0: batch} for _ in INPUTS),
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    onnx.helper.set_model_props(model, {"model": NAME, **{k: str(v) for k, v in asdict(network.config).items()}})
    with atomic_path(out) as temporary:
        onnx.save(model, temporary)


def example(network: PartnerFlow, size: int) -> tuple[Tensor, ...]:
    """Inputs of `forward` for so many windows, at random."""
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
    asked = tyro.cli(Export)
    try:
        export(asked.weights, asked.out)
    except BadFile as bad:
        print(bad, file=sys.stderr)
        return 2
    print(asked.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
