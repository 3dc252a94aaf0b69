"""Training of score-flow: first the bar VAE, then in its latent space the flow and the contrastive dance encoder.

The random numbers of a step depend on the seed and the step alone. The VAE is trained on all music, in all keys; the
flow on pairs, and on music without a dance, from which it learns how a bar follows the ones before.
"""

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from backend.models.common.energy import log_speed
from backend.models.score_flow.bar_features import DRUM_ROWS, PITCHED_ROWS, TUNE_ROWS
from backend.models.score_flow.conditions import NAME, BarTensors, ScoreCondition, ScoreFlowConfig
from backend.models.score_flow.dance_features import SPEED_INDEX
from backend.models.score_flow.network.flow import ScoreFlow, save
from training.data.music_pairs import find_pairs, split_pairs
from training.experiment.config import read_config
from training.experiment.ema import EmaTask
from training.experiment.fit import fit
from training.experiment.losses import sliced_wasserstein_distance
from training.experiment.model_card import write_model_card
from training.score_flow.calibration import calibrate_thresholds
from training.score_flow.dataset import (
    BarBatch,
    BarBatches,
    BarLatents,
    BarTable,
    ScoreFlowTrainingConfig,
    bar_condition,
    build_bar_table,
    embed_table_music,
    encode_table,
    find_unpaired_songs,
    mean_onset_logits,
    transpose_bars,
)
from training.score_flow.metrics import format_metrics, grid_metrics
from training.score_flow.validation import denoising_errors, reconstruction_f1

_ONSET_WEIGHT, _TUNE_ONSET_WEIGHT, _SUSTAIN_WEIGHT = 2.0, 4.0, 0.5
"""Weights in the reconstruction loss of an onset, an onset of the tune, and a sustained step; a rest has 1."""
_PROJECTIONS = 64
"""Random directions of the sliced Wasserstein distance."""
_DROP_PREVIOUS = 0.1
_DROP_PART = 0.3
"""Probabilities of dropping the bar before, and one of two parts."""
_MAX_LOGIT_SCALE = 3.5


