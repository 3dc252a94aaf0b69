"""The runtime of trained networks: ONNX Runtime on the CPU, torch on a GPU. Both take and return numpy arrays.

A network's numbers are in its weight file; its exported functions are graphs without weights, which lie beside that
file or, for a network of the shipped shape, with the shipped one. They are bound to each other when they are loaded,
so the weights of a training run in the same way as the shipped ones. `training/export.py` writes the graphs.
"""

import json
import os
from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from backend.model_registry import REGISTRY, WEIGHTS
from backend.models.common.weights_file import open_weights, wrong_version
from rigs import Array

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

TORCH_CPU = "torch-cpu"
"""The accelerator's name for torch on the CPU: the reference for ONNX Runtime."""
_ERRORS_ONLY = 3
"""ONNX Runtime's log level: it warns of what it does not optimize."""
_MAX_THREADS = 4
"""Threads of a matrix product: these are small, and Blender and other requests need processors too."""


class TrainedNetwork(Protocol):
    """A network with its weights."""

    @property
    def config(self) -> Mapping[str, Any]:
        """The network's shape, as in the weight file."""

    @property
    def tensors(self) -> Mapping[str, Array]:
        """The weight file's tensors, in float32."""

    def run(self, function: str, *inputs: Array) -> tuple[Array, ...]:
        """Call an exported function of the network with its inputs, and return its outputs."""


def load_network(
    model: str,
    weights: Path,
    accelerator: str,
    *,
    legacy_keys: Mapping[str, str] = {},
    legacy_config: Mapping[str, str] = {},
    threads: int = _MAX_THREADS,
) -> TrainedNetwork:
    """Load a model's network from a weight file, for an accelerator: "auto", "cpu", or the name of a torch device.

    legacy_keys, legacy_config: see `open_weights`.  threads: of ONNX Runtime at most.
    Raises ValueError for another file, for a damaged graph, for a network without graphs where there is no torch, and
    for an accelerator that is not there.
    """
    device = choose_device(accelerator)
    with open_weights(weights, model, legacy_keys=legacy_keys, legacy_config=legacy_config) as (config, tensors):
        tensors = {name: _in_float32(values) for name, values in tensors.items()}
    if not device:
        try:
            for folder in (weights.parent, WEIGHTS):
                if network := OnnxNetwork.open(model, folder, config, tensors, threads):
                    return network
        except WrongTensors:
            raise wrong_version(weights, model) from None
        if not find_spec("torch"):
            raise ValueError(f"{weights}: graphs of its shape expected beside it, as training/export.py writes them")
    return TorchNetwork(REGISTRY.get(model).import_network().load(weights).to(device or "cpu"), tensors)


def choose_device(accelerator: str) -> str:
    """The torch device of an accelerator's name; "" for ONNX Runtime. Raises ValueError if there is none."""
    if accelerator == "cpu" or (accelerator == "auto" and not find_spec("torch")):
        return ""
    if not find_spec("torch"):
        raise ValueError(f"accelerator: cpu or auto expected without torch, {accelerator} found")
    import torch

    if accelerator == "auto":
        return "cuda" if torch.cuda.is_available() else ""
    if accelerator == TORCH_CPU:
        torch.set_num_threads(1)  # frames and blocks depend on each other and are too small for more threads
        return "cpu"
    try:
        torch.empty(1, device=accelerator)
    except (AssertionError, RuntimeError, NotImplementedError):
        raise ValueError(f"accelerator: auto, cpu or a GPU of this machine expected, {accelerator} found") from None
    return accelerator


def graph_path(folder: Path, model: str, function: str) -> Path:
    """The path of an exported function's graph."""
    return folder / f"{model}.{function}.onnx"


def manifest_path(folder: Path, model: str) -> Path:
    """The path of the JSON file that lists a model's graphs.

    "config": the shape of the network.  "prefix": what the names of its tensors begin with in the weight file.
    "tensors": the shape of each of them.  "weights": for each exported function those that its graph is bound to.
    """
    return folder / f"{model}.graphs.json"


class WrongTensors(Exception):
    """The tensors of a weight file are not those of its network."""


class OnnxNetwork:
    """A network on the CPU, without torch: a session of ONNX Runtime for each exported function."""

    def __init__(
        self, config: Mapping[str, Any], tensors: Mapping[str, Array], sessions: Mapping[str, "InferenceSession"]
    ) -> None:
        self.config, self.tensors, self._sessions = config, tensors, sessions

    @classmethod
    def open(
        cls, model: str, folder: Path, config: Mapping[str, Any], tensors: Mapping[str, Array], threads: int
    ) -> Self | None:
        """Open a model's graphs in a folder with these weights; None without graphs of a network of this shape.

        Raises ValueError for a damaged graph, WrongTensors for weights that lack some or have others.
        """
        manifest = manifest_path(folder, model)
        if not manifest.exists():
            return None
        contents = json.loads(manifest.read_text())
        if contents["config"] != config:
            return None
        prefix = contents["prefix"]
        if contents["tensors"] != {n: list(values.shape) for n, values in tensors.items() if n.startswith(prefix)}:
            raise WrongTensors
        return cls(
            config,
            tensors,
            {
                function: _open_session(
                    graph_path(folder, model, function), {name: tensors[name] for name in weights}, threads
                )
                for function, weights in contents["weights"].items()
            },
        )

    def run(self, function: str, *inputs: Array) -> tuple[Array, ...]:
        """Call an exported function, see `TrainedNetwork`."""
        session = self._sessions[function]
        names = [argument.name for argument in session.get_inputs()]
        return tuple(session.run(None, dict(zip(names, inputs, strict=True))))


class TorchNetwork:
    """A torch module on its device: the functions that it exports, called with numpy arrays."""

    def __init__(self, network: Any, tensors: Mapping[str, Array] | None = None) -> None:
        """tensors: of the weight file; by default the network's own."""
        module = import_module(type(network).__module__)
        self.config: Mapping[str, Any] = module.config_of(network)
        self.tensors: Mapping[str, Array] = tensors or {n: t.cpu().numpy() for n, t in network.state_dict().items()}
        self._functions = module.exported_functions(network)
        self._device = next(network.parameters()).device

    def run(self, function: str, *inputs: Array) -> tuple[Array, ...]:
        """Call an exported function, see `TrainedNetwork`."""
        import torch

        with torch.inference_mode():
            tensors = [torch.from_numpy(np.ascontiguousarray(values)).to(self._device) for values in inputs]
            outputs = self._functions[function].function(*tensors)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        return tuple(output.cpu().numpy() for output in outputs)


def _open_session(path: Path, weights: Mapping[str, Array], threads: int) -> "InferenceSession":
    """A session of ONNX Runtime of a graph that is bound to its weights."""
    from onnxruntime import InferenceSession, OrtValue, SessionOptions

    options = SessionOptions()
    options.log_severity_level = _ERRORS_ONLY
    options.intra_op_num_threads = min(threads, os.cpu_count() or 1)
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # which costs time where others work
    values = [OrtValue.ortvalue_from_numpy(values) for values in weights.values()]
    options.add_external_initializers(list(weights), values)
    try:
        return InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's have no common base
        raise ValueError(f"{path}: a graph of these weights expected ({str(error).splitlines()[0]})") from None


def _in_float32(values: Array) -> Array:
    """Floating-point numbers in single precision; others as they are."""
    return np.asarray(values, np.float32, order="C") if values.dtype.kind == "f" else values
