"""The commands `dance` and `compose`: the files they write, what they refuse, and that a server gives the same."""

import re
import signal
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from backend.cli import blender_process, main
from backend.cli.motion_files import read_clip
from backend.model_registry import REGISTRY
from backend.music import midi
from backend.music.score import cut_bars, part_to_note_array
from backend.wire.messages import ComposeRequest, DanceRequest
from rigs import files
from rigs.motion import resample
from tests.backend import fake_music_models
from tests.backend.conftest import Backend
from tests.backend.fake_music_models import COUPLE, assert_motions_close, expected_dance, expected_score, song


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, registered: None) -> Iterator[Path]:
    """The working directory of a command, with valid and invalid files."""
    midi.write(tmp_path / "song.mid", song())
    midi.write(tmp_path / "bar.mid", song(1))
    midi.write(tmp_path / "slow.mid", song(32, seconds_a_bar=60.0))
    content = (tmp_path / "song.mid").read_bytes()
    (tmp_path / "broken.mid").write_bytes(content[:50])
    (tmp_path / "pieces.mid").write_bytes(content[:9] + b"\2" + content[10:])
    (tmp_path / "cut.mid").write_bytes(content[:-6])
    files.write(tmp_path / "dance.bvh", COUPLE[0])
    files.write(tmp_path / "couple.npz", COUPLE)
    files.write(tmp_path / "moment.bvh", COUPLE[0][:15])
    for name in ("out", "folder.bvh", "sounds.wav"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    handler = signal.getsignal(signal.SIGTERM)
    yield tmp_path
    signal.signal(signal.SIGTERM, handler)


@pytest.fixture
def registered() -> Iterator[None]:
    """The fake models in place of the shipped ones, in this process."""
    shipped = list(REGISTRY)
    for spec in fake_music_models.SPECS:
        REGISTRY.register(spec, replace=True)
    yield
    for spec in shipped:
        REGISTRY.register(spec, replace=True)


def pasdedeux(arguments: str) -> int:
    """The exit status of the command in this process."""
    return main.main(arguments.split())


def sound(path: Path) -> float:
    """Seconds of a sound file that is not silent."""
    with wave.open(str(path)) as file:
        assert any(file.readframes(file.getframerate()))
        return file.getnframes() / file.getframerate()


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "out").iterdir())


def test_a_dance_is_left_beside_its_music(folder: Path) -> None:
    assert pasdedeux("dance song.mid -o out/d.bvh --seed 7 --energy 1.5") == 0
    assert left(folder) == ["d.bvh", "d.wav"]
    made = files.read(folder / "out/d.bvh").motions[0]
    request = DanceRequest(midi.read(folder / "song.mid").score, seed=7, energy=1.5)
    assert_motions_close(made, resample(expected_dance(request), made.fps, request.frames), 1e-3)
    assert sound(folder / "out/d.wav") == pytest.approx(song().seconds[-1], abs=2.0)


def test_only_the_bars_asked_for_are_danced_and_heard(folder: Path) -> None:
    assert pasdedeux("dance song.mid -o out/d.npz --bars 2-3 --fps 25") == 0
    (made,) = files.read(folder / "out/d.npz").motions
    some = DanceRequest(cut_bars(midi.read(folder / "song.mid").score, 1, 2), fps=25.0)
    assert_motions_close(made, resample(expected_dance(some), 25.0, 101), 1e-4)
    assert 4.0 <= sound(folder / "out/d.wav") < 6.0


def test_a_track_of_its_own_is_danced_to_by_its_number(folder: Path) -> None:
    assert pasdedeux("dance pieces.mid -o out/d.npz --track 3") == 0
    (motion,) = files.read(folder / "out/d.npz").motions
    request = DanceRequest(midi.read(folder / "pieces.mid", track=3).score)
    assert_motions_close(motion, resample(expected_dance(request), motion.fps, request.frames), 1e-4)


def test_what_is_odd_in_a_file_is_told_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pasdedeux("dance cut.mid -o out/d.npz") == 0
    assert capsys.readouterr().err.count("cut.mid, track 3, byte ") == 1


