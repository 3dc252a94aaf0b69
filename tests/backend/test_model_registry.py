"""The model registry: the shipped models' weights, and that whatever lists or loads models reads it."""

import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.torch import save_file

from backend.client import Client, RequestRefused
from backend.model_registry import REGISTRY, WEIGHTS, WEIGHTS_VARIABLE, ModelRegistry, ModelSpec, weights_path
from rigs import files
from rigs.motion import Motion
from tests.backend.conftest import running
from tests.backend.throw_away_model import SPEC

REGISTERED = "import sys, runpy; from tests.backend.throw_away_model import register; register(); "
COMMAND = f"{REGISTERED} from backend.cli.main import main; sys.exit(main(sys.argv[1:]))"
TRAIN = f"{REGISTERED} sys.argv[0] = 'train.py'; runpy.run_path('training/train.py', run_name='__main__')"
CONFIG = '[data]\nvalidation = ["a"]\ntest = ["b"]\n'


def run(code: str, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Python code in a process in which the throw-away model is registered."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("model", REGISTRY.names())
def test_every_model_ships_weights_with_a_card(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(WEIGHTS_VARIABLE, raising=False)
    assert REGISTRY.get(model).weights == WEIGHTS / f"{model}.safetensors"
    assert weights_path(model).stat().st_size < 25e6
    card = weights_path(model).with_suffix(".md").read_text()
    assert all(part in card for part in ("## Data", "## Metrics", "## Limits", "Licence and credit"))


@pytest.mark.parametrize("spec", list(REGISTRY), ids=REGISTRY.names())
def test_every_import_path_leads_to_what_the_registry_says(spec: ModelSpec) -> None:
    module, _, name = spec.pipeline.partition(":")
    pipeline = getattr(import_module(module), name)
    assert all(callable(getattr(pipeline, task)) for task in spec.tasks)
    assert callable(spec.import_training().train)
    network = spec.import_network()
    assert all(callable(getattr(network, name)) for name in ("load", "config_of", "exported_functions"))
    assert not spec.evaluation or callable(spec.import_evaluation().evaluate)
    assert all(name in REGISTRY for name in spec.starts_from)


@pytest.mark.parametrize("spec", list(REGISTRY), ids=REGISTRY.names())
def test_weights_that_lack_a_tensor_are_refused(spec: ModelSpec, tmp_path: Path) -> None:
    with safe_open(spec.weights, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in list(file.keys())[1:]}
        save_file(tensors, tmp_path / "less.safetensors", metadata=file.metadata())
    with pytest.raises(ValueError, match=rf"less\.safetensors: weights of this version's {spec.name} expected, "):
        spec.load_pipeline("cpu", tmp_path / "less.safetensors")


def test_ones_own_weights_are_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path))
    assert weights_path("duet-vae") == WEIGHTS / "duet-vae.safetensors"
    (tmp_path / "duet-vae.safetensors").touch()
    assert weights_path("duet-vae") == tmp_path / "duet-vae.safetensors"


def test_a_missing_folder_of_weights_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(WEIGHTS_VARIABLE, str(tmp_path / "missing"))
    with pytest.raises(ValueError, match=r"missing: a folder with duet-vae.safetensors expected"):
        weights_path("duet-vae")


def test_the_first_registered_model_of_a_task_is_its_default() -> None:
    registry = ModelRegistry([SPEC, *REGISTRY])
    assert registry.default("partner") == "shadow"
    assert registry.default("dance") == REGISTRY.default("dance")
    assert registry.names("compose") == REGISTRY.names("compose")


def test_a_name_is_registered_once_unless_replaced() -> None:
    registry = ModelRegistry(REGISTRY)
    with pytest.raises(ValueError, match=r"^model duet-vae: a name that is not registered expected$"):
        registry.register(replace(SPEC, name="duet-vae"))
    registry.register(replace(SPEC, name="duet-vae"), replace=True)
    assert registry.get("duet-vae").label == "Shadow"
    assert registry.names() == REGISTRY.names()


@pytest.mark.parametrize("command", ["partner", "demo", "evaluate"])
def test_a_registered_model_is_listed_in_the_command_s_help(command: str) -> None:
    result = run(COMMAND, command, "--help")
    assert result.returncode == 0, result.stderr
    assert "shadow" in result.stdout
    assert "shadow" not in run(COMMAND, "compose", "--help").stdout


def test_a_registered_model_generates_partners(leader: Motion, tmp_path: Path) -> None:
    files.write(tmp_path / "leader.npz", leader)
    arguments = ["partner", tmp_path / "leader.npz", "-o", tmp_path / "p.npz", "--model", "shadow"]
    result = run(COMMAND, *arguments)
    assert result.returncode == 0, result.stderr
    partner = files.read(tmp_path / "p.npz").motions[0]
    np.testing.assert_allclose(partner.root, leader.root + np.array([1.0, 0.0, 0.0]), atol=1e-4)
    refusals = {
        ("--role", "lead"): "role: follow expected for shadow, lead found\n",
        ("--energy", "2"): "shadow takes no direction (energy): partner-flow expected\n",
    }
    for options, sentence in refusals.items():
        refused = run(COMMAND, *arguments, *options)
        assert (refused.returncode, refused.stderr) == (2, sentence)


def test_a_server_greets_with_its_registered_models_and_serves_them(leader: Motion) -> None:
    registry = "tests.backend.throw_away_model:REGISTERED"
    code = f"from backend.server import serve; serve('tcp://127.0.0.1:*', registry={registry!r})"
    with running(sys.executable, "-c", code) as backend:
        client = Client(backend.url)
        hello = client.hello()
        assert hello.models == (*REGISTRY.names("partner"), "shadow")
        assert (hello.dancers, hello.composers) == (REGISTRY.names("dance"), REGISTRY.names("compose"))
        (partner,) = client.partner(leader, model="shadow")
        np.testing.assert_allclose(partner.root, leader.root + np.array([1.0, 0.0, 0.0]), atol=1e-4)
        with pytest.raises(RequestRefused, match=r"^role: follow expected for shadow, lead found$"):
            client.partner(leader, model="shadow", role="lead")


def test_choices_are_the_items_of_the_add_on_s_menus() -> None:
    registry = ModelRegistry([*REGISTRY, SPEC])
    assert registry.choices("partner")[-1] == ("shadow", "Shadow", "Copies the leader one metre to the side")
    assert [name for name, _, _ in registry.choices("dance")] == list(REGISTRY.names("dance"))


def test_a_registered_model_is_trained(tmp_path: Path) -> None:
    assert "shadow" in run(TRAIN, "--help").stdout
    (tmp_path / "config.toml").write_text(CONFIG)
    options = ["--data", tmp_path, "--out", tmp_path / "run", "--config", tmp_path / "config.toml"]
    result = run(TRAIN, "shadow", *options)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "run" / "shadow.safetensors").exists()


def test_a_registered_model_is_evaluated(tmp_path: Path) -> None:
    result = run(COMMAND, "evaluate", "--data", tmp_path, "--model", "shadow", "--part", "test")
    assert (result.returncode, result.stdout) == (0, f"shadow on test of {tmp_path}\n"), result.stderr