class ScoreFlowTask(EmaTask[ScoreFlow]):
    """LightningModule of score-flow: the network, and the exponential moving average (EMA) of its weights."""

    def __init__(
        self, network: ScoreFlow, config: ScoreFlowTrainingConfig, table: BarTable, validation_table: BarTable
    ) -> None:
        super().__init__(network, config.ema_decay)
        self.config, self.tables = config, (table, validation_table)
        self.ema.eval()
        self._latents: list[BarLatents] = []

    def training_step(self, batch: BarBatch, index: int) -> Tensor:
        """Loss of the VAE in the first steps, then of the flow."""
        config = self.config
        torch.manual_seed(config.seed * 1_000_003 + self.global_step)
        if self.global_step < config.vae_steps:
            terms = self.vae_loss(batch)
        else:
            if not self._latents:
                self.freeze_vae()
            terms = self.flow_loss(batch)
        for name, term in terms.items():
            self.log(f"train/{name}", term)
        return sum(terms.values(), torch.zeros(()))

    def vae_loss(self, batch: BarBatch) -> dict[str, Tensor]:
        """Negative ELBO of both VAEs: reconstruction losses, and KL divergences with free bits."""
        terms, config, vae = {}, self.config, self.network.vae
        drums, drums_tied = self.tables[0].bars(batch.drums)
        pitched, pitched_tied = transpose_bars(*self.tables[0].bars(batch.pitched), batch.shift)
        with torch.autocast(self.device.type, torch.bfloat16):
            for part, bars, tied in ((0, drums, drums_tied), (1, pitched, pitched_tied)):
                if len(bars.onset):
                    posterior = vae.encode_part(part, bars, tied)
                    logits = vae.decode_part(part, posterior.sample(torch.randn_like(posterior.mean)), tied)
                    name = ("drums", "pitched")[part]
                    terms[name] = self.reconstruction_loss(part, logits, bars)
                    kl = posterior.kl_divergence().float().mean(dim=0)
                    terms[f"{name} KL"] = config.beta * kl.clamp_min(config.free_bits).sum()
        return terms

    def reconstruction_loss(self, part: int, logits: BarTensors, bars: BarTensors) -> Tensor:
        """Reconstruction loss of a part of a bar in nats.  logits: of that part's rows alone."""
        rows = slice(0, DRUM_ROWS) if part == 0 else slice(DRUM_ROWS, None)
        onset, velocity = bars.onset[..., rows], bars.velocity[..., rows]
        onset_weights = torch.full((onset.shape[-1],), _ONSET_WEIGHT)
        onset_weights[-TUNE_ROWS if part == 1 else DRUM_ROWS :] = _TUNE_ONSET_WEIGHT
        loss = _weighted_cross_entropy(logits.onset.float(), onset, 1.0 + (onset_weights - 1.0) * onset)
        if part == 1:
            sustain_loss = _weighted_cross_entropy(logits.sustain.float(), bars.sustain, torch.ones(()))
            loss = loss + _SUSTAIN_WEIGHT * sustain_loss
        error = (logits.velocity.float().sigmoid() - velocity).square() * (velocity > 0)
        return loss + self.config.velocity * error.sum(dim=(1, 2)).mean()

    @torch.no_grad()
    def freeze_vae(self) -> None:
        """Freeze the VAE at its EMA, encode all bars, and set the statistics that normalize the flow's inputs."""
        network, is_first_flow_step = self.network, self.global_step == self.config.vae_steps
        if is_first_flow_step:
            network.vae.load_state_dict(self.ema.module.vae.state_dict())
        network.vae.requires_grad_(False)
        self._latents = [encode_table(network, table) for table in self.tables]
        if is_first_flow_step:
            self.ema.n_averaged.zero_()  # restarts the EMA for the flow
            table, ((means, log_variances), mask) = self.tables[0], self._latents[0]
            count = mask.sum(dim=0).clamp_min(1.0)
            mean = (means * mask).sum(dim=0) / count
            variance = (((means - mean).square() + log_variances.exp()) * mask).sum(dim=0) / count
            energy = log_speed(table.windows[..., SPEED_INDEX].mean(dim=(1, 2)))
            poses = table.windows.flatten(0, 2)[:: max(1, len(table.windows) // 100)]
            for target in (network, self.ema.module):
                target.latent_mean.copy_(mean)
                target.latent_scale.copy_(variance.sqrt().clamp_min(1e-3))
                target.energy_stats.copy_(torch.stack([energy.mean(), energy.std().clamp_min(1e-3)]))
                target.onset_head.bias.copy_(mean_onset_logits(table).flatten())
                target.bar_seconds.copy_(table.seconds[table.window_index >= 0].log().mean().exp())
                target.pose_mean.copy_(poses.mean(dim=0))
                target.pose_scale.copy_(poses.std(dim=0).clamp_min(0.02))

    def flow_loss(self, batch: BarBatch) -> dict[str, Tensor]:
        """Loss of the flow, of the onset head, and of the space that dance and music share."""
        config, network, table, latents = self.config, self.network, self.tables[0], self._latents[0]
        clean, mask = network.normalize(latents.sample(batch.flow)), latents.mask[batch.flow]
        windows = table.windows[table.window_index[batch.flow], batch.mirrored]
        windows = windows * torch.empty(len(windows), 1, 1).uniform_(1.0 - config.scale, 1.0 + config.scale)
        windows = windows + config.pose_noise * network.pose_scale * torch.randn_like(windows)
        with torch.autocast(self.device.type, torch.bfloat16):
            encoded = network.encode_dance(windows)
        encoded = encoded.float()
        condition = self.drop_conditions(bar_condition(network, table, latents, batch.flow, windows, encoded))
        t = torch.sigmoid(torch.randn(len(clean)))
        column = t[:, None]
        noisy = (column * clean + (1.0 - column) * torch.randn_like(clean)) * mask
        with torch.autocast(self.device.type, torch.bfloat16):
            predicted = network(noisy, t, condition)
        predicted = predicted.float()
        error = ((predicted - clean).square() / (1.0 - column).clamp_min(0.1) ** 2 * mask).sum() / mask.sum()
        paired = ((table.window_index[batch.flow] >= 0) & (table.previous[batch.flow] >= 0)).nonzero()[:, 0]
        dance = network.embed_dance(encoded[paired])
        music = embed_table_music(network, table, latents, batch.flow[paired])
        return {
            "flow": error,
            "onset head": config.onset_head * self.onset_loss(condition, batch.flow),
            "contrastive": config.contrastive * self.contrastive_loss(dance, music, batch.flow[paired]),
            "sliced Wasserstein": config.sliced_wasserstein * sliced_wasserstein(dance, music),
        }

    def onset_loss(self, condition: ScoreCondition, indices: Tensor) -> Tensor:
        """Cross-entropy in nats a bar of the onsets that are predicted from the dance alone."""
        table = self.tables[0]
        onset, parts = table.onset[indices].float(), table.parts[indices]
        has_part = torch.cat([parts[:, :1].expand(-1, DRUM_ROWS), parts[:, 1:].expand(-1, PITCHED_ROWS)], 1)
        logits = self.network.onset_logits(condition)
        loss = nn.functional.binary_cross_entropy_with_logits(logits, onset, reduction="none")
        return (loss * has_part[:, None]).sum() / len(indices)

    def drop_conditions(self, condition: ScoreCondition) -> ScoreCondition:
        """Drop conditions at random, for guidance and robustness, and add noise to the past and the tempo."""
        config, size = self.config, len(condition.dance)

        def keep(drop: float) -> Tensor:
            return (torch.rand(size) > drop).float()

        dance, past = keep(config.drop_dance), keep(config.drop_past)
        has_previous = condition.has_previous * past * keep(_DROP_PREVIOUS)
        has_repeated = condition.has_repeated * past * keep(config.drop_repeated)
        noise = config.past_noise * torch.rand(size, 1)
        parts, tempo = condition.parts, condition.tempo[:, 0] + config.tempo_noise * torch.randn(size)
        drop_part = (parts.sum(dim=1) == 2.0) & (torch.rand(size) < _DROP_PART)
        return condition._replace(
            dance=condition.dance * dance[:, None],
            has_dance=condition.has_dance * dance,
            tempo=torch.stack([tempo, torch.ones(size)], dim=1) * keep(config.drop_tempo)[:, None],
            energy=condition.energy * (dance * keep(config.drop_energy))[:, None],
            phrase=condition.phrase * keep(config.drop_phrase)[:, None],
            previous=(condition.previous + noise * torch.randn_like(condition.previous)) * has_previous[:, None],
            has_previous=has_previous,
            repeated=(condition.repeated + noise * torch.randn_like(condition.repeated)) * has_repeated[:, None],
            has_repeated=has_repeated,
            parts=torch.where(drop_part[:, None], torch.eye(2)[torch.randint(2, (size,))], parts)
            if drop_part.any()
            else parts,
        )

    def contrastive_loss(self, dance: Tensor, music: Tensor, indices: Tensor) -> Tensor:
        """InfoNCE loss of embedded dances and music (B, shared_dim), in both directions.

        Pairs of the same recording or song are no negatives: they may fit as well.
        """
        table = self.tables[0]
        song, recording = table.song[indices], table.recording[indices]
        is_related = (song[:, None] == song) | (recording[:, None] == recording)
        excluded = is_related & ~torch.eye(len(indices), dtype=torch.bool)
        logits = dance @ music.T * self.network.logit_scale.clamp(max=_MAX_LOGIT_SCALE).exp()
        logits = logits.masked_fill(excluded, -1e4)
        target = torch.arange(len(indices))
        return (nn.functional.cross_entropy(logits, target) + nn.functional.cross_entropy(logits.T, target)) / 2.0

    @torch.no_grad()
    def validation_step(self, _: Any, index: int) -> None:
        """Reconstruct held-out songs with the VAE, or denoise the bars of held-out pairs with the flow."""
        table = self.tables[1]
        if self.global_step < self.config.vae_steps or not self._latents:
            metrics = reconstruction_f1(self.ema.module, table)
            loss = 2.0 - sum(metrics.values()) / max(len(metrics), 1)
        else:
            metrics = denoising_errors(self.ema.module, table, self._latents[1])
            error = (metrics["all known"] + metrics["dance"]) / 2.0
            loss = error / (1.0 + error)  # below 1, so that any flow is better than any VAE alone
        for name, value in metrics.items():
            self.log(f"validation/{name}", value, prog_bar=True)
        self.log("validation/loss", loss)

    def configure_optimizers(self) -> Any:
        """AdamW with a warm-up and cosine schedule for the VAE, and another one after it for the flow."""
        config = self.config
        vae = [p for n, p in self.network.named_parameters() if n.startswith("vae.")]
        flow = [p for n, p in self.network.named_parameters() if not n.startswith("vae.")]
        groups = [
            {"params": vae, "lr": config.vae_learning_rate, "weight_decay": 0.01},
            {"params": flow, "lr": config.learning_rate, "weight_decay": config.weight_decay},
        ]
        optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.99), fused=True)
        spans = [(0, config.vae_steps), (config.vae_steps, config.steps)]
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, [_warmup_cosine(*span) for span in spans])
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def _warmup_cosine(first: int, last: int) -> Any:
    """Learning rate factor with a warm-up and cosine decay from step `first` to `last`, and 0 outside."""
    warmup = max(1, min(300, (last - first) // 10))

    def factor(step: int) -> float:
        if not first <= step < last:
            return 0.0
        progress = (step - first) / max(last - first, 1)
        return min(1.0, (step - first + 1) / warmup) * (0.02 + 0.98 * 0.5 * (1.0 + math.cos(math.pi * progress)))

    return factor


def _weighted_cross_entropy(logits: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Weighted binary cross-entropy in nats a bar."""
    loss = nn.functional.binary_cross_entropy_with_logits(logits, target, reduction="none") * weights
    return loss.sum(dim=(1, 2)).mean()


def sliced_wasserstein(first: Tensor, second: Tensor) -> Tensor:
    """Squared sliced Wasserstein distance of two point clouds (B, N) over random directions, in N dimensions' scale."""
    directions = nn.functional.normalize(torch.randn(first.shape[1], _PROJECTIONS), dim=0)
    return sliced_wasserstein_distance(first, second, directions.T) * first.shape[1]


def train(
    data: Path, out: Path, config: Path, *, resume: bool, music: Path | None = None, trial: bool = False
) -> float:
    """Train on a folder of pairs, and on songs without a dance, into a run's folder, and leave the weights there.

    Returns the best validation metric. A `trial` of a hyperparameter sweep ends with that, without weights.
    """
    tables, settings = read_config(config, ScoreFlowTrainingConfig)
    split = split_pairs(find_pairs(data), tables["data"]["validation"], tables["data"]["test"])
    songs = find_unpaired_songs(music)
    train_table = build_bar_table(split.train, songs.get("train", []))
    validation_table = build_bar_table(split.validation, songs.get("validation", []))
    torch.manual_seed(settings.seed)
    network = ScoreFlow(ScoreFlowConfig.from_table(tables.get("network", {})))
    batches = BarBatches(train_table, settings)
    task = ScoreFlowTask(network, settings, train_table, validation_table)
    metric = fit(
        task,
        batches,
        out,
        monitor="validation/loss",
        validate_every=1,
        clip=settings.gradient_clip,
        resume=resume,
    )
    if trial:
        return metric
    step, network = task.load_best(out), task.ema.module
    calibrate_thresholds(network, train_table, validation_table)
    save(out / f"{NAME}.safetensors", network)
    metrics = format_metrics(grid_metrics(network, train_table, build_bar_table(split.test)))
    write_model_card(out / f"{NAME}.md", tables["card"], network, f"{step} of {settings.steps:,}", split, metrics)
    return metric
