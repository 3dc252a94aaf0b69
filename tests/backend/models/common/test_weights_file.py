"""Weight files: what is written is read, another model's is refused, earlier versions' names become today's."""

from pathlib import Path

import numpy as np
import pytest
import torch

from backend.models.common.weights_file import open_weights, rename_keys, save_weights

CONFIG = {"width": 8, "coder": {"over": 2}}
TENSORS = {"layers.0.look.bias": torch.arange(3.0), "looker.weight": torch.ones(2, 2)}


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "some-flow.safetensors"
    save_weights(path, "some-flow", CONFIG, TENSORS)
    return path


def test_a_file_gives_back_configuration_and_tensors_and_others_may_read_it(weights: Path) -> None:
    with open_weights(weights, "some-flow") as (config, tensors):
        pass
    assert config == CONFIG
    assert {name: tensor.tolist() for name, tensor in tensors.items()} == {n: t.tolist() for n, t in TENSORS.items()}
    assert weights.stat().st_mode & 0o777 == 0o644
    assert list(weights.parent.iterdir()) == [weights]


def test_tensors_keep_their_shapes(tmp_path: Path) -> None:
    shapes = {"number": (), "row": (1,), "table": (3, 2)}
    tensors = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    tensors["table"] = np.arange(6.0).reshape(2, 3).T  # not contiguous
    save_weights(tmp_path / "some.safetensors", "some", {}, tensors)
    with open_weights(tmp_path / "some.safetensors", "some") as (_, read):
        assert {name: values.shape for name, values in read.items()} == shapes
        assert read["table"].tolist() == tensors["table"].tolist()


def test_the_weights_of_another_model_are_refused_by_name(weights: Path) -> None:
    sentence = "weights of other-flow expected, those of some-flow found"
    with pytest.raises(ValueError, match=sentence), open_weights(weights, "other-flow"):
        pass


@pytest.mark.parametrize("content", [None, b"", b"weights", bytes(range(256)) * 8])
def test_what_is_no_weight_file_is_refused(weights: Path, content: bytes | None) -> None:
    path = weights.parent if content is None else weights
    if content is not None:
        weights.write_bytes(content)
    sentence = "a .safetensors file with weights of some-flow expected"
    with pytest.raises(ValueError, match=sentence), open_weights(path, "some-flow"):
        pass


def test_weights_that_do_not_fit_the_network_are_of_another_version(weights: Path) -> None:
    sentence = "weights of this version's some-flow expected, those of another version found"
    with pytest.raises(ValueError, match=sentence), open_weights(weights, "some-flow") as (_, tensors):
        torch.nn.Linear(3, 3).load_state_dict(tensors)


def test_names_of_earlier_versions_become_todays(weights: Path) -> None:
    keys, fields = {"look": "qkv"}, {"over": "blend"}
    with open_weights(weights, "some-flow", legacy_keys=keys, legacy_config=fields) as (config, tensors):
        pass
    assert config == {"width": 8, "coder": {"blend": 2}}
    assert sorted(tensors) == ["layers.0.qkv.bias", "looker.weight"]


@pytest.mark.parametrize(
    ("key", "renamed"),
    [
        ("look", "qkv"),
        ("look.bias", "qkv.bias"),
        ("coders.drums.look.bias", "drums.attention.bias"),
        ("coders.pitched.look.bias", "coders.pitched.qkv.bias"),
        ("a.look.b.gather", "a.qkv.b.look_out"),
        ("overlook.look_at", "overlook.look_at"),
    ],
)
def test_only_whole_parts_are_renamed_once_and_the_longest_name_wins(key: str, renamed: str) -> None:
    names = {"look": "qkv", "coders.drums.look": "drums.attention", "gather": "look_out"}
    assert list(rename_keys({key: torch.zeros(1)}, names)) == [renamed]
