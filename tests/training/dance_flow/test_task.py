"""Training the dance flow on little: windows that are beside the beat, what it begins with, and weights that dance."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.models.dance_flow.network import DanceFlow
from backend.models.dance_flow.pipeline import DanceFlowPipeline
from backend.models.motion_flow.features import PoseSequence
from backend.models.motion_flow.network import INITIAL_PASTS, MotionFlowConfig
from backend.models.partner_flow.network import PartnerFlow
from backend.music.music_features import MUSIC_DIM, phrase_counts
from backend.music.pulse import dance_pulse
from backend.wire.messages import DanceRequest
from rigs import files
from rigs.choreography.beat_alignment import speed_rhythm
from rigs.contacts import floor_height
from rigs.files import BadFile
from rigs.motion import translate
from tests.conftest import ROOT
from tests.training.choreo_bridge.pairs import dancer, folder_of_pairs, pairs, song
from training.dance_flow.dataset import (
    DanceFlowTrainingConfig,
    DanceFlowWindows,
    interpolate_poses,
    role_of,
    score_leader,
)
from training.dance_flow.task import prepare, train
from training.dance_flow.validation import DanceFlowValidation, alike, counts_in, usual_rhythm
from training.data.music_pairs import Pair
from training.experiment.config import read_config
from training.motion_flow.dataset import TrainingClip, dancer_tensors
from training.motion_flow.task import MotionFlowTask

CONFIG = ROOT / "training" / "configs" / "dance-flow.toml"
SMALL = MotionFlowConfig(width=32, layers=1, heads=2)
FPS = 30.0


@pytest.fixture(scope="module")
def plan() -> DanceFlowTrainingConfig:
    return replace(read_config(CONFIG, DanceFlowTrainingConfig)[1], batch=16, steps=100)


@pytest.fixture(scope="module")
def windows(plan: DanceFlowTrainingConfig) -> DanceFlowWindows:
    return DanceFlowWindows(pairs(2), SMALL, replace(plan, speeds=[1.0]))


def taken(
    take: TrainingClip, plan: DanceFlowTrainingConfig, draws: int = 30
) -> Iterator[tuple[PoseSequence, PoseSequence]]:
    """Windows as they are drawn under a plan, each beside what really was danced in it."""
    drawn = DanceFlowWindows(pairs(1), SMALL, plan)
    rng = np.random.default_rng(0)
    for _ in range(draws):
        first = int(rng.integers(len(take.leader) - drawn.length))
        yield drawn.danced(take, first, rng), take.dance[slice(first, first + drawn.length)]


def moment(dance: PoseSequence) -> torch.Tensor:
    """The frames (F,) that a dance shows, where its pelvis goes a metre a frame along the first axis."""
    return dance.root[:, 0]


@pytest.fixture(scope="module")
def clocked(windows: DanceFlowWindows) -> TrainingClip:
    """A take whose pelvis tells the frame."""
    take = windows.clips[0][0]
    root = take.dance.root.clone()
    root[:, 0] = torch.arange(len(root))
    return take._replace(dance=PoseSequence(root, take.dance.rotations, take.dance.contacts))


def test_a_past_that_is_beside_the_beat_is_back_in_time_before_the_window_ends(
    clocked: TrainingClip, plan: DanceFlowTrainingConfig
) -> None:
    lates = []
    for made, truth in taken(clocked, replace(plan, beside=1.0, speeds=[1.0])):
        late = moment(made) - moment(truth)
        inside = (moment(truth) > 8) & (moment(truth) < len(clocked.leader) - 9)
        assert late[72:].abs().max() < 1e-4
        assert late.abs().max() <= plan.late * FPS + 1e-4
        assert moment(made).diff()[inside[1:]].min() > 0.0
        lates.append(float(late[:8][inside[:8]].mean()))
    assert min(lates) < -2.0
    assert max(lates) > 2.0


def test_where_nothing_is_beside_the_beat_windows_are_the_dance(
    clocked: TrainingClip, plan: DanceFlowTrainingConfig
) -> None:
    for made, truth in taken(clocked, replace(plan, beside=0.0, speeds=[1.0]), draws=5):
        assert torch.equal(made.root, truth.root)
        assert torch.equal(made.rotations, truth.rotations)


def test_as_many_windows_are_beside_the_beat_as_the_plan_says(
    clocked: TrainingClip, plan: DanceFlowTrainingConfig
) -> None:
    drawn = taken(clocked, replace(plan, beside=0.6, speeds=[1.0]), draws=300)
    beside = [not torch.equal(made.root, truth.root) for made, truth in drawn]
    assert np.mean(beside) == pytest.approx(0.6, abs=0.1)


def test_between_two_frames_a_dancer_is_halfway_and_whole() -> None:
    dance, _, offsets = dancer_tensors(dancer(0))
    at = torch.tensor([-3.0, 0.0, 4.5, 10.0, 178.75, 400.0])
    found = interpolate_poses(dance, at)
    assert torch.allclose(found.root[2], (dance.root[4] + dance.root[5]) / 2.0)
    for row, frame in ((0, 0), (1, 0), (3, 10), (5, -1)):
        assert torch.allclose(found.rotations[row], dance.rotations[frame], atol=1e-5)
    product = found.rotations @ found.rotations.transpose(-1, -2)
    assert torch.allclose(product, torch.eye(3).expand_as(product), atol=1e-5)
    halfway = (dance.joint_positions(offsets)[4] + dance.joint_positions(offsets)[5]) / 2.0
    assert (found.joint_positions(offsets)[2] - halfway).norm(dim=-1).max() < 0.01


def test_equal_steps_see_equal_windows_and_the_music_is_not_enlarged(windows: DanceFlowWindows) -> None:
    first = [batch for batch, _ in zip(windows, range(3), strict=False)]
    windows.start = 2
    again = next(iter(windows))
    windows.start = 0
    assert torch.equal(first[2].leader, again.leader)
    assert torch.equal(first[2].root, again.root)
    heard = {tuple(row.tolist()) for take in windows.clips for row in take[0].leader[:, :MUSIC_DIM]}
    assert {tuple(row.tolist()) for row in first[0].leader[0, :, :MUSIC_DIM]} <= heard


def test_dances_are_there_at_each_speed_with_their_music_and_in_the_mirror(plan: DanceFlowTrainingConfig) -> None:
    drawn = DanceFlowWindows(pairs(1), SMALL, replace(plan, speeds=[0.75, 1.0, 1.2]))
    assert len(drawn.clips) == 6
    for speed, (there,), (mirrored,) in zip([0.75, 1.0, 1.2], drawn.clips[::2], drawn.clips[1::2], strict=True):
        assert len(there.dance.root) == pytest.approx(180 / speed, abs=2)
        assert torch.equal(there.leader[:, :MUSIC_DIM], mirrored.leader[:, :MUSIC_DIM])
        assert torch.allclose(there.dance.root[:, 0], -mirrored.dance.root[:, 0], atol=1e-5)
        beats = np.diff(np.unwrap(phrase_counts(there.leader[:100].numpy()), period=8.0))
        assert beats.mean() == pytest.approx(3.0 * speed / FPS, rel=1e-3)  # the song has 180 steps a minute


def test_home_is_the_middle_of_the_floor_that_is_danced_on(windows: DanceFlowWindows) -> None:
    (take,) = windows.clips[0]
    home = take.leader[:, MUSIC_DIM:]
    assert torch.allclose(home, take.dance.root[:, :2].mean(dim=0).expand_as(home), atol=1e-5)


def test_those_who_follow_are_told_by_their_name() -> None:
    pair = pairs(1)[0]
    assert [role_of(replace(pair, name=f"salsa_{who}_x")) for who in ("follower", "leader", "solo")] == [1, 0, 0]


def test_too_short_dances_are_refused(plan: DanceFlowTrainingConfig) -> None:
    short = [replace(pair, dancer=pair.dancer[:60]) for pair in pairs(2)]
    with pytest.raises(BadFile, match=r"takes of more than 3\.0 s expected, none found"):
        DanceFlowWindows(short, SMALL, replace(plan, speeds=[1.0]))


@pytest.fixture(scope="module")
def couples() -> list[Pair]:
    """Leaders and followers, who stand 20 cm higher."""
    found = []
    for n, pair in enumerate(pairs(4)):
        role = ("leader", "follower")[n % 2]
        found.append(
            replace(
                pair, name=f"{pair.name}_{role}", dancer=translate(pair.dancer, np.array([0.0, 0.0, 0.2 * (n % 2)]))
            )
        )
    return found


@pytest.fixture(scope="module")
def prepared(couples: list[Pair], plan: DanceFlowTrainingConfig) -> DanceFlow:
    torch.manual_seed(0)
    network = DanceFlow(SMALL)
    prepare(network, DanceFlowWindows(couples, SMALL, replace(plan, speeds=[1.0])), couples, statistics=True)
    return network


def test_the_network_knows_the_dancers_of_each_role(prepared: DanceFlow, couples: list[Pair]) -> None:
    assert np.allclose(prepared.bone_offsets[0].numpy(), couples[0].dancer.skeleton.offsets, atol=1e-6)
    floors = [np.mean([floor_height(p.dancer.positions) for p in couples if role_of(p) == role]) for role in range(2)]
    assert np.allclose(prepared.floor_heights.numpy(), floors, atol=1e-4)
    assert floors[1] - floors[0] == pytest.approx(0.2, abs=0.01)


def test_the_network_knows_what_is_usually_heard_and_danced(prepared: DanceFlow) -> None:
    assert torch.isfinite(prepared.leader_mean).all()
    assert (prepared.leader_scale >= 0.05).all()
    assert (prepared.partner_scale >= 0.03).all()
    tempo = 8
    assert float(prepared.leader_mean[tempo]) == pytest.approx(np.log2(180 / 165), abs=1e-3)


def test_the_network_knows_how_dancers_keep_to_the_music(prepared: DanceFlow, couples: list[Pair]) -> None:
    rows = [
        speed_rhythm(p.dancer.positions, dance_pulse(p.score).counts_at(np.arange(180) / FPS), FPS) for p in couples
    ]
    assert np.allclose(prepared.rhythm.numpy() @ [1.0, 1.0j], np.mean(rows, axis=0), atol=1e-6)


def test_ways_to_begin_come_from_all_counts_and_are_seen_from_where_they_stand(prepared: DanceFlow) -> None:
    wanted = 8.0 * np.arange(INITIAL_PASTS) / INITIAL_PASTS
    for role in range(2):
        away = (prepared.initial_counts[role].numpy() - wanted + 4.0) % 8.0 - 4.0
        assert np.abs(away).max() < 0.1
    last = prepared.initial_pasts[:, :, -1]
    assert last[..., :2].abs().max() < 1e-4  # the pelvis is over the origin
    assert prepared.initial_pasts[0, :, :, 2].mean() == pytest.approx(
        float(prepared.initial_pasts[1, :, :, 2].mean()) - 0.2, abs=0.05
    )


def test_a_network_learns(couples: list[Pair], windows: DanceFlowWindows, prepared: DanceFlow) -> None:
    module = MotionFlowTask(prepared, windows.plan, DanceFlowValidation(couples, couples[:1]))
    optimiser = torch.optim.Adam(prepared.parameters(), lr=3e-3)
    seen = []
    first = 1 + SMALL.history
    for step in range(100):
        torch.manual_seed(step)
        batch = windows.batch(np.random.default_rng(step))
        terms = module.loss_terms(batch.poses[slice(1, first)], batch, first)
        optimiser.zero_grad()
        (terms["flow"] + 2.0 * terms["position"]).backward()
        optimiser.step()
        seen.append(float(terms["position"].detach()))
    assert np.mean(seen[-10:]) < 0.8 * np.mean(seen[:5])


def test_real_dances_are_like_themselves_and_in_time(couples: list[Pair]) -> None:
    usual = usual_rhythm(couples)
    assert alike(usual, usual) == pytest.approx(1.0)
    assert alike(0.5 * usual, usual) == pytest.approx(0.5)
    half_a_count_late = usual * np.exp(1j * np.pi / np.array([1, 2, 4, 8]))
    assert alike(half_a_count_late, usual) < 0.6
    assert counts_in(couples[0].score, 30)[[0, 10]].tolist() == pytest.approx([0.0, 1.0])


def test_validation_tells_how_far_whole_dances_are_from_real_ones(couples: list[Pair], prepared: DanceFlow) -> None:
    held_out = DanceFlowValidation(couples[:2], couples[2:])
    found = held_out.metrics(prepared.eval())
    assert found.keys() == {"unlikeness", "in time", "kinetic", "geometric"}
    assert np.isfinite(list(found.values())).all()
    assert found["unlikeness"] == pytest.approx(np.sqrt(found["kinetic"] * found["geometric"]), rel=1e-6)
    assert held_out.metrics(prepared) == found


def little(folder: Path) -> tuple[Path, Path]:
    """A folder of pairs, and a plan of a few small steps on them."""
    data = folder_of_pairs(folder / "pairs", 4)
    text = CONFIG.read_text()
    for name, value in (("steps", "4"), ("batch", "4"), ("speeds", "[1.0]")):
        text, changed = re.subn(rf"^{name} = (\[.*?\]|\S+)", f"{name} = {value}", text, flags=re.MULTILINE)
        assert changed == 1
    config = folder / "plan.toml"
    config.write_text(text + "\n[network]\nwidth = 16\nlayers = 1\nheads = 2\n")
    return data, config


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dance")
    data, config = little(folder)
    train(data, folder / "run", config, resume=False)
    return folder


def test_a_training_leaves_weights_that_dance(run: Path) -> None:
    weights = run / "run" / "dance-flow.safetensors"
    assert DanceFlow.load(weights).config.width == 16
    score = song(1)
    made = DanceFlowPipeline(weights, "cpu").dance(DanceRequest(score), lambda fraction, what: None, lambda: False)
    assert abs(made.seconds - score.seconds[-1]) < 1.0 / 30.0
    assert np.isfinite(made.positions).all()


def test_a_training_leaves_a_card_that_calls_the_pairs_synthetic(run: Path) -> None:
    card = (run / "run" / "dance-flow.md").read_text()
    for part in ("Synthetic pairs", "| train | take0, take1 |", "| test | take3 |", "| unlikeness |", "| in time |"):
        assert part in card


def test_an_ended_training_can_be_resumed_and_changes_nothing(run: Path) -> None:
    weights = run / "run" / "dance-flow.safetensors"
    before = DanceFlow.load(weights).state_dict()
    train(run / "pairs", run / "run", run / "plan.toml", resume=True)
    for name, tensor in DanceFlow.load(weights).state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_a_training_begins_with_a_partner_s_weights_but_for_what_it_knows_of_a_leader(
    run: Path, tmp_path: Path
) -> None:
    torch.manual_seed(5)
    partner = PartnerFlow(MotionFlowConfig(width=24, layers=2, heads=2))
    partner.partner_mean.normal_()
    partner.save(tmp_path / "partner.safetensors")
    still = tmp_path / "still.toml"
    still.write_text(re.sub(r"^rate = \S+", "rate = 1e-12", (run / "plan.toml").read_text(), flags=re.MULTILINE))
    train(run / "pairs", tmp_path / "run", still, resume=False, weights=tmp_path / "partner.safetensors")
    begun = DanceFlow.load(tmp_path / "run" / "dance-flow.safetensors")
    assert begun.config == partner.config
    assert torch.allclose(begun.partner_mean, partner.partner_mean, atol=2e-3)
    for name, old in partner.named_parameters():
        if not name.startswith("leader_proj"):
            assert torch.allclose(begun.get_parameter(name), old, atol=2e-3, rtol=1e-3), name
    assert begun.leader_proj.in_features == 8 * DanceFlow.leader_dim
    assert float(begun.leader_mean[8]) == pytest.approx(np.log2(180 / 165), abs=1e-2)


@pytest.mark.filterwarnings("error:Found .* in eval mode")
def test_a_training_begins_with_a_dance_flow_s_weights(run: Path, tmp_path: Path) -> None:
    weights = run / "run" / "dance-flow.safetensors"
    still = tmp_path / "still.toml"
    still.write_text(re.sub(r"^rate = \S+", "rate = 1e-12", (run / "plan.toml").read_text(), flags=re.MULTILINE))
    train(run / "pairs", tmp_path / "run", still, resume=False, weights=weights)
    before, after = DanceFlow.load(weights), DanceFlow.load(tmp_path / "run" / "dance-flow.safetensors")
    for name, old in before.named_parameters():
        assert torch.allclose(after.get_parameter(name), old, atol=1e-4), name


def test_a_plan_with_an_unknown_setting_is_refused(tmp_path: Path) -> None:
    (tmp_path / "plan.toml").write_text(CONFIG.read_text().replace("beside =", "behind ="))
    with pytest.raises(BadFile, match="missing or unknown settings: behind, beside"):
        train(tmp_path, tmp_path / "run", tmp_path / "plan.toml", resume=False)


def test_a_folder_that_cannot_be_split_leaves_no_run(tmp_path: Path) -> None:
    files.write(tmp_path / "a.npz", dancer(0))
    with pytest.raises(BadFile, match="no pairs found"):
        train(tmp_path, tmp_path / "run", CONFIG, resume=False)
    assert not (tmp_path / "run").exists()


def test_what_leads_is_what_is_heard_and_home() -> None:
    leader = score_leader(song(0), 50, torch.tensor([1.0, -2.0]))
    assert leader.shape == (50, DanceFlow.leader_dim)
    assert (leader[:, MUSIC_DIM:] == torch.tensor([1.0, -2.0])).all()
