"""Bodies and their movement: numpy only, so that it runs inside Blender as it is."""

from typing import Any

import numpy.typing as npt

Array = npt.NDArray[Any]
"""A numpy array; each docstring gives its shape, units and frame."""
