"""The engine with models whose results can be computed beforehand, in this process and behind a server."""

import re
import threading
from collections.abc import Callable

import pytest

from backend.client import Cancelled, Client, RequestRefused
from backend.engine import Engine
from backend.model_registry import ModelRegistry
from backend.music.score import part_to_note_array
from backend.protocol import encode
from backend.wire.direction import Direction
from backend.wire.messages import ComposeRequest, DanceRequest, MotionResult, PartnerRequest, ProgressUpdate
from backend.wire.validation import ProtocolError
from rigs.motion import resample
from tests.backend import fake_block_dancer, fake_music_models
from tests.backend.conftest import Backend
from tests.backend.fake_music_models import (
    COUPLE,
    assert_motions_close,
    expected_dance,
    expected_score,
    same_music,
    song,
)
from tests.backend.raw_client import raw_client


@pytest.mark.parametrize("fps", [24.0, 29.97, 60.0])
def test_a_dance_has_the_rate_asked_for_and_ends_with_the_music(fake_music_backend: Backend, fps: float) -> None:
    (dancer,) = Client(fake_music_backend.url).dance(song(), seed=5, energy=1.5, fps=fps)
    request = DanceRequest(song(), seed=5, energy=1.5, fps=fps)
    assert (dancer.fps, len(dancer)) == (fps, request.frames)
    assert dancer.seconds <= song().seconds[-1] < dancer.seconds + 1.0 / fps
    assert_motions_close(dancer, resample(expected_dance(request), fps, request.frames))


def test_the_second_dancer_of_a_duet_follows_the_first(fake_music_backend: Backend) -> None:
    request = DanceRequest(song(2), seed=3, duet=True, energy=1.5, fps=24.0)
    dancer, partner = fake_music_models.engine().dance(request)
    follower = PartnerRequest(dancer, role="follow", seed=3, direction=Direction(energy=1.5))
    assert_motions_close(partner, Engine().partner(follower)[0])
    received = Client(fake_music_backend.url).dance(song(2), seed=3, duet=True, energy=1.5, fps=24.0)
    for here, there in zip((dancer, partner), received, strict=True):
        assert_motions_close(there, here, 1e-4)
        assert len(there) == request.frames


@pytest.mark.parametrize(("tempo", "parts"), [(None, ("drums", "bass", "melody")), (90.0, ("bass",))])
def test_music_arrives_as_it_was_composed(
    fake_music_backend: Backend, tempo: float | None, parts: tuple[str, ...]
) -> None:
    score = Client(fake_music_backend.url).compose(COUPLE, tempo=tempo, parts=parts, seed=9)
    assert same_music(score, expected_score(ComposeRequest(COUPLE, tempo=tempo, parts=parts, seed=9)))
    playing = [part for part in ("drums", "bass", "melody") if len(part_to_note_array(getattr(score, part)))]
    assert playing == list(parts)


@pytest.mark.parametrize("duet", [False, True])
def test_progress_goes_from_start_to_end_once(duet: bool) -> None:
    updates: list[tuple[float, str]] = []
    engine = Engine("cpu", fake_music_models.MODELS)
    engine.dance(DanceRequest(song(2), duet=duet), progress=lambda *one: updates.append(one))
    fractions = [fraction for fraction, _ in updates]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    alone = [fraction for fraction, what in updates if what == "dancing" and fraction]
    assert (min(alone) < 0.5) == duet


@pytest.mark.parametrize(
    "ask",
    [
        lambda client, **received: client.dance(song(100), **received),
        lambda client, **received: client.dance(song(100), duet=True, **received),
        lambda client, **received: client.compose([resample(COUPLE[0], 30.0, 3000)], **received),
    ],
    ids=["dance", "duet", "compose"],
)
def test_work_is_called_off(fake_music_backend: Backend, ask: Callable[..., object]) -> None:
    working = threading.Event()

    def progress(fraction: float, what: str) -> None:
        if fraction > 0.0:
            working.set()

    with pytest.raises(Cancelled):
        ask(Client(fake_music_backend.url), progress=progress, cancelled=working.is_set)
    assert working.is_set()
    assert len(Client(fake_music_backend.url).dance(song(2))) == 1, "the server goes on"


def test_requests_of_all_kinds_wait_for_one_another(fake_music_backend: Backend) -> None:
    questions = {
        "dance": DanceRequest(song(8)),
        "compose": ComposeRequest(COUPLE),
        "partner": PartnerRequest(COUPLE[0][:10]),
    }
    with raw_client(fake_music_backend.url) as client:
        for id, question in questions.items():
            client.send(encode(id, question))
        ends = client.final_messages(3)
    assert [id for id, _ in ends] == ["dance", "compose", "partner"]
    assert [type(answer).__name__ for _, answer in ends] == ["MotionResult", "ComposeResult", "MotionResult"]
    assert isinstance(ends[2][1], MotionResult)
    assert len(ends[2][1].takes[0]) == 10


def test_a_dance_that_waits_is_told_how_many_come_before(fake_music_backend: Backend) -> None:
    with raw_client(fake_music_backend.url) as runs, raw_client(fake_music_backend.url) as waits:
        runs.send(encode("runs", DanceRequest(song(100))))
        runs.receive()
        waits.send(encode("waits", ComposeRequest(COUPLE)))
        assert waits.receive()[1] == ProgressUpdate(0.0, "waiting for one other", ahead=1)


def test_what_cannot_be_done_is_refused(backend: Backend) -> None:
    client = Client(backend.url)
    with pytest.raises(
        RequestRefused, match=r"^model tango: no such model, one of dance-flow, choreo-bridge expected$"
    ):
        client.dance(song(), model="tango")
    with pytest.raises(RequestRefused, match=r"^model dance-flow: not a model for compose, one of score-flow, cho"):
        client.compose(COUPLE, model="dance-flow")
    with pytest.raises(
        RequestRefused, match=r"^model choreo-bridge: not a model for partner, one of partner-flow, duet-"
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


def test_previews_are_sent_only_if_the_request_says_so() -> None:
    leader, firsts = COUPLE[0][:40], list[int]()
    engine = Engine(registry=ModelRegistry(fake_block_dancer.SPECS))
    for preview in (False, True):
        engine.partner(PartnerRequest(leader, preview=preview), preview=lambda take, first, _: firsts.append(first))
    assert firsts == list(range(0, len(fake_block_dancer.dance(leader, 1)), fake_block_dancer.BLOCK))
