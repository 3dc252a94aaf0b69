"""Skeletons, motion, file formats, retargeting and motion editing, on numpy alone so that it runs inside Blender."""

from typing import Any

import numpy.typing as npt

Array = npt.NDArray[Any]
"""A numpy array; each docstring gives its shape, units and frame."""
