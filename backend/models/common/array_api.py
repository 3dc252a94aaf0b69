"""Maths written once against the Python array API standard: numpy arrays in inference, torch tensors in training."""

from typing import Any

from array_api_compat import array_namespace as array_namespace
from array_api_compat import device

AnyArray = Any
"""A numpy array or a torch tensor; a function's inputs are all of one kind, and so is what it returns."""


def constant_like(values: Any, array: AnyArray) -> AnyArray:
    """Convert numbers or a numpy array to an array of another one's kind, data type and device."""
    return array_namespace(array).asarray(values, dtype=array.dtype, device=device(array))
