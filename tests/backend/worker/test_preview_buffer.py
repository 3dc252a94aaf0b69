"""Preview frames: from the pipeline through the worker and the server to the client, in order and not too often."""

import sys
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from backend.client import Cancelled, Client
from backend.protocol import decode_server_message, encode
from backend.wire.messages import MotionResult, PartnerRequest, PreviewFrames, ProgressUpdate
from backend.wire.validation import ProtocolError
from backend.worker.preview_buffer import PREVIEW_INTERVAL, PreviewBuffer
from rigs.motion import Motion
from rigs.sample_dance.salsa import sample_dance
from tests.backend.conftest import Backend, running
from tests.backend.fake_block_dancer import BLOCK, FPS, dance
from tests.backend.raw_client import raw_client

Seen = list[tuple[int, int, Motion]]
LEADER = sample_dance()[:300]


@pytest.fixture(scope="module")
def blocks() -> Iterator[Backend]:
    """A server whose model generates in blocks."""
    with running(sys.executable, "-c", "from tests.backend.fake_block_dancer import serve; serve()") as one:
        yield one


def follow_on(seen: Seen, takes: int) -> None:
    """The previews are the take from its first frame on, without a gap."""
    for take in range(1, takes + 1):
        ahead = 0
        for _, first, frames in (each for each in seen if each[0] == take):
            assert first == ahead
            assert frames.fps == FPS
            ahead += len(frames)
            np.testing.assert_allclose(frames.root, dance(LEADER, take).root[first:ahead], atol=1e-5)
            np.testing.assert_allclose(frames.positions, dance(LEADER, take).positions[first:ahead], atol=1e-4)
        assert 0 < ahead <= len(dance(LEADER, take))


@pytest.mark.parametrize("takes", [1, 3])
def test_the_dance_is_seen_before_the_result(blocks: Backend, takes: int) -> None:
    seen: Seen = []
    fractions: list[float] = []
    result = Client(blocks.url).partner(
        LEADER,
        takes=takes,
        progress=lambda fraction, what: fractions.append(fraction),
        preview=lambda take, first, frames: seen.append((take, first, frames)),
    )
    assert [len(take) for take in result] == [len(LEADER)] * takes
    assert len(seen) > 2 * takes
    assert fractions == sorted(fractions)
    follow_on(seen, takes)
    danced = sum(len(frames) for take, _, frames in seen if take == 1)
    assert danced > len(dance(LEADER, 1)) - 2 * BLOCK - FPS, "only the last frames are left to the result"


def test_a_client_that_looks_slowly_misses_nothing(blocks: Backend) -> None:
    seen: Seen = []

    def look(take: int, first: int, frames: Motion) -> None:
        seen.append((take, first, frames))
        time.sleep(0.4)

    (result,) = Client(blocks.url).partner(LEADER, preview=look)
    assert len(result) == len(LEADER)
    assert len(seen) > 2
    follow_on(seen, 1)


def test_what_is_seen_comes_while_the_rest_is_danced(blocks: Backend) -> None:
    """So the request can be cancelled because of them."""
    seen = threading.Event()
    with pytest.raises(Cancelled):
        Client(blocks.url).partner(LEADER, preview=lambda *_: seen.set(), cancelled=seen.is_set)
    assert seen.is_set()


def test_nothing_is_shown_to_who_has_not_asked(blocks: Backend) -> None:
    with raw_client(blocks.url) as client:
        client.send(encode("blind", PartnerRequest(LEADER[:60])))
        answer = client.receive()[1]
        while isinstance(answer, ProgressUpdate):
            answer = client.receive()[1]
    assert isinstance(answer, MotionResult)


def test_a_model_that_does_not_dance_in_blocks_shows_nothing(backend: Backend, leader: Motion) -> None:
    seen: Seen = []
    (result,) = Client(backend.url).partner(leader, model="duet-vae", preview=lambda *one: seen.append(one))
    assert (len(result), seen) == (len(leader), [])


class Clock:
    """Returns the time that it is set to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def received(parts: list[list[bytes]]) -> list[tuple[int, int, int]]:
    """Take, first frame and number of frames of each message."""
    frames = [decode_server_message(message)[1] for message in parts]
    assert all(isinstance(one, PreviewFrames) for one in frames)
    return [(one.take, one.first, len(one.motion)) for one in frames if isinstance(one, PreviewFrames)]


def test_frames_are_joined_until_it_is_time_again() -> None:
    clock, sent = Clock(), list[list[bytes]]()
    previews, whole = PreviewBuffer("id", sent.append, clock), dance(LEADER, 1)
    for block in range(10):
        clock.now = block * PREVIEW_INTERVAL / 4
        for take in (1, 2):
            previews(take, 8 * block, whole[8 * block : 8 * block + 8])
    assert received(sent) == [(1, 0, 8), (1, 8, 32), (2, 0, 32), (1, 40, 32), (2, 32, 32)]
    _, last = decode_server_message(sent[-1])
    assert isinstance(last, PreviewFrames)
    np.testing.assert_allclose(last.motion.root, whole.root[32:64], atol=1e-6)


def test_frames_that_do_not_follow_are_not_joined() -> None:
    """A model may replace frames that it has sent."""
    clock, sent = Clock(), list[list[bytes]]()
    previews, whole = PreviewBuffer("id", sent.append, clock), dance(LEADER, 1)
    previews(1, 0, whole[:8])
    previews(1, 8, whole[8:16])
    previews(1, 4, whole[4:12])
    clock.now = PREVIEW_INTERVAL
    previews(1, 12, whole[12:16])
    assert received(sent) == [(1, 0, 8), (1, 8, 8), (1, 4, 12)]


def test_frames_that_are_none_are_not_sent() -> None:
    sent: list[list[bytes]] = []
    whole = dance(LEADER, 1)
    broken = Motion(FPS, whole.skeleton, whole.root * np.nan, whole.rotations)
    with pytest.raises(ProtocolError, match=r"danced\.root, row 0"):
        PreviewBuffer("id", sent.append)(1, 0, broken)
    assert sent == []
