"""Which weights a model gets."""

from pathlib import Path

import pytest

from backend.model_registry import REGISTRY, WEIGHTS, WEIGHTS_VARIABLE, weights_path


@pytest.mark.parametrize("model", REGISTRY.names())
def test_every_model_ships_weights_with_a_card(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(WEIGHTS_VARIABLE, raising=False)
    assert weights_path(model) == WEIGHTS / f"{model}.safetensors"
    assert weights_path(model).stat().st_size < 25e6
    card = weights_path(model).with_suffix(".md").read_text()
    assert all(part in card for part in ("## Data", "## Metrics", "## Limits", "Licence and credit"))


def test_weights_of_ones_own_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path))
    assert weights_path("duet-vae") == WEIGHTS / "duet-vae.safetensors"
    (tmp_path / "duet-vae.safetensors").touch()
    assert weights_path("duet-vae") == tmp_path / "duet-vae.safetensors"


def test_a_folder_that_is_none_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path / "missing"))
    with pytest.raises(ValueError, match=r"missing: a folder with duet-vae.safetensors expected"):
        weights_path("duet-vae")