def test_a_duet_is_left_in_two_files_of_one_length(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pasdedeux("dance song.mid -o out/d.bvh --duet --bars 1-2 --seed 2") == 0
    assert left(folder) == ["d-leader.bvh", "d-partner.bvh", "d.wav"]
    assert capsys.readouterr().out.split() == ["out/d-leader.bvh", "out/d-partner.bvh", "out/d.wav"]
    leader, partner = (files.read(folder / f"out/d-{role}.bvh").motions[0] for role in ("leader", "partner"))
    assert (leader.fps, len(leader)) == (partner.fps, len(partner))
    apart = np.linalg.norm(leader.root[0, :2] - partner.root[0, :2])
    assert 0.1 < apart < 2.0, "the partner starts within reach"


def test_a_duet_is_left_as_fbx(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not list((blender_process.ROOT / "dist").glob("pas_de_deux-*.zip")):
        pytest.skip("the extension's zip is not built: make extension")
    assert pasdedeux("dance song.mid -o out/d.npz --duet --bars 1-2 --seed 2") == 0
    assert pasdedeux("dance song.mid -o out/d.fbx --duet --bars 1-2 --seed 2") == 0
    assert capsys.readouterr().out.split()[-3:] == ["out/d-leader.fbx", "out/d-partner.fbx", "out/d.wav"]
    for role in ("leader", "partner"):
        expected = files.read(folder / f"out/d-{role}.npz").motions[0]
        clip = read_clip(folder / f"out/d-{role}.fbx")
        assert clip.source.fps == expected.fps
        np.testing.assert_allclose(clip.motions[0].positions, expected.positions, atol=1e-3)


def test_music_is_left_with_its_sound(folder: Path) -> None:
    assert pasdedeux("compose couple.npz -o out/m.mid --tempo 90 --parts melody,drums --seed 4") == 0
    assert left(folder) == ["m.mid", "m.wav"]
    score = midi.read(folder / "out/m.mid").score
    expected = expected_score(ComposeRequest(COUPLE, tempo=90.0, parts=("melody", "drums"), seed=4))
    for part in ("drums", "bass", "melody"):
        assert np.array_equal(part_to_note_array(getattr(score, part)), part_to_note_array(getattr(expected, part))), (
            part
        )
    np.testing.assert_allclose(np.diff(score.seconds)[:20], 1.0 / 6.0, atol=1e-5)
    assert sound(folder / "out/m.wav") == pytest.approx(expected.seconds[-1], abs=2.0)


def test_a_rate_that_a_file_states_wrongly_changes_its_music(folder: Path) -> None:
    assert pasdedeux("compose dance.bvh -o out/a.mid") == 0
    assert pasdedeux("compose dance.bvh -o out/b.mid --fps 60") == 0
    a, b = (midi.read(folder / f"out/{name}.mid").score.seconds[-1] for name in "ab")
    assert a > b


def test_a_server_leaves_the_same_files(fake_music_backend: Backend, folder: Path) -> None:
    for arguments, names in (
        ("dance song.mid -o out/{}.bvh --seed 7 --duet --bars 1-2", ("-leader.bvh", "-partner.bvh", ".wav")),
        ("compose couple.npz -o out/{}-music.mid --parts bass --tempo 77 --seed 1", ("-music.mid", "-music.wav")),
    ):
        assert pasdedeux(arguments.format("here")) == 0
        assert pasdedeux(arguments.format("there") + f" --server {fake_music_backend.url}") == 0
        for name in names:
            assert (folder / f"out/here{name}").read_bytes() == (folder / f"out/there{name}").read_bytes(), name


def test_nothing_is_left_where_the_sound_cannot_be_made(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even the dance, which was made before."""

    def deaf(*_: object) -> None:
        raise files.BadFile("d.wav: a writable location expected (no space left)")

    monkeypatch.setattr("backend.music.audio.wav.write_wav", deaf)
    assert pasdedeux("dance song.mid -o out/d.bvh") == 2
    assert pasdedeux("compose dance.bvh -o out/m.mid") == 2
    assert left(folder) == []


def test_a_link_to_the_music_is_not_written_over(folder: Path) -> None:
    (folder / "out/d.bvh").symlink_to(folder / "song.mid")
    before = (folder / "song.mid").read_bytes()
    assert pasdedeux("dance song.mid -o out/d.bvh") == 2
    assert (folder / "song.mid").read_bytes() == before
    assert left(folder) == ["d.bvh"]


def test_a_backend_that_is_away_is_a_fault(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pasdedeux("dance song.mid -o out/d.bvh --server tcp://127.0.0.1:9") == 1
    assert re.fullmatch(r"no backend answers at tcp://127\.0\.0\.1:9; .*\n", capsys.readouterr().err)
    assert left(folder) == []


DANCE = "dance song.mid -o out/d.bvh"


COMPOSE = "compose dance.bvh -o out/m.mid"


BAD = {
    # the arguments, and what the one line must contain
    "a dance to no music": ("dance missing.mid -o out/d.bvh", r"missing\.mid: no such file"),
    "a dance to a dance": ("dance dance.bvh -o out/d.bvh", r"dance\.bvh: \.mid, .* file extension expected"),
    "a dance to broken music": ("dance broken.mid -o out/d.bvh", r"broken\.mid.* expected.*"),
    "a dance to pieces": ("dance pieces.mid -o out/d.bvh", r"pieces\.mid: .*choose one of them \(--track\): 1 .*"),
    "a dance to no track": ("dance song.mid -o out/d.bvh --track 9", r"song\.mid: a track of 1 to 3 expected .*"),
    "a dance to one bar": ("dance bar.mid -o out/d.bvh", r"bar\.mid: at least 2 bars of music expected, 1 found"),
    "a dance to one bar of many": (f"{DANCE} --bars 3-3", r"song\.mid: at least 2 bars of music expected, 1 found"),
    "a dance to half an hour": (
        "dance slow.mid -o out/d.bvh",
        r"slow\.mid: at most 1800 seconds of music expected, 1920 found",
    ),
    "a dance of many frames": (
        "dance slow.mid -o out/d.bvh --bars 1-2 --fps 1000",
        r"slow\.mid: music of at most 100000 frames expected, 120001 found",
    ),
    "a dance in a song": (
        "dance song.mid -o out/d.mp3",
        r"d\.mp3: \.bvh, \.npz, \.csv, \.fbx or \.glb file extension expected",
    ),
    "a dance in a folder": ("dance song.mid -o folder.bvh", r"folder\.bvh: a file expected, a folder found"),
    "a dance without a name": ("dance song.mid -o .", r": \.bvh, .* or \.glb file extension expected"),
    "a dance beside a folder": ("dance song.mid -o sounds.bvh", r"sounds\.wav: a file expected, a folder found"),
    "a dance nowhere": (
        "dance song.mid -o nowhere/d.bvh --server tcp://127.0.0.1:9",
        r"nowhere/d\.bvh: an existing .*",
    ),
    "bars backwards": (f"{DANCE} --bars 4-2", r"--bars: bars of 1 to 4, the first not after the last, .*, 4-2 found"),
    "a bar 0": (f"{DANCE} --bars 0-2", r"--bars: bars of 1 to 4, .* expected, 0-2 found"),
    "bars past the end": (f"{DANCE} --bars 2-5", r"--bars: bars of 1 to 4, .* expected, 2-5 found"),
    "no bars": (f"{DANCE} --bars x", r"--bars x: a first and a last bar expected, such as 9-24"),
    "a dancer with too much energy": (f"{DANCE} --energy 3", r"energy: a number of 0\.5 to 2 expected, 3\.0 found"),
    "a dancer of another model": (
        f"{DANCE} --model duet-vae",
        r"model duet-vae: not a model for dance, one of dance-flow, choreo-bridge expected",
    ),
    "an unknown dancer": (f"{DANCE} --model waltz", r"model waltz: no such model, one of dance-flow, choreo-bridge .*"),
    "a dance at no rate": (f"{DANCE} --fps 0", r"fps: a number of 1 to 1000 expected, 0\.0 found"),
    "a dancer's negative seed": (f"{DANCE} --seed -1", r"seed: .*0 to .* expected, -1 found"),
    "no address of a dancer": (f"{DANCE} --server tcp://x", r"--server tcp://x: an address such as .*"),
    "music for nobody": ("compose missing.bvh -o out/m.mid", r"missing\.bvh: no such file"),
    "music for music": ("compose song.mid -o out/m.mid", r"song\.mid: .* file extension expected"),
    "music for a moment": (
        "compose moment.bvh -o out/m.mid",
        r"moment\.bvh: a second of dance or more expected, 0\.47 found",
    ),
    "music in a dance": ("compose dance.bvh -o out/m.bvh", r"m\.bvh: \.mid or \.midi file extension expected"),
    "music without a name": ("compose dance.bvh -o .", r": \.mid or \.midi file extension expected"),
    "music beside a folder": ("compose dance.bvh -o sounds.mid", r"sounds\.wav: a file expected, a folder found"),
    "no tempo": (f"{COMPOSE} --tempo fast", r"--tempo: auto, or 30 to 300 beats a minute, expected, fast found"),
    "no number for a tempo": (f"{COMPOSE} --tempo nan", r"--tempo: auto, or 30 to 300 .* expected, nan found"),
    "a tempo too slow": (f"{COMPOSE} --tempo 29", r"--tempo: auto, or 30 to 300 beats a minute, expected, 29 found"),
    "a part of no band": (f"{COMPOSE} --parts drums,harp", r"parts: some of drums, bass, .* expected, 'harp' found"),
    "one part twice": (f"{COMPOSE} --parts bass,bass", r"parts: some of .*, each once, expected, .* found"),
    "no parts": (f"{COMPOSE} --parts ,", r"parts: some of drums, bass, melody, each once, expected, nothing found"),
    "a composer of another model": (
        f"{COMPOSE} --model dance-flow",
        r"model dance-flow: not a model for compose, one of score-flow, choreo-bridge expected",
    ),
    "no address of a composer": (f"{COMPOSE} --server x", r"--server x: an address such as .*"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_one_line_and_leaves_nothing(
    arguments: str, message: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(folder.rglob("*"))
    assert pasdedeux(arguments) == 2
    out, error = capsys.readouterr()
    assert re.fullmatch(f".*{message}.*\n", error)
    assert out == ""
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("command", ["dance song.mid -o out/d.bvh --duet", "compose dance.bvh -o out/d.mid"])
def test_a_recording_that_no_run_wrote_is_not_overwritten(
    folder: Path, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "out/d.wav").write_bytes(b"a recording")
    assert main.main(command.split()) == 2
    assert capsys.readouterr().err == "out/d.wav: the result's sound would overwrite it, another OUT expected\n"
    assert (folder / "out/d.wav").read_bytes() == b"a recording"
    (folder / "out/d.wav").unlink()
    assert [main.main(command.split()) for _ in range(2)] == [0, 0]
