"""Damaged datagrams of every protocol raise ValueError or nothing, and the next whole frame is read."""

import numpy as np
import pytest

from backend.live.streams.rokoko import RokokoDecoder
from backend.live.streams.udp import Decoder
from backend.live.streams.vmc import VmcDecoder, encode_frame
from backend.live.streams.xsens import XsensDecoder
from rigs.motion import Motion

from .test_rokoko import encode, packet
from .test_xsens import datagram


@pytest.mark.parametrize("protocol", ["vmc", "rokoko", "xsens"])
def test_damaged_datagrams_do_no_harm(protocol: str, leader: Motion) -> None:
    frames = [(leader.root[f], leader.rotations[f]) for f in (0, 9)]
    decoders: dict[str, tuple[Decoder, list[bytes]]] = {
        "vmc": (
            VmcDecoder(),
            [encode_frame(0.0, *frame, leader.skeleton) for frame in frames],
        ),
        "rokoko": (RokokoDecoder(), [encode(packet(leader, f, "ada")) for f in (0, 9)]),
        "xsens": (XsensDecoder(), [datagram(leader, f) for f in (0, 9)]),
    }
    decoder, whole = decoders[protocol]
    generator = np.random.default_rng(1)
    refused = 0
    with np.errstate(all="ignore"):
        for _ in range(1500):
            data = bytearray(whole[0])
            for at in generator.integers(0, len(data), int(generator.integers(1, 12))):
                data[at] = generator.integers(256)
            try:
                decoder.decode(bytes(data[: int(generator.integers(1, 2 * len(data)))]))
            except ValueError:
                refused += 1
    assert refused > 300
    decoder.decode(whole[0])
    read = decoder.decode(whole[1])
    assert read
    np.testing.assert_allclose(read[-1].root, leader.root[9], atol=1e-4)
