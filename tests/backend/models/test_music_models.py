"""Shipped models between music and dance, from the command and over the wire: MIDI to a dance, a dance to MIDI."""

import subprocess
import sys
import wave
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from backend.client import Cancelled, Client
from backend.engine import Engine
from backend.model_registry import REGISTRY
from backend.music import midi
from backend.music.score import Score, cut_bars, part_to_notes
from backend.protocol import decode_client_message, decode_server_message, encode
from backend.wire.messages import ComposeRequest, ComposeResult, DanceRequest, MotionResult, Request
from rigs import files
from rigs.motion import Motion, resample
from rigs.sample_dance.salsa import sample_dance
from tests.backend.conftest import Backend
from tests.backend.fake_music_models import same_music, song

COMMAND = [sys.executable, "-m", "backend.cli.main"]
SONG = song(8)
DANCE = resample(sample_dance(), 30.0, 240)


def run(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=240)


def result_over_the_wire(request: DanceRequest | ComposeRequest) -> MotionResult | ComposeResult:
    """Result of an engine in this process, with the precision of the wire."""
    _, decoded = decode_client_message(encode("id", request))
    assert isinstance(decoded, Request)
    _, answer = decode_server_message(encode("id", Engine().answer(decoded)))
    assert isinstance(answer, MotionResult | ComposeResult)
    return answer


def median_speed(motion: Motion) -> float:
    """Median joint speed in m/s."""
    return float(np.median(np.linalg.norm(np.diff(motion.positions, axis=0), axis=-1))) * motion.fps


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("music") / "song.mid"
    midi.write(path, SONG)
    return path


@pytest.fixture(scope="module")
def mocap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mocap") / "dance.bvh"
    files.write(path, DANCE)
    return path


@pytest.mark.parametrize("model", REGISTRY.names("dance"))
def test_a_dance_over_the_wire_equals_that_of_a_local_engine(backend: Backend, model: str) -> None:
    request = DanceRequest(SONG, model, seed=3, fps=24.0)
    answer = result_over_the_wire(request)
    (dance,) = Client(backend.url).dance(SONG, model=model, seed=3, fps=24.0)
    assert isinstance(answer, MotionResult)
    assert (dance.fps, len(dance)) == (24.0, request.frames)
    np.testing.assert_allclose(dance.positions, answer.takes[0].positions, rtol=0, atol=1e-4)
    assert 0.02 < median_speed(dance) < 3.0, "the dancer moves"
    assert 0.4 < np.median(dance.root[:, 2]) < 1.4, "and stands"


@pytest.mark.parametrize("model", REGISTRY.names("compose"))
@pytest.mark.parametrize("dancers", [(DANCE,), (DANCE, DANCE)], ids=["one", "two"])
def test_music_over_the_wire_equals_that_of_a_local_engine(
    backend: Backend, model: str, dancers: tuple[Motion, ...]
) -> None:
    answer = result_over_the_wire(ComposeRequest(dancers, model, seed=3))
    score = Client(backend.url).compose(dancers, model=model, seed=3)
    assert isinstance(answer, ComposeResult)
    assert same_music(score, answer.score)
    assert (
        part_to_notes(score.drums)
        or part_to_notes(score.bass)
        or part_to_notes(score.melody)
        or model != REGISTRY.default("compose")
    )
    assert score.seconds[-1] > DANCE.seconds - 0.5, "as long as the dance"
    assert score.seconds[-1] < DANCE.seconds + 10.0


def test_equal_seeds_give_equal_dances_and_music_and_others_do_not(backend: Backend) -> None:
    client = Client(backend.url)
    one, again, other = (client.dance(SONG, seed=seed)[0] for seed in (1, 1, 2))
    assert np.array_equal(one.positions, again.positions)
    assert not np.array_equal(one.positions, other.positions)
    some, same, more = (client.compose([DANCE], seed=seed) for seed in (1, 1, 2))
    assert same_music(some, same)
    assert not same_music(some, more)


def test_a_dance_depends_on_the_music(backend: Backend) -> None:
    still = cut_bars(SONG, 0, 7)
    silent = Score(still.melody, still.melody, still.melody, still.seconds)
    one, other = (Client(backend.url).dance(music, seed=1)[0] for music in (SONG, silent))
    assert np.abs(one.positions - other.positions).max() > 0.05


