"""Training of the score flow: first the coder of bars, then, in its space, the flow and what pairs dance with music.

A step is a function of seed and step. The coder learns from all music there is, in all keys; the flow from pairs, and
from music alone, of which it learns how songs go on.
"""

import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lightning
import torch
from torch import Tensor, nn

from backend.models.score_flow.bar_features import DRUM_ROWS, PITCHED_ROWS, TUNE_ROWS
from backend.models.score_flow.bar_vae import BarTensors
from backend.models.score_flow.dance_features import SPEED_INDEX
from backend.models.score_flow.network import ScoreCondition, ScoreFlow, config_from_dict
from backend.models.score_flow.note_decoding import VOICE_SLICES
from training.data.music_pairs import find_pairs, split_pairs
from training.experiment.config import read_config
from training.experiment.ema import Ema, ema_state
from training.experiment.fit import fit
from training.score_flow.calibration import calibrate_thresholds, write_weights_and_card
from training.score_flow.conditioning import (
    BarLatents,
    bar_condition,
    dance_only,
    embed_table_music,
    encode_table,
    mean_onset_logits,
)
from training.score_flow.dataset import (
    BarBatch,
    BarBatches,
    BarTable,
    ScoreFlowTrainingConfig,
    build_bar_table,
    find_unpaired_songs,
    transpose_bars,
)
from training.score_flow.metrics import f1, format_metrics, grid_metrics

_SHAPE = "network"
"""A checkpoint's entry with the network's shape."""
_STRUCK, _TUNE, _HELD = 2.0, 4.0, 0.5
"""How much a note that begins counts beside one that does not, and one of the tune; and a step that sounds."""
_PROJECTIONS = 64
_TIMES = (0.1, 0.3, 0.5, 0.7)
"""Of the flow, at which a validation looks.  _MOST: bars that it looks at."""
_MOST = 4096


