"""A folder of sound recordings, into which tests put their faults."""

from pathlib import Path

import pytest

from tests.training.data.duet_files import couple, write_duet


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three sound recordings: a, b and c."""
    folder = tmp_path / "duets"
    folder.mkdir()
    for take, name in enumerate("abc"):
        write_duet(folder, name, couple(take))
    return folder
