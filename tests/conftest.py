"""What every test may ask for: the corpus of real movement and music."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real mocap and music; without it a test is skipped, in CI it fails."""
    folder = Path(os.environ.get("PASDEDEUX_DATA", ROOT.parent / "shared" / "data"))
    if folder.is_dir():
        return folder
    reason = f"no corpus of real movement at {folder} (set PASDEDEUX_DATA)"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)
