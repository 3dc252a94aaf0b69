"""Export a model's network to ONNX, for inference without torch.

python training/export.py backend/weights/partner-flow.safetensors --out partner-flow.onnx
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from backend.model_registry import REGISTRY
from backend.models.common.weights_file import read_metadata


@dataclass(frozen=True)
class ExportArguments:
    """Export a model's network to ONNX."""

    weights: Annotated[Path, tyro.conf.Positional]
    """The .safetensors file."""
    out: Path
    """The .onnx file."""


def main() -> int:
    """Run the command; 0 done, 2 bad input."""
    args = tyro.cli(ExportArguments)
    try:
        model = read_metadata(args.weights, [spec.name for spec in REGISTRY if spec.export])["model"]
        REGISTRY.get(model).import_export().export_onnx(args.weights, args.out)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    print(args.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
