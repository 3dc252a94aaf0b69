"""Music to dance and back by models that can be told beforehand: engine, server, client and commands."""

import re
import signal
import sys
import threading
import wave
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import zmq

from backend.cli import main
from backend.client import BackendError, Cancelled, Client, RequestRefused
from backend.engine import Engine
from backend.model_registry import REGISTRY
from backend.music import midi
from backend.music.score import cut_bars, part_to_note_array
from backend.protocol import MotionResult, ProgressUpdate, decode_client_message, encode
from backend.wire.direction import Direction
from backend.wire.messages import ComposeRequest, DanceRequest, PartnerRequest
from backend.wire.validation import ProtocolError
from rigs import files
from rigs.motion import Motion, mirror, resample, translate
from rigs.sample_dance.salsa import sample_dance
from tests.backend import fake_music_models
from tests.backend.conftest import Backend, running
from tests.backend.fake_music_models import expected_dance, expected_score, same_music, song
from tests.backend.test_server import talking

SERVE = "from tests.backend.fake_music_models import serve; serve()"
COUPLE = (sample_dance()[:90], translate(mirror(sample_dance()[:90]), np.array([0.0, -1.0, 0.0])))


@pytest.fixture(scope="module")
def translating() -> Iterator[Backend]:
    """A server whose dancer and composer can be told beforehand."""
    with running(sys.executable, "-c", SERVE) as one:
        yield one


def near(one: Motion, other: Motion, atol: float = 1e-5) -> None:
    assert (one.fps, len(one)) == (other.fps, len(other))
    np.testing.assert_allclose(one.positions, other.positions, rtol=0, atol=atol)


@pytest.mark.parametrize("fps", [24.0, 29.97, 60.0])
def test_a_dance_has_the_rate_asked_for_and_ends_with_the_music(translating: Backend, fps: float) -> None:
    (dancer,) = Client(translating.url).dance(song(), seed=5, energy=1.5, fps=fps)
    request = DanceRequest(song(), seed=5, energy=1.5, fps=fps)
    assert (dancer.fps, len(dancer)) == (fps, request.frames)
    assert dancer.seconds <= song().seconds[-1] < dancer.seconds + 1.0 / fps
    near(dancer, resample(expected_dance(request), fps, request.frames))


def test_the_second_dancer_of_a_duet_follows_the_first(translating: Backend) -> None:
    request = DanceRequest(song(2), seed=3, duet=True, energy=1.5, fps=24.0)
    dancer, partner = fake_music_models.engine().dance(request)
    asked = PartnerRequest(dancer, role="follow", seed=3, direction=Direction(energy=1.5))
    near(partner, Engine().partner(asked)[0])
    heard = Client(translating.url).dance(song(2), seed=3, duet=True, energy=1.5, fps=24.0)
    for here, there in zip((dancer, partner), heard, strict=True):
        near(there, here, 1e-4)
        assert len(there) == request.frames


@pytest.mark.parametrize(("tempo", "parts"), [(None, ("drums", "bass", "melody")), (90.0, ("bass",))])
def test_music_arrives_as_it_was_composed(translating: Backend, tempo: float | None, parts: tuple[str, ...]) -> None:
    score = Client(translating.url).compose(COUPLE, tempo=tempo, parts=parts, seed=9)
    assert same_music(score, expected_score(ComposeRequest(COUPLE, tempo=tempo, parts=parts, seed=9)))
    playing = [part for part in ("drums", "bass", "melody") if len(part_to_note_array(getattr(score, part)))]
    assert playing == list(parts)


@pytest.mark.parametrize("duet", [False, True])
def test_progress_goes_from_start_to_end_once(translating: Backend, duet: bool) -> None:
    said: list[tuple[float, str]] = []
    Client(translating.url).dance(song(2), duet=duet, progress=lambda *one: said.append(one))
    fractions = [fraction for fraction, _ in said]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    alone = [fraction for fraction, what in said if what == "dancing" and fraction]
    assert (min(alone) < 0.5) == duet


@pytest.mark.parametrize(
    "ask",
    [
        lambda client, **heard: client.dance(song(100), **heard),
        lambda client, **heard: client.dance(song(100), duet=True, **heard),
        lambda client, **heard: client.compose([resample(COUPLE[0], 30.0, 3000)], **heard),
    ],
    ids=["dance", "duet", "compose"],
)
def test_work_is_called_off(translating: Backend, ask: Callable[..., object]) -> None:
    working = threading.Event()

    def progress(fraction: float, what: str) -> None:
        if fraction > 0.0:
            working.set()

    with pytest.raises(Cancelled):
        ask(Client(translating.url), progress=progress, cancelled=working.is_set)
    assert working.is_set()
    assert len(Client(translating.url).dance(song(2))) == 1, "the server goes on"


