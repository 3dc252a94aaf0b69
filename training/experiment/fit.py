"""The training loop: Lightning's Trainer with checkpoints `last.ckpt` and `best.ckpt`, resumable to the exact step."""

import signal
import warnings
from pathlib import Path
from types import FrameType
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.callbacks.progress.rich_progress import RichProgressBar
from lightning.pytorch.loggers import TensorBoardLogger

from rigs.files import BadFile

LAST, BEST = "last.ckpt", "best.ckpt"


class Interrupted(Exception):
    """SIGINT or SIGTERM stopped the training; the text is the number of steps done."""


class StopOnSignal(Callback):
    """On SIGINT or SIGTERM, save `last.ckpt` after the current step and raise Interrupted.

    Lightning's own handling would validate first, or stop within a step.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.signalled = False

    def on_train_start(self, trainer: lightning.Trainer, module: lightning.LightningModule) -> None:
        """Take over both signals; Lightning restores the handlers at the end."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self.signalled = True

    def on_train_batch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        """Stop after a step where a signal came. Raises Interrupted."""
        if self.signalled:
            trainer.save_checkpoint(self.folder / LAST)
            raise Interrupted(trainer.global_step)


def fit(
    module: lightning.LightningModule,
    batches: Any,
    folder: Path,
    *,
    monitor: str,
    validate_every: int,
    clip: float,
    resume: bool,
) -> float:
    """Train to the last step; the lowest value of the validation metric `monitor`.

    batches: an iterable data set with `start`, the step to begin with, `steps_per_epoch`, and a length in steps.
    validate_every: epochs from one validation to the next.  clip: norm to which gradients are clipped, 0 for none.
    Raises BadFile where there is nothing to resume, or something that would be overwritten; Interrupted.
    """
    last = folder / LAST
    if resume and not last.exists():
        raise BadFile(f"{last}: no such checkpoint to resume from")
    if not resume and last.exists():
        raise BadFile(f"{folder}: holds a run already; continue it with --resume, or name another --out")
    folder.mkdir(parents=True, exist_ok=True)
    if resume:
        batches.start = torch.load(last, weights_only=True)["global_step"]
    warnings.filterwarnings("ignore", message="Checkpoint directory")  # it holds the curves, or the run to resume
    best = _checkpoints(folder / BEST, monitor=monitor, save_on_train_epoch_end=False)
    trainer = lightning.Trainer(
        accelerator="auto",
        devices=1,
        max_epochs=1,
        val_check_interval=validate_every * batches.steps_per_epoch,
        check_val_every_n_epoch=None,
        gradient_clip_val=clip,
        logger=TensorBoardLogger(folder, name="", version="curves"),
        callbacks=[
            StopOnSignal(folder),
            _checkpoints(last, every_n_train_steps=batches.steps_per_epoch),
            best,
            RichProgressBar(),
        ],
        enable_model_summary=False,
        num_sanity_val_steps=0,
        log_every_n_steps=10,
    )
    one_validation_step: Any = torch.utils.data.DataLoader([0])  # type: ignore[arg-type]  # the modules bring their data
    loader = torch.utils.data.DataLoader(batches, batch_size=None)
    trainer.fit(module, loader, one_validation_step, ckpt_path=last if resume else None, weights_only=True)
    trainer.save_checkpoint(last)
    assert best.best_model_score is not None
    return float(best.best_model_score)


def _checkpoints(path: Path, **triggers: Any) -> ModelCheckpoint:
    """A checkpoint callback that overwrites one file, atomically as Lightning writes."""
    return ModelCheckpoint(path.parent, path.stem, mode="min", enable_version_counter=False, **triggers)
