"""The model registry: each model's name, tasks, abilities and weights, and how its pipeline and training are imported.

The engine, the command, the server's hello, the add-on's menus, `train.py` and `evaluate.py` all read `REGISTRY`. A
model's modules are named by import path and imported when they are needed, so that importing this one costs nothing.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

Task = Literal["partner", "dance", "compose"]
"""What a request can ask for: a partner for a leader, a dance to music, music for a dance."""
WEIGHTS = Path(__file__).resolve().parent / "weights"
REGISTRY_PATH = "backend.model_registry:REGISTRY"
"""The import path of the registry of the models that are shipped."""
WEIGHTS_VARIABLE = "PASDEDEUX_WEIGHTS"
"""The environment variable with a folder, such as a training run's, whose weights are preferred to the shipped ones."""


@dataclass(frozen=True)
class ModelSpec:
    """A model: what it is called, what it can do, and where its code is.

    name: as in commands, on the wire and in file names.  label: its name in menus.
    tasks: the tasks that it does, each with one line for people on how it does it.
    pipeline: "module:Class", constructed with (weights: Path, accelerator: str); it has a method for each of its tasks:
    `partner(request, progress, cancelled, preview)`, `dance(request, progress, cancelled)` and
    `compose(request, progress, cancelled)`.
    roles: what the partner that it generates can do.  direction: whether it takes a `Direction`.
    previews: whether it shows frames before the result.
    published: whether it reproduces a published method, as a baseline for the others.
    training: module with `train(data, out, config, *, resume, **options)`; "" for a model that cannot be trained here.
    network: module of the torch network, with `load(weights)`, `config_of(network)` and `exported_functions(network)`;
    "" for a model that runs in some way of its own.
    learns_from: the recordings that it is trained and evaluated on: pairs of dancers, or dances with their music.
    starts_from: the models whose weights a training may start from.
    learns_from_midi: whether training takes a folder of MIDI files on top.
    evaluation: module with `evaluate(data, *, json, parts)`; "" for one that is measured as every partner model is.
    """

    name: str
    label: str
    tasks: Mapping[Task, str]
    pipeline: str
    roles: tuple[str, ...] = ("follow", "lead")
    direction: bool = False
    previews: bool = False
    published: bool = False
    training: str = ""
    network: str = ""
    learns_from: Literal["duets", "music pairs"] = "duets"
    starts_from: tuple[str, ...] = ()
    learns_from_midi: bool = False
    evaluation: str = ""

    @property
    def weights(self) -> Path:
        """The model's weights file; see `weights_path`."""
        return weights_path(self.name)

    def load_pipeline(self, accelerator: str, weights: Path | None = None) -> Any:
        """Construct the pipeline with weights, by default the model's own. Raises what its constructor raises."""
        module, _, name = self.pipeline.partition(":")
        return getattr(import_module(module), name)(weights or self.weights, accelerator)

    def import_training(self) -> ModuleType:
        """The module with `train`."""
        return import_module(self.training)

    def import_network(self) -> ModuleType:
        """The module of the torch network."""
        return import_module(self.network)

    def import_evaluation(self) -> ModuleType:
        """The module with `evaluate`."""
        return import_module(self.evaluation)


class ModelRegistry:
    """The known models, in the order in which they were registered: the first of a task is the task's default."""

    def __init__(self, specs: Iterable[ModelSpec] = ()) -> None:
        self._specs: dict[str, ModelSpec] = {}
        for spec in specs:
            self.register(spec)

    def __iter__(self) -> Iterator[ModelSpec]:
        return iter(self._specs.values())

    def __contains__(self, name: object) -> bool:
        return name in self._specs

    def register(self, spec: ModelSpec, *, replace: bool = False) -> None:
        """Add a model, or with `replace` put it in place of the one of its name. Raises ValueError for a known name."""
        if spec.name in self._specs and not replace:
            raise ValueError(f"model {spec.name}: a name that is not registered expected")
        self._specs[spec.name] = spec

    def get(self, name: str, task: Task | None = None) -> ModelSpec:
        """The model of this name. Raises ValueError if there is none, or if it does not do the task."""
        names = self.names(task)
        if name not in names:
            reason = f"not a model for {task}" if name in self else "no such model"
            raise ValueError(f"model {name}: {reason}, one of {', '.join(names)} expected")
        return self._specs[name]

    def default(self, task: Task) -> str:
        """The name of the model that does a task when none is named."""
        return self.names(task)[0]

    def names(self, task: Task | None = None) -> tuple[str, ...]:
        """The names of all models, or of those that do a task."""
        return tuple(spec.name for spec in self if task is None or task in spec.tasks)

    def trainable(self) -> tuple[str, ...]:
        """The names of the models that can be trained here."""
        return tuple(spec.name for spec in self if spec.training)

    def choices(self, task: Task) -> list[tuple[str, str, str]]:
        """The name, label and description of each model that does a task, as Blender's EnumProperty takes its items."""
        return [(spec.name, spec.label, spec.tasks[task]) for spec in self if task in spec.tasks]


