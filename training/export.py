"""Export a model's network to ONNX graphs, for inference without torch.

python training/export.py backend/weights/partner-flow.safetensors --out backend/weights

Each exported function becomes a graph MODEL.FUNCTION.onnx without weights: its initializers are those of the weight
file, by name, and are bound to it when both are loaded. So a graph fits all weights of a network of the same shape.
"""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro
from torch import nn

from backend.model_registry import REGISTRY
from backend.models.common.exported_function import ExportedFunction
from backend.models.common.runtime import graph_path, manifest_path
from backend.models.common.weights_file import read_metadata
from rigs.files.atomic_write import atomic_path, atomic_write_text

_MODULE_PREFIX = "network."
"""Of the network's tensors in `_FunctionModule`."""
_MAX_SIZE = 1 << 20
"""Of a dynamic axis."""
_UNBOUND_BYTES = 65_536
"""Bytes of numbers that a graph may hold itself: constants, and buffers that are not in the weight file."""


@dataclass(frozen=True)
class ExportArguments:
    """Export a model's network to ONNX graphs."""

    weights: Annotated[Path, tyro.conf.Positional]
    """The .safetensors file."""
    out: Path | None = None
    """The folder; by default that of the weights."""


def export_graphs(weights: Path, out: Path) -> list[Path]:
    """Export the functions of a weight file's network to a folder, each whole or not at all. Raises ValueError."""
    model = read_metadata(weights, [spec.name for spec in REGISTRY if spec.network])["model"]
    module = REGISTRY.get(model).import_network()
    network = module.load(weights)
    functions = module.exported_functions(network)
    paths = {name: graph_path(out, model, name) for name in functions}
    prefix = getattr(module, "WEIGHTS_PREFIX", "")
    bound = {name: export_function(network, function, paths[name], prefix) for name, function in functions.items()}
    shapes = {f"{prefix}{name}": list(tensor.shape) for name, tensor in network.state_dict().items()}
    manifest = {"config": module.config_of(network), "prefix": prefix, "tensors": shapes, "weights": bound}
    atomic_write_text(manifest_path(out, model), json.dumps(manifest) + "\n")
    return [*paths.values(), manifest_path(out, model)]


def export_function(network: nn.Module, function: ExportedFunction, path: Path, prefix: str) -> list[str]:
    """Export a function of a network to a graph without the network's weights; the names of those it is bound to.

    prefix: of the weights' names in the weight file.
    """
    import onnx
    import torch

    dynamic = {
        name: {axis: torch.export.Dim(size, min=1, max=_MAX_SIZE) for axis, size in function.dynamic_axes(name).items()}
        for name in function.inputs
    }
    program = torch.onnx.export(
        _FunctionModule(network, function.function).eval(),
        tuple(function.inputs.values()),
        input_names=list(function.inputs),
        output_names=list(function.outputs),
        dynamic_shapes=(tuple(dynamic.values()),),
        dynamo=True,
        optimize=False,  # it would fold weights into constants
        verbose=False,
    )
    assert program is not None
    graph = program.model_proto
    bound = _unbind_weights(graph, network.state_dict(), prefix)
    with atomic_path(path) as temporary:
        onnx.save(graph, temporary)
    return bound


class _FunctionModule(nn.Module):
    """A function of a network as a module of its own, which is what torch exports."""

    def __init__(self, network: nn.Module, function: Callable[..., Any]) -> None:
        super().__init__()
        self.network = network
        self._function = function

    def forward(self, *inputs: Any) -> Any:
        """Call the function."""
        return self._function(*inputs)


def _unbind_weights(model: Any, tensors: Mapping[str, Any], prefix: str) -> list[str]:
    """Remove the weights' numbers from a graph, and what torch wrote into it for debugging; the weights' names."""
    from onnx import TensorProto

    graph, renamed, unbound = model.graph, {}, 0
    for initializer in graph.initializer:
        if initializer.name.removeprefix(_MODULE_PREFIX) not in tensors:
            unbound += len(initializer.raw_data)
            continue
        name = prefix + initializer.name.removeprefix(_MODULE_PREFIX)
        renamed[initializer.name] = name
        initializer.CopyFrom(TensorProto(name=name, dims=initializer.dims, data_type=initializer.data_type))
        initializer.data_location = TensorProto.EXTERNAL
        location = initializer.external_data.add()
        location.key, location.value = "location", "weights"
    if unbound > _UNBOUND_BYTES:
        raise ValueError(f"{unbound} bytes of numbers in a graph that are not in the weight file")
    for node in graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
        for index, name in enumerate(node.input):
            node.input[index] = renamed.get(name, name)
    graph.ClearField("value_info")
    return sorted(renamed.values())


def main() -> int:
    """Run the command; 0 done, 2 bad input."""
    args = tyro.cli(ExportArguments)
    try:
        paths = export_graphs(args.weights, args.out or args.weights.parent)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    for path in paths:
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
