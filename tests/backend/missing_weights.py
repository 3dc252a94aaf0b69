"""The shipped models, in a process where their weights are missing."""

from pathlib import Path

from backend import model_registry

model_registry.WEIGHTS = Path("nowhere")
REGISTRY = model_registry.REGISTRY
