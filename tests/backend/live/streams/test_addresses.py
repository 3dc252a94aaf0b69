"""Streams that people name."""

import pytest

from backend.live.streams.addresses import is_stream, open_stream


@pytest.mark.parametrize("text", ["vmc:0", "rokoko:0", "rokoko:0:Ada", "xsens:0", "xsens:0:1"])
def test_streams_are_opened_at_a_free_port(text: str) -> None:
    assert is_stream(text)
    with open_stream(text) as stream:
        assert stream.port > 0
        with pytest.raises(ValueError, match=f"cannot listen at port {stream.port}"):
            open_stream(f"vmc:{stream.port}")


@pytest.mark.parametrize(
    "text", ["vmc", "vmc:", "vmc:70000", "vmc:-1", "vmc:x", "vmc:²", "osc:1", "xsens:0:x", "vmc:0:x"]
)
def test_what_names_no_stream_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|one dancer"):
        open_stream(text)


def test_files_are_no_streams() -> None:
    assert not is_stream("leader.bvh")
    assert not is_stream("C:\\dance.bvh")
    assert not is_stream("vmc")