class ScoreFlowTask(lightning.LightningModule):
    """Training of the score flow: the network and the exponential moving average (EMA) of its weights, which ships."""

    def __init__(self, network: ScoreFlow, plan: ScoreFlowTrainingConfig, table: BarTable, held_out: BarTable) -> None:
        super().__init__()
        self.network, self.plan = network, plan
        self.tables = (table, held_out)
        self.ema = Ema(network, plan.average).eval()
        self._codes: list[BarLatents] = []

    def training_step(self, batch: BarBatch, index: int) -> Tensor:
        """One step's loss."""
        plan = self.plan
        torch.manual_seed(plan.seed * 1_000_003 + self.global_step)
        if self.global_step < plan.coder_steps:
            terms = self.vae_loss(batch)
        else:
            if not self._codes:
                self.freeze_vae()
            terms = self.flow_loss(batch)
        for name, term in terms.items():
            self.log(f"train/{name}", term)
        return sum(terms.values(), torch.zeros(()))

    def vae_loss(self, batch: BarBatch) -> dict[str, Tensor]:
        """The coder's loss: what a bar's notes lose on their way, and what their code costs."""
        terms = {}
        drums, no_keys = self.tables[0].bars(batch.drums)
        pitched, held = transpose_bars(*self.tables[0].bars(batch.pitched), batch.shift)
        coders = self.network.coders
        with torch.autocast(self.device.type, torch.bfloat16):
            for part, bars, before in ((0, drums, no_keys), (1, pitched, held)):
                if len(bars.onset):
                    mean, variance = coders.encode_part(part, bars, before)
                    codes = mean + torch.randn_like(mean) * (variance / 2).exp()
                    made = coders.decode_part(part, codes, before)
                    lost = self.reconstruction_loss(part, made, bars)
                    cost = 0.5 * (mean.square() + variance.exp() - 1.0 - variance).float().mean(dim=0)
                    terms[("drums", "pitched")[part]] = lost
                    terms[("drum codes", "pitched codes")[part]] = self.plan.beta * cost.clamp_min(self.plan.free).sum()
        return terms

    def reconstruction_loss(self, part: int, made: BarTensors, bars: BarTensors) -> Tensor:
        """What was lost of a part's notes in a bar, in nats; made: logits of that part alone."""
        rows, loud = (
            (slice(0, DRUM_ROWS), slice(0, DRUM_ROWS))
            if part == 0
            else (slice(DRUM_ROWS, None), slice(DRUM_ROWS, None))
        )
        begins, louds = bars.onset[..., rows], bars.velocity[..., loud]
        counts = torch.full((begins.shape[-1],), _STRUCK)
        counts[-TUNE_ROWS if part == 1 else DRUM_ROWS :] = _TUNE
        lost = _entropy(made.onset.float(), begins, 1.0 + (counts - 1.0) * begins)
        if part == 1:
            lost = lost + _HELD * _entropy(made.sustain.float(), bars.sustain, torch.ones(()))
        wrong = (made.velocity.float().sigmoid() - louds).square() * (louds > 0)
        return lost + self.plan.loudness * wrong.sum(dim=(1, 2)).mean()

    @torch.no_grad()
    def freeze_vae(self) -> None:
        """Freeze the coder at its mean, keep its codes of all bars, and know their statistics."""
        network = self.network
        if self.global_step == self.plan.coder_steps:
            network.coders.load_state_dict(self.ema.module.coders.state_dict())
        network.coders.requires_grad_(False)
        self._codes = [encode_table(network, table) for table in self.tables]
        if self.global_step == self.plan.coder_steps:
            self.ema.n_averaged.zero_()  # the flow's average begins anew
            table, (means, variances, counts) = self.tables[0], self._codes[0]
            total = counts.sum(dim=0).clamp_min(1.0)
            mean = (means * counts).sum(dim=0) / total
            spreads = (((means - mean).square() + variances.exp()) * counts).sum(dim=0) / total
            speed = torch.log(table.windows[..., SPEED_INDEX].mean(dim=(1, 2)) + 0.05)
            rows = table.windows.flatten(0, 2)[:: max(1, len(table.windows) // 100)]
            for one in (network, self.ema.module):
                one.code_mean.copy_(mean)
                one.code_scale.copy_(spreads.sqrt().clamp_min(1e-3))
                one.energy.copy_(torch.stack([speed.mean(), speed.std().clamp_min(1e-3)]))
                one.tell.bias.copy_(mean_onset_logits(table).flatten())
                one.usual.copy_(table.seconds[table.window_index >= 0].log().mean().exp())
                one.track_mean.copy_(rows.mean(dim=0))
                one.track_scale.copy_(rows.std(dim=0).clamp_min(0.02))

    def flow_loss(self, batch: BarBatch) -> dict[str, Tensor]:
        """The loss of the flow, and of the space that dance and music share."""
        plan, network, table = self.plan, self.network, self.tables[0]
        codes = self._codes[0]
        clean, counts = network.normalize(codes.sample(batch.flow)), codes.mask[batch.flow]
        windows = table.windows[table.window_index[batch.flow], batch.mirrored]
        windows = windows * torch.empty(len(windows), 1, 1).uniform_(1.0 - plan.size, 1.0 + plan.size)
        windows = windows + plan.shaken * network.track_scale * torch.randn_like(windows)
        with torch.autocast(self.device.type, torch.bfloat16):
            read = network.encode_dance(windows)
        read = read.float()
        asked = self.drop_conditions(bar_condition(network, table, codes, batch.flow, windows, read))
        t = torch.sigmoid(torch.randn(len(clean)))
        when = t[:, None]
        noisy = (when * clean + (1.0 - when) * torch.randn_like(clean)) * counts
        with torch.autocast(self.device.type, torch.bfloat16):
            found = network(noisy, t, asked)
        found = found.float()
        wrong = ((found - clean).square() / (1.0 - when).clamp_min(0.1) ** 2 * counts).sum() / counts.sum()
        danced = ((table.window_index[batch.flow] >= 0) & (table.previous[batch.flow] >= 0)).nonzero()[:, 0]
        dance = network.embed_dance(read[danced])
        music = embed_table_music(network, table, codes, batch.flow[danced])
        return {
            "flow": wrong,
            "telling": plan.telling * self.onset_loss(asked, batch.flow),
            "pairing": plan.pairing * self.contrastive_loss(dance, music, batch.flow[danced]),
            "distance": plan.distance * sliced_wasserstein(dance, music),
        }

    def onset_loss(self, asked: ScoreCondition, places: Tensor) -> Tensor:
        """What the dance does not tell of the notes that begin, in nats."""
        table = self.tables[0]
        begins = table.onset[places].float()
        there = torch.cat(
            [table.parts[places, :1].expand(-1, DRUM_ROWS), table.parts[places, 1:].expand(-1, PITCHED_ROWS)], 1
        )
        lost = nn.functional.binary_cross_entropy_with_logits(
            self.network.onset_logits(asked), begins, reduction="none"
        )
        return (lost * there[:, None]).sum() / len(places)

    def drop_conditions(self, asked: ScoreCondition) -> ScoreCondition:
        """The same with much of it forgotten at times, and the past not quite as it was."""
        plan, size = self.plan, len(asked.dance)

        def kept(forget: float) -> Tensor:
            return (torch.rand(size) > forget).float()

        danced, alone = kept(plan.undanced), kept(plan.alone)
        follows, recalls = asked.has_previous * alone * kept(0.1), asked.has_repeated * alone * kept(plan.unrecalled)
        wrong = plan.noise * torch.rand(size, 1)
        parts, tempo = asked.parts, asked.tempo[:, 0] + plan.rushed * torch.randn(size)
        both = (parts.sum(dim=1) == 2.0) & (torch.rand(size) < 0.3)
        return asked._replace(
            dance=asked.dance * danced[:, None],
            has_dance=asked.has_dance * danced,
            tempo=torch.stack([tempo, torch.ones(size)], dim=1) * kept(plan.timeless)[:, None],
            energy=asked.energy * (danced * kept(plan.unstirred))[:, None],
            phrase=asked.phrase * kept(plan.unphrased)[:, None],
            previous=(asked.previous + wrong * torch.randn_like(asked.previous)) * follows[:, None],
            has_previous=follows,
            repeated=(asked.repeated + wrong * torch.randn_like(asked.repeated)) * recalls[:, None],
            has_repeated=recalls,
            parts=torch.where(both[:, None], torch.eye(2)[torch.randint(2, (size,))], parts) if both.any() else parts,
        )

    def contrastive_loss(self, dance: Tensor, music: Tensor, places: Tensor) -> Tensor:
        """How ill a dance is told from others by its music, and music by its dance (InfoNCE).

        Those of the same recording or song do not count as others: they may fit as well.
        """
        table = self.tables[0]
        song, recording = table.song[places], table.recording[places]
        alike = (song[:, None] == song) | (recording[:, None] == recording)
        others = alike & ~torch.eye(len(places), dtype=torch.bool)
        scores = (dance @ music.T * self.network.warmth.clamp(max=3.5).exp()).masked_fill(others, -1e4)
        right = torch.arange(len(places))
        return (nn.functional.cross_entropy(scores, right) + nn.functional.cross_entropy(scores.T, right)) / 2.0

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the network's shape with it."""
        checkpoint[_SHAPE] = asdict(self.network.config)

    def on_train_batch_end(self, *_: Any) -> None:
        """Update the exponential moving average (EMA) of the weights."""
        self.ema.update_parameters(self.network)

    @torch.no_grad()
    def validation_step(self, _: Any, index: int) -> None:
        """Code unseen songs, or draw the bars of unseen pairs."""
        table = self.tables[1]
        if self.global_step < self.plan.coder_steps or not self._codes:
            marks = reconstruction_f1(self.ema.module, table)
            for name, mark in marks.items():
                self.log(f"validation/{name}", mark, prog_bar=True)
            self.log("validation/left", 2.0 - sum(marks.values()) / max(len(marks), 1))
            return
        left = denoising_errors(self.ema.module, table, self._codes[1])
        for name, value in left.items():
            self.log(f"validation/{name}", value, prog_bar=True)
        together = (left["all known"] + left["dance"]) / 2.0
        self.log("validation/left", together / (1.0 + together))

    def configure_optimizers(self) -> Any:
        plan = self.plan
        coder = [p for n, p in self.network.named_parameters() if n.startswith("coders.")]
        flow = [p for n, p in self.network.named_parameters() if not n.startswith("coders.")]
        groups = [
            {"params": coder, "lr": plan.coder_rate, "weight_decay": 0.01},
            {"params": flow, "lr": plan.rate, "weight_decay": plan.decay},
        ]
        optimiser = torch.optim.AdamW(groups, betas=(0.9, 0.99), fused=True)
        turns = [(0, plan.coder_steps), (plan.coder_steps, plan.steps)]
        schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, [_turn(*turn) for turn in turns])
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def _turn(first: int, last: int) -> Any:
    """The rate of a turn of steps, which warms up and cools down; nothing before and after it."""
    warm = max(1, min(300, (last - first) // 10))

    def rate(step: int) -> float:
        if not first <= step < last:
            return 0.0
        done = (step - first) / max(last - first, 1)
        return min(1.0, (step - first + 1) / warm) * (0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * done)))

    return rate


def _entropy(logits: Tensor, truth: Tensor, weights: Tensor) -> Tensor:
    """What is lost of a bar of binary truth, in nats."""
    lost = nn.functional.binary_cross_entropy_with_logits(logits, truth, reduction="none") * weights
    return lost.sum(dim=(1, 2)).mean()


def sliced_wasserstein(first: Tensor, second: Tensor) -> Tensor:
    """The sliced Wasserstein distance of two clouds (B, N) of points (Bonneel et al. 2015), squared."""
    directions = nn.functional.normalize(torch.randn(first.shape[1], _PROJECTIONS), dim=0)
    ordered = ((cloud @ directions).sort(dim=0).values for cloud in (first, second))
    one, other = ordered
    return (one - other).square().mean() * first.shape[1]


@torch.no_grad()
def reconstruction_f1(network: ScoreFlow, table: BarTable) -> dict[str, Tensor]:
    """The F1 of onsets in bars that were coded and decoded: drums, bass, chords and tune."""
    bars, held = table.bars(torch.arange(len(table))[:_MOST])
    made = network.coders.decode(network.coders.encode(bars, held)[0], held)
    return {
        name: torch.tensor(f1(made.onset[..., rows] > 0, bars.onset[..., rows] > 0))
        for name, rows in VOICE_SLICES.items()
    }


@torch.no_grad()
def denoising_errors(network: ScoreFlow, table: BarTable, codes: BarLatents) -> dict[str, Tensor]:
    """What is missing to the codes of danced bars that are drawn from some noise, with more or less known of them."""
    generator = torch.Generator().manual_seed(0)
    places = (table.window_index >= 0).nonzero()[:, 0][:_MOST]
    asked = bar_condition(network, table, codes, places, table.windows[table.window_index[places], 0])
    alone = dance_only(asked)
    clean, counts = network.normalize(codes.means[places]), codes.mask[places]
    left = {}
    for name, known in (("all known", asked), ("dance", alone), ("nothing", alone.drop_dance())):
        wrong = torch.zeros(())
        for t in _TIMES:
            noisy = (t * clean + (1.0 - t) * torch.randn(clean.shape, generator=generator)) * counts
            found = network(noisy, torch.full((len(places),), t), known)
            wrong = wrong + ((found - clean).square() * counts).sum() / counts.sum() / len(_TIMES)
        left[name] = wrong
    return left


def train(
    data: Path, out: Path, config: Path, *, resume: bool, music: Path | None = None, trial: bool = False
) -> float:
    """Train on a folder of pairs, and of music alone, into a run's folder, and leave the weights there.

    Returns the best validation metric. A `trial` of a hyperparameter sweep ends with that, without weights.
    """
    tables, plan = read_config(config, ScoreFlowTrainingConfig)
    split = split_pairs(find_pairs(data), tables["data"]["validation"], tables["data"]["test"])
    songs = find_unpaired_songs(music)
    parts = {
        "train": build_bar_table(split.train, songs.get("train", [])),
        "validation": build_bar_table(split.validation, songs.get("validation", [])),
    }
    torch.manual_seed(plan.seed)
    network = ScoreFlow(config_from_dict(tables.get("network", {})))
    windows = BarBatches(parts["train"], plan)
    module = ScoreFlowTask(network, plan, parts["train"], parts["validation"])
    metric = fit(
        module,
        windows,
        out,
        monitor="validation/left",
        steps_per_epoch=windows.steps_per_epoch,
        validate_every=1,
        clip=plan.clip,
        resume=resume,
    )
    if trial:
        return metric
    best = torch.load(out / "best.ckpt", weights_only=True)
    network = module.ema.module
    network.load_state_dict(ema_state(best))
    calibrate_thresholds(network, parts["train"], parts["validation"])
    test = build_bar_table(split.test)
    write_weights_and_card(
        network, split, out, tables, best["global_step"], format_metrics(grid_metrics(network, parts["train"], test))
    )
    return metric
