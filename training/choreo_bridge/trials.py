"""One trial of a sweep over the choreographic bridge: a short training, and how good it is on the validation pairs."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from backend.models.choreo_bridge.network import BridgeConfig, ChoreoBridge
from backend.models.common.world_frame import chosen
from rigs.files import BadFile
from training.choreo_bridge.dataset import Batch, PairWindows, pair_windows
from training.choreo_bridge.evaluate import mean_windows, relative_error, table_of
from training.choreo_bridge.task import ChoreoBridgeTrainingConfig, batches, step_terms
from training.data.music_pairs import find_pairs, split_pairs
from training.experiment.config import read_config


class Trials:
    """A folder of pairs and a plan, of which each trial changes some settings. Raises BadFile."""

    def __init__(self, data: Path, config: Path) -> None:
        self.tables, _ = read_config(config, ChoreoBridgeTrainingConfig)
        named = self.tables["data"]
        self.split = split_pairs(find_pairs(data), named["validation"], named["test"])
        self.windows: dict[int, tuple[PairWindows, PairWindows]] = {}

    def error(self, settings: Mapping[str, Any], watch: Callable[[], None]) -> float:
        """The mean of the published table's errors on the validation pairs, each as a part of the mean predictor's.

        settings: by table and name, such as "loss.distance".  watch: is called before every step.
        """
        tables = changed(self.tables, settings)
        plan, config = ChoreoBridgeTrainingConfig(**tables["loss"], **tables["optimise"]), BridgeConfig(**tables["network"])
        train, validation = self.seen(config.joints)
        device = chosen("auto")
        torch.manual_seed(plan.seed)
        network = ChoreoBridge(config).to(device)
        optimiser = torch.optim.Adam(network.parameters(), lr=plan.rate)
        steps = batches(train, plan)
        for step, batch in enumerate(steps):
            watch()
            optimiser.zero_grad()
            here = Batch(*(part.to(device) for part in batch))
            terms = step_terms(network, here, plan, step, len(steps) // 2)
            torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        return relative_error(table_of(network.eval(), validation, mean_windows(train.windows)))

    def seen(self, joints: int) -> tuple[PairWindows, PairWindows]:
        """The windows of training and of validation."""
        if joints not in self.windows:
            parts = (self.split.train, self.split.validation)
            self.windows[joints] = (pair_windows(parts[0], joints), pair_windows(parts[1], joints))
        return self.windows[joints]


def changed(tables: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """A plan's tables with other settings. Raises BadFile for one that the plan does not have."""
    found = {name: dict(table) for name, table in tables.items()}
    for place, value in settings.items():
        table, _, name = place.partition(".")
        if name not in found.get(table, {}):
            raise BadFile(f"{place}: a setting of the plan expected")
        found[table][name] = value
    return found
