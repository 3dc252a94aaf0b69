"""A run's folder: checkpoints written whole, last and best, and an interruption that loses only the step in hand."""

import signal
from pathlib import Path
from types import FrameType
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.callbacks.progress.rich_progress import RichProgressBar
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.plugins.io import TorchCheckpointIO

from rigs.files import BadFile
from rigs.files.atomic_write import atomic_path


class Interrupted(Exception):
    """The run was asked to stop; its text is the number of steps done."""


class WholeFiles(TorchCheckpointIO):
    """Checkpoints appear under their name only when they are complete."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        with atomic_path(Path(path)) as temporary:
            super().save_checkpoint(checkpoint, temporary, storage_options)


class Keeper(Callback):
    """Keeps `last.ckpt` and `best.ckpt` and turns SIGINT and SIGTERM into a checkpoint after the step in hand."""

    def __init__(self, folder: Path, monitor: str, every: int) -> None:
        self.folder, self.monitor, self.every = folder, monitor, every
        self.best = float("inf")
        self.asked_to_stop = False

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best = state_dict["best"]

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._stop)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.asked_to_stop = True

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        if self.asked_to_stop:
            trainer.save_checkpoint(self.folder / "last.ckpt")
            raise Interrupted(trainer.global_step)
        if trainer.global_step % self.every == 0:
            trainer.save_checkpoint(self.folder / "last.ckpt")

    def on_validation_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        score = float(trainer.callback_metrics[self.monitor])
        if not trainer.sanity_checking and score < self.best:
            self.best = score
            trainer.save_checkpoint(self.folder / "best.ckpt")

    def on_train_end(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        trainer.save_checkpoint(self.folder / "last.ckpt")


def fit(
    module: lightning.LightningModule,
    batches: Any,
    folder: Path,
    *,
    monitor: str,
    steps_per_epoch: int,
    validate_every: int,
    clip: float,
    resume: bool,
) -> None:
    """Train to the last step.

    batches: an iterable data set with `start`, the step to begin with, and a length in steps.
    Raises BadFile where there is nothing to resume, or something that would be overwritten; Interrupted.
    """
    last = folder / "last.ckpt"
    if resume and not last.exists():
        raise BadFile(f"{last}: no such checkpoint to resume from")
    if not resume and last.exists():
        raise BadFile(f"{folder}: holds a run already; --resume goes on with it, another --out begins a new one")
    folder.mkdir(parents=True, exist_ok=True)
    if resume:
        batches.start = torch.load(last, weights_only=True)["global_step"]
    trainer = lightning.Trainer(
        accelerator="auto",
        devices=1,
        max_epochs=1,
        val_check_interval=validate_every * steps_per_epoch,
        check_val_every_n_epoch=None,
        gradient_clip_val=clip,
        logger=TensorBoardLogger(folder, name="", version="curves"),
        callbacks=[Keeper(folder, monitor, steps_per_epoch), RichProgressBar()],
        plugins=[WholeFiles()],
        enable_checkpointing=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=10,
    )
    nothing: Any = torch.utils.data.DataLoader([0])  # type: ignore[arg-type]  # one validation step, which needs no batch
    loader = torch.utils.data.DataLoader(batches, batch_size=None)
    trainer.fit(module, loader, nothing, ckpt_path=last if resume else None, weights_only=True)