def test_requests_of_all_kinds_wait_for_one_another(translating: Backend) -> None:
    questions = {
        "dance": DanceRequest(song(8)),
        "compose": ComposeRequest(COUPLE),
        "partner": PartnerRequest(COUPLE[0][:10]),
    }
    with talking(translating.url) as talk:
        for id, question in questions.items():
            talk.send(encode(id, question))
        ends = talk.ends(3)
    assert [id for id, _ in ends] == ["dance", "compose", "partner"]
    assert [type(answer).__name__ for _, answer in ends] == ["MotionResult", "ComposeResult", "MotionResult"]
    assert isinstance(ends[2][1], MotionResult)
    assert len(ends[2][1].takes[0]) == 10


def test_a_dance_that_waits_is_told_how_many_come_before(translating: Backend) -> None:
    with talking(translating.url) as runs, talking(translating.url) as waits:
        runs.send(encode("runs", DanceRequest(song(100))))
        runs.hear()
        waits.send(encode("waits", ComposeRequest(COUPLE)))
        assert waits.hear()[1] == ProgressUpdate(0.0, "waiting for one other", ahead=1)


def test_what_cannot_be_done_is_refused(backend: Backend) -> None:
    client = Client(backend.url)
    with pytest.raises(
        RequestRefused, match=r"^model tango: no such model, one of dance-flow, choreo-bridge expected$"
    ):
        client.dance(song(), model="tango")
    with pytest.raises(RequestRefused, match=r"^model dance-flow: it does something else, one of score-flow, choreo-b"):
        client.compose(COUPLE, model="dance-flow")
    with pytest.raises(
        RequestRefused, match=r"^model choreo-bridge: it does something else, one of partner-flow, duet-"
    ):
        client.partner(COUPLE[0], model="choreo-bridge")
    with pytest.raises(RequestRefused, match=r"^score: at least 2 bars of music expected, 1 found$"):
        client.dance(song(1))
    with pytest.raises(
        RequestRefused, match=r"^parts: some of drums, bass, melody, each once, expected, 'harp' found$"
    ):
        client.compose(COUPLE, parts=["harp"])


@pytest.mark.parametrize(
    ("construct", "sentence"),
    [
        (lambda: DanceRequest(song(1)), "score: at least 2 bars of music expected, 1 found"),
        (lambda: DanceRequest(song(), energy=3.0), "energy: a number of 0.5 to 2 expected, 3.0 found"),
        (lambda: DanceRequest(song(60, 60.0)), "score.seconds: at most 1800 seconds expected, 3600 found"),
        (lambda: ComposeRequest((COUPLE[0], COUPLE[1][:80])), "dancer2: 90 frames as in dancer1 expected, 80 found"),
        (lambda: ComposeRequest((COUPLE[0][:20],)), "dancer1: at least 1 second of dance expected, 0.633 found"),
        (lambda: ComposeRequest(()), "compose: 1 to 2 dancers expected, 0 found"),
    ],
)
def test_a_request_that_no_model_can_answer_cannot_be_constructed(
    construct: Callable[[], object], sentence: str
) -> None:
    with pytest.raises(ProtocolError, match=f"^{re.escape(sentence)}$"):
        construct()


def test_a_client_takes_no_other_answer_than_the_one_it_asked_for() -> None:
    short = MotionResult((expected_dance(DanceRequest(song(2)))[:30],))
    with zmq.Context() as context, context.socket(zmq.ROUTER) as router, ThreadPoolExecutor() as pool:
        client = Client(f"tcp://127.0.0.1:{router.bind_to_random_port('tcp://127.0.0.1')}")
        for ask, said in (
            (lambda: client.dance(song(2)), "answered with other than 1 dancers of 121 frames"),
            (lambda: client.compose(COUPLE), "answered with other than music"),
        ):
            asked = pool.submit(ask)
            peer, *question = router.recv_multipart()
            router.send_multipart([peer, *encode(decode_client_message(question)[0], short)])
            with pytest.raises(BackendError, match=said):
                asked.result()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, registered: None) -> Iterator[Path]:
    """Where a command is called, with music and dance, good and bad."""
    midi.write(tmp_path / "song.mid", song())
    midi.write(tmp_path / "bar.mid", song(1))
    midi.write(tmp_path / "slow.mid", song(32, seconds_a_bar=60.0))
    (tmp_path / "broken.mid").write_bytes((tmp_path / "song.mid").read_bytes()[:60])
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
    request = DanceRequest(midi.read(folder / "song.mid"), seed=7, energy=1.5)
    near(made, resample(expected_dance(request), made.fps, request.frames), 1e-3)
    assert sound(folder / "out/d.wav") == pytest.approx(song().seconds[-1], abs=2.0)


