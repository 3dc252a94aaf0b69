"""What a torch network exports: the functions that inference without torch calls, each with example inputs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor


@dataclass(frozen=True)
class ExportedFunction:
    """A function of a network that is exported as a graph of its own.

    function: takes the inputs in their order, returns a tensor or a tuple of them.  inputs: example inputs by name.
    outputs: names of what it returns.  dynamic: the axes of each input that have any size, and the name of that size;
    by default the first axis of every input is the batch.
    """

    function: Callable[..., Any]
    inputs: Mapping[str, Tensor]
    outputs: tuple[str, ...]
    dynamic: Mapping[str, Mapping[int, str]] = field(default_factory=dict)

    def dynamic_axes(self, name: str) -> Mapping[int, str]:
        """The axes of an input that have any size, and the name of that size."""
        return self.dynamic.get(name, {0: "batch"})