def weights_path(model: str) -> Path:
    """The weights file of a model: that in the folder PASDEDEUX_WEIGHTS if there is one, else the shipped one.

    Raises ValueError if PASDEDEUX_WEIGHTS is no folder.
    """
    name = f"{model}.safetensors"
    folder = os.environ.get(WEIGHTS_VARIABLE)
    if folder and not Path(folder).is_dir():
        raise ValueError(f"{WEIGHTS_VARIABLE}={folder}: a folder with {name} expected")
    return Path(folder, name) if folder and Path(folder, name).exists() else WEIGHTS / name


def import_registry(path: str) -> ModelRegistry:
    """The model registry at an import path, "module:NAME". Raises ValueError if there is none."""
    module, _, name = path.partition(":")
    try:
        registry = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise ValueError(f"{path}: a registry of models as module:NAME expected ({error})") from None
    if not isinstance(registry, ModelRegistry):
        raise ValueError(f"{path}: a registry of models expected")
    return registry


REGISTRY = ModelRegistry(
    (
        ModelSpec(
            name="partner-flow",
            label="Partner Flow",
            tasks={"partner": "Flow matching, trained on salsa couples; generates eight frames at once"},
            pipeline="backend.models.partner_flow.pipeline:PartnerFlowPipeline",
            network="backend.models.partner_flow.network",
            direction=True,
            previews=True,
            training="training.partner_flow.task",
            starts_from=("partner-flow",),
        ),
        ModelSpec(
            name="duet-vae",
            label="Duet VAE",
            tasks={"partner": "Published method of three VAEs, trained on salsa couples; generates frame by frame"},
            pipeline="backend.models.duet_vae.pipeline:DuetVaePipeline",
            network="backend.models.duet_vae.network",
            published=True,
            training="training.duet_vae.task",
        ),
        ModelSpec(
            name="dance-flow",
            label="Dance Flow",
            tasks={"dance": "Flow matching, trained on dances with music; steps on the beat"},
            pipeline="backend.models.dance_flow.pipeline:DanceFlowPipeline",
            network="backend.models.dance_flow.network",
            training="training.dance_flow.task",
            learns_from="music pairs",
            starts_from=("dance-flow", "partner-flow"),
            evaluation="training.dance_flow.evaluate",
        ),
        ModelSpec(
            name="score-flow",
            label="Score Flow",
            tasks={"compose": "Flow matching on bars of music; plays in time with the steps"},
            pipeline="backend.models.score_flow.pipeline:ScoreFlowPipeline",
            network="backend.models.score_flow.network.flow",
            training="training.score_flow.task",
            learns_from="music pairs",
            learns_from_midi=True,
            evaluation="training.score_flow.evaluate",
        ),
        ModelSpec(
            name="choreo-bridge",
            label="Choreo Bridge",
            tasks={
                "dance": "Published method that translates music to movement, for comparison",
                "compose": "Published method that translates movement to music, for comparison",
            },
            pipeline="backend.models.choreo_bridge.pipeline:ChoreoBridgePipeline",
            network="backend.models.choreo_bridge.network",
            published=True,
            training="training.choreo_bridge.task",
            learns_from="music pairs",
            evaluation="training.choreo_bridge.evaluate",
        ),
    )
)
"""The models that are shipped."""