def test_only_the_bars_asked_for_are_danced_and_heard(folder: Path) -> None:
    assert pasdedeux("dance song.mid -o out/d.npz --bars 2-3 --fps 25") == 0
    (made,) = files.read(folder / "out/d.npz").motions
    some = DanceRequest(cut_bars(midi.read(folder / "song.mid"), 1, 2), fps=25.0)
    near(made, resample(expected_dance(some), 25.0, 101), 1e-4)
    assert 4.0 <= sound(folder / "out/d.wav") < 6.0


def test_a_duet_is_left_in_two_files_of_one_length(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pasdedeux("dance song.mid -o out/d.bvh --duet --bars 1-2 --seed 2") == 0
    assert left(folder) == ["d-leader.bvh", "d-partner.bvh", "d.wav"]
    assert capsys.readouterr().out.split() == ["out/d-leader.bvh", "out/d-partner.bvh", "out/d.wav"]
    leader, partner = (files.read(folder / f"out/d-{role}.bvh").motions[0] for role in ("leader", "partner"))
    assert (leader.fps, len(leader)) == (partner.fps, len(partner))
    apart = np.linalg.norm(leader.root[0, :2] - partner.root[0, :2])
    assert 0.1 < apart < 2.0, "the partner starts within reach"


def test_music_is_left_with_its_sound(folder: Path) -> None:
    assert pasdedeux("compose couple.npz -o out/m.mid --tempo 90 --parts melody,drums --seed 4") == 0
    assert left(folder) == ["m.mid", "m.wav"]
    score = midi.read(folder / "out/m.mid")
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
    a, b = (midi.read(folder / f"out/{name}.mid").seconds[-1] for name in "ab")
    assert a > b


def test_a_server_leaves_the_same_files(translating: Backend, folder: Path) -> None:
    for asked, names in (
        ("dance song.mid -o out/{}.bvh --seed 7 --duet --bars 1-2", ("-leader.bvh", "-partner.bvh", ".wav")),
        ("compose couple.npz -o out/{}.mid --parts bass --tempo 77 --seed 1", (".mid", ".wav")),
    ):
        assert pasdedeux(asked.format("here")) == 0
        assert pasdedeux(asked.format("there") + f" --server {translating.url}") == 0
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
    # what is asked, and what the one line must say
    "a dance to no music": ("dance missing.mid -o out/d.bvh", r"missing\.mid: no such file"),
    "a dance to a dance": ("dance dance.bvh -o out/d.bvh", r"dance\.bvh: \.mid or \.midi file extension expected"),
    "a dance to broken music": ("dance broken.mid -o out/d.bvh", r"broken\.mid.* expected.*"),
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
    "a dance in a song": ("dance song.mid -o out/d.mp3", r"d\.mp3: \.bvh or \.npz file extension expected"),
    "a dance in a folder": ("dance song.mid -o folder.bvh", r"folder\.bvh: a file expected, a folder found"),
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
        r"model duet-vae: it does something else, one of dance-flow, choreo-bridge expected",
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
    "music beside a folder": ("compose dance.bvh -o sounds.mid", r"sounds\.wav: a file expected, a folder found"),
    "no tempo": (f"{COMPOSE} --tempo fast", r"--tempo: auto, or 30 to 300 beats a minute, expected, fast found"),
    "no number for a tempo": (f"{COMPOSE} --tempo nan", r"--tempo: auto, or 30 to 300 .* expected, nan found"),
    "a tempo too slow": (f"{COMPOSE} --tempo 29", r"--tempo: auto, or 30 to 300 beats a minute, expected, 29 found"),
    "a part of no band": (f"{COMPOSE} --parts drums,harp", r"parts: some of drums, bass, .* expected, 'harp' found"),
    "one part twice": (f"{COMPOSE} --parts bass,bass", r"parts: some of .*, each once, expected, .* found"),
    "no parts": (f"{COMPOSE} --parts ,", r"parts: some of drums, bass, melody, each once, expected, nothing found"),
    "a composer of another model": (
        f"{COMPOSE} --model dance-flow",
        r"model dance-flow: it does something else, one of score-flow, choreo-bridge expected",
    ),
    "no address of a composer": (f"{COMPOSE} --server x", r"--server x: an address such as .*"),
}


@pytest.mark.parametrize(("asked", "said"), BAD.values(), ids=BAD)
def test_bad_input_is_one_line_and_leaves_nothing(
    asked: str, said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(folder.rglob("*"))
    assert pasdedeux(asked) == 2
    out, error = capsys.readouterr()
    assert re.fullmatch(f".*{said}.*\n", error)
    assert out == ""
    assert sorted(folder.rglob("*")) == before
