"""Training of the partner flow: windows of duets, the flow's loss and what a body adds to it, rollouts, an average.

A step is a function of seed and step. In the later part of a training the network dances a block itself and learns to
go on from there, so that it can dance for long.
"""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from torch import Tensor

from backend.models.flow_partner import roll_out
from backend.models.partner_flow import (
    NAME,
    STARTS,
    Dance,
    FlowConfig,
    PartnerFlow,
    dance_of,
    joined,
    leader_features,
    partner_features,
    place_of,
    place_of_joints,
    save,
)
from rigs.contacts import floor_height
from rigs.skeleton import INDEX
from training.data import Duet, Split, find_duets, split_duets
from training.flow_windows import Batch, FlowWindows, Parts, Plan, dance_parts
from training.model_card import write_card
from training.plans import read_plan
from training.runs import fit

_HORIZONS = (1, 10, 30, 60)

_NEAR = [INDEX[n] for n in ("pelvis", "jaw", "left_wrist", "right_wrist", "left_elbow", "right_elbow", "left_knee",
                            "right_knee", "left_foot", "right_foot")]  # fmt: skip
"""The joints whose distances to the leader's count."""
_FEET = [INDEX[name] for name in ("left_ankle", "left_foot", "right_ankle", "right_foot")]


class FlowTraining(lightning.LightningModule):
    """One network on its way from first to last step, and the mean of its last ones, which is what ships."""

    def __init__(self, network: PartnerFlow, plan: Plan, validation: Sequence[Duet]) -> None:
        super().__init__()
        self.network, self.plan = network, plan
        self.mean = copy.deepcopy(network).requires_grad_(False)
        self.held_out = [(dance_parts(duet.leader), dance_parts(duet.follower)) for duet in validation]

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """One step's loss."""
        plan, config = self.plan, self.network.config
        torch.manual_seed(plan.seed * 1_000_003 + self.global_step)
        first = 1 + config.history
        past, target = batch.partner[slice(1, first)], batch.partner[slice(first, first + config.block)]
        if self.global_step > plan.rolled_from * plan.steps and float(torch.rand(())) < plan.rolled:
            made = self.danced(past, batch, first)
            past, first = joined(past[slice(config.block, None)], made), first + config.block
            astray = made.root[:, -1:] - batch.partner.root[:, first - 1 : first]
            back = 0.9 * torch.linspace(1.0, 0.0, config.block + 1)[1:, None].to(astray)
            truth = batch.partner[slice(first, first + config.block)]
            target = Dance(truth.root + astray * back, truth.turned, truth.contacts)
        terms = self.terms(past, target, batch, first)
        weights = {"flow": plan.flow, "position": plan.position, "velocity": plan.velocity, "pair": plan.pair}
        for name, term in terms.items():
            self.log(f"train/{name}", term)
        return sum(({**weights, "contact": plan.contact}[name] * term for name, term in terms.items()), torch.zeros(()))

    def terms(self, past: Dance, target: Dance, batch: Batch, first: int) -> dict[str, Tensor]:
        """The parts of the loss for a block that begins in the windows' frame `first`."""
        network, plan, size = self.network, self.plan, len(batch.roles)
        place = place_of(past)
        own, led = views(network, past, batch.leader, place, first)
        loud = plan.noise * torch.rand(size, 1, 1) * (torch.rand(size, 1, 1) < 0.7)
        own = own + loud.to(own) * torch.randn_like(own)
        clean = (partner_features(target, place) - network.partner_mean) / network.partner_scale
        t = torch.sigmoid(torch.randn(size)).to(clean)
        when = t[:, None, None]
        noisy = when * clean + (1.0 - when) * torch.randn_like(clean)
        heard = (torch.rand(size) > plan.unheard).to(clean.device)
        found = network(noisy, t, own, led, batch.roles, heard)
        flow = ((found - clean).square() / (1.0 - when).clamp_min(0.1) ** 2).mean()
        drawn = dance_of(found * network.partner_scale + network.partner_mean, place)
        ours, theirs = drawn.joints(batch.offsets), target.joints(batch.offsets)
        before = past[slice(-1, None)].joints(batch.offsets)
        steps, true_steps = (torch.cat([before, joints], dim=1).diff(dim=1) for joints in (ours, theirs))
        other = batch.leader[:, first : first + network.config.block]
        apart, truly_apart = (_distances(joints, other) for joints in (ours, theirs))
        surely = 1.0 + 2.0 * when
        return {
            "flow": flow,
            "position": ((ours - theirs).norm(dim=-1) * surely).mean(),
            "velocity": ((steps - true_steps).norm(dim=-1) * surely).mean(),
            "pair": ((apart - truly_apart).abs() * torch.exp(-truly_apart / plan.nearness) * surely[..., None]).mean(),
            "contact": (steps[:, :, _FEET].norm(dim=-1) * target.contacts * surely).mean(),
        }

    @torch.no_grad()
    def danced(self, past: Dance, batch: Batch, first: int) -> Dance:
        """The block that the mean network dances from the frame `first` on."""
        place = place_of(past)
        own, led = views(self.mean, past, batch.leader, place, first)
        noise = torch.randn(len(own), self.mean.config.block, own.shape[-1]).to(own)
        guidance = 1.0 if float(torch.rand(())) < 0.5 else 2.0
        drawn = self.mean.draw(noise, own, led, batch.roles, steps=3, guidance=guidance)
        return dance_of(drawn * self.mean.partner_scale + self.mean.partner_mean, place)

    def on_train_batch_end(self, *_: Any) -> None:
        """Let the mean network follow."""
        weight = min(self.plan.average, (self.global_step + 10) / (self.global_step + 200))
        with torch.no_grad():
            for mean, now in zip(self.mean.parameters(), self.network.parameters(), strict=True):
                mean.lerp_(now, 1.0 - weight)

    def validation_step(self, _: Any, index: int) -> None:
        """Dance beside the validation takes' leaders from their followers' beginnings; compare over two seconds."""
        self.log("validation/rollout", horizon_errors(self.mean, self.held_out).mean(), prog_bar=True)

    def configure_optimizers(self) -> Any:
        optimiser = torch.optim.AdamW(self.network.parameters(), lr=self.plan.rate, betas=(0.9, 0.99))
        warm = torch.optim.lr_scheduler.LinearLR(optimiser, 0.01, total_iters=min(300, self.plan.steps // 10 + 1))
        cool = torch.optim.lr_scheduler.CosineAnnealingLR(
            optimiser, T_max=self.plan.steps, eta_min=0.05 * self.plan.rate
        )
        schedule = torch.optim.lr_scheduler.ChainedScheduler([warm, cool])
        return {"optimizer": optimiser, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def views(network: PartnerFlow, past: Dance, leader: Tensor, place: Any, first: int) -> tuple[Tensor, Tensor]:
    """What the network sees, normalised: the past, and the leader around a block that begins in frame `first`."""
    config = network.config
    around = leader[:, first - 1 - config.before * config.block : first + (1 + config.after) * config.block]
    own = (partner_features(past, place) - network.partner_mean) / network.partner_scale
    return own, (leader_features(around, place) - network.leader_mean) / network.leader_scale


def prepare(network: PartnerFlow, windows: FlowWindows, duets: Sequence[Duet]) -> None:
    """Let the network know the windows' statistics, the dancers' bodies and floors, and ways to begin."""
    config, rng = network.config, np.random.default_rng(windows.plan.seed)
    own, led = [], []
    for _ in range(40):
        batch = windows.batch(rng)
        first = 1 + config.history
        place = place_of(batch.partner[slice(1, first)])
        own.append(partner_features(batch.partner[slice(1, first + config.block)], place).flatten(0, 1))
        led.append(
            leader_features(batch.leader[:, first - 1 - 2 * config.block : first + 2 * config.block], place).flatten(
                0, 1
            )
        )
    for name, rows, least in (("partner", torch.cat(own), 0.03), ("leader", torch.cat(led), 0.05)):
        getattr(network, f"{name}_mean").copy_(rows.mean(dim=0))
        getattr(network, f"{name}_scale").copy_(rows.std(dim=0).clamp_min(least))
    for role in range(2):
        motions = [(duet.leader, duet.follower)[role] for duet in duets]
        network.bodies[role] = torch.from_numpy(np.mean([m.skeleton.offsets for m in motions], axis=0)).float()
        network.floors[role] = float(np.mean([floor_height(m.positions) for m in motions]))
        own_parts = [dance_parts(motion) for motion in motions]
        other = [dance_parts((duet.follower, duet.leader)[role])[1] for duet in duets]
        moments = [(n, f) for n, part in enumerate(own_parts) for f in range(config.history, len(part[1]), 8)]
        for k, i in enumerate(np.linspace(0, len(moments) - 1, STARTS).astype(int)):
            n, frame = moments[i]
            here = place_of_joints(other[n][frame - 1])
            network.starts[role, k] = partner_features(own_parts[n][0][slice(frame - config.history, frame)], here)
            network.stances[role, k] = here.into(other[n][frame - 1])


def train(data: Path, out: Path, config: Path, *, resume: bool) -> None:
    """Train on a folder of duets into a run's folder and leave the weights there."""
    tables, plan = read_plan(config, Plan)
    split: Split = split_duets(find_duets(data), tables["data"]["validation"], tables["data"]["test"])
    torch.manual_seed(plan.seed)
    network = PartnerFlow(FlowConfig(**tables.get("network", {})))
    windows = FlowWindows(split.train, network.config, plan)
    prepare(network, windows, split.train)
    module = FlowTraining(network, plan, split.validation)
    fit(
        module,
        windows,
        out,
        monitor="validation/rollout",
        steps_per_epoch=windows.steps_per_epoch,
        validate_every=min(5, plan.steps // windows.steps_per_epoch),
        clip=plan.clip,
        resume=resume,
    )
    ship(module, split, out, tables)


def ship(module: FlowTraining, split: Split, out: Path, tables: dict[str, Any]) -> None:
    """Write a run's mean network and its model card.

    It is that of the step whose dances were nearest to the real followers of the validation takes: the loss says little
    about dancing for long.
    """
    best = torch.load(out / "best.ckpt", weights_only=True)
    module.load_state_dict(best["state_dict"])
    save(out / f"{NAME}.safetensors", module.mean)
    parameters = sum(p.numel() for p in module.mean.parameters())
    figures = horizon_table(module.mean, split.test)
    step = f"{best['global_step']:,} of {module.plan.steps:,}, which danced best beside the validation takes' leaders"
    write_card(out / f"{NAME}.md", parameters, step, figures, split, tables)


def horizon_table(network: PartnerFlow, duets: Sequence[Duet]) -> str:
    """How far the follower is from the real one, generated beside the real leader, as words and a table."""
    errors = horizon_errors(network, [(dance_parts(d.leader), dance_parts(d.follower)) for d in duets])
    shown = errors[[h - 1 for h in _HORIZONS]] * 100.0
    return f"""Mean distance of a joint from the truth in centimetres, so many frames (at 30 fps) after
{network.config.history} given ones, the follower generated beside the real leader, over the test recordings:

| frames | {" | ".join(str(h) for h in _HORIZONS)} |
| {" | ".join(["---"] * (1 + len(_HORIZONS)))} |
| model | {" | ".join(f"{error:.1f}" for error in shown.tolist())} |"""


def horizon_errors(network: PartnerFlow, duets: Sequence[tuple[Parts, Parts]]) -> Tensor:
    """The mean distance (60,) m of the follower's joints from the real ones, so many frames after the given ones."""
    history, block = network.config.history, network.config.block
    noise = torch.Generator().manual_seed(0)
    errors = []
    for leader, follower in duets:
        for start in range(history, len(follower[1]) - _HORIZONS[-1], 45):
            past = follower[0][slice(start - history, start)]
            drawn = torch.randn(1, 8, block, len(network.partner_mean), generator=noise)
            made = roll_out(network, leader[1][: start + 8 * block], start, past, 1, follower[2], drawn)
            joints = made.joints(follower[2])[0, : _HORIZONS[-1]]
            errors.append((joints - follower[1][start : start + _HORIZONS[-1]]).norm(dim=-1).mean(dim=-1))
    return torch.stack(errors).mean(dim=0) if errors else torch.zeros(_HORIZONS[-1])


def _distances(partner: Tensor, leader: Tensor) -> Tensor:
    """From each of ten joints of the one to each of ten of the other: (B, F, 10, 10) m."""
    return (partner[:, :, _NEAR, None] - leader[:, :, None, _NEAR]).norm(dim=-1)