def test_a_duet_stays_together(backend: Backend) -> None:
    dancer, partner = Client(backend.url).dance(SONG, duet=True, seed=1)
    assert (dancer.fps, len(dancer)) == (partner.fps, len(partner))
    apart = np.linalg.norm((dancer.root - partner.root)[:, :2], axis=-1)
    assert 0.2 < np.median(apart) < 3.0


@pytest.mark.parametrize("model", REGISTRY.names("compose"))
@pytest.mark.parametrize("parts", [("drums",), ("bass", "melody")])
def test_only_the_requested_parts_play(backend: Backend, model: str, parts: tuple[str, ...]) -> None:
    score = Client(backend.url).compose([DANCE], model=model, parts=parts)
    for part in {"drums", "bass", "melody"} - set(parts):
        assert not part_to_notes(getattr(score, part))


@pytest.mark.parametrize("tempo", [80.0, 160.0])
def test_music_has_the_requested_tempo(backend: Backend, tempo: float) -> None:
    score = Client(backend.url).compose([DANCE], tempo=tempo)
    assert np.median(np.diff(score.seconds)) * 4.0 == pytest.approx(60.0 / tempo, rel=0.02)


def test_dancing_and_composing_can_be_cancelled(backend: Backend) -> None:
    def at_once() -> bool:
        return True

    with pytest.raises(Cancelled):
        Client(backend.url).dance(song(64), cancelled=at_once)
    with pytest.raises(Cancelled):
        Client(backend.url).compose([resample(sample_dance(), 30.0, 3600)], cancelled=at_once)


def test_progress_is_reported_from_0_to_1(backend: Backend) -> None:
    for ask in (
        lambda progress: Client(backend.url).dance(SONG, progress=progress),
        lambda progress: Client(backend.url).compose([DANCE], progress=progress),
    ):
        fractions: list[float] = []
        ask(lambda fraction, what, into=fractions: into.append(fraction))
        assert fractions == sorted(fractions)
        assert (fractions[0], fractions[-1]) == (0.0, 1.0)


def test_the_command_dances_some_bars_as_the_server_does(backend: Backend, music: Path, tmp_path: Path) -> None:
    here, there = tmp_path / "here.bvh", tmp_path / "there.bvh"
    options = ["--bars", "3-6", "--seed", "2"]
    result = run("dance", music, "-o", here, *options)
    assert (result.returncode, result.stdout.split()) == (0, [str(here), str(tmp_path / "here.wav")]), result.stderr
    assert run("dance", music, "-o", there, *options, "--server", backend.url).returncode == 0
    assert here.read_bytes() == there.read_bytes()
    assert len(files.read(here).motions[0]) == DanceRequest(cut_bars(SONG, 2, 5)).frames
    with wave.open(str(tmp_path / "here.wav")) as file:
        assert 8.0 <= file.getnframes() / file.getframerate() < 10.0


def test_the_command_leaves_a_duet(music: Path, tmp_path: Path) -> None:
    result = run("dance", music, "-o", tmp_path / "d.npz", "--duet", "--energy", "1.5", "--bars", "1-4")
    assert result.returncode == 0, result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["d-leader.npz", "d-partner.npz", "d.wav"]
    leader, partner = chain(*(files.read(tmp_path / f"d-{role}.npz").motions for role in ("leader", "partner")))
    assert (leader.fps, len(leader)) == (partner.fps, len(partner))


def test_the_command_composes_as_the_server_does(backend: Backend, mocap: Path, tmp_path: Path) -> None:
    here, there = tmp_path / "here.mid", tmp_path / "there.mid"
    options = ["--tempo", "120", "--parts", "drums,bass", "--seed", "2"]
    result = run("compose", mocap, "-o", here, *options)
    assert (result.returncode, result.stdout.split()) == (0, [str(here), str(tmp_path / "here.wav")]), result.stderr
    assert run("compose", mocap, "-o", there, *options, "--server", backend.url).returncode == 0
    assert here.read_bytes() == there.read_bytes()
    score = midi.read(here).score
    assert not part_to_notes(score.melody)
    assert part_to_notes(score.drums) or part_to_notes(score.bass)
