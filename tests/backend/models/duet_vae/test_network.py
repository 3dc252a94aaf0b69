"""duet-vae's network: causal, with time as the sequence axis, where the published code was not."""

import pytest
import torch
from torch import Tensor, nn

from backend.models.duet_vae.network import (
    DuetVAE,
    DuetVaeConfig,
    SequenceDecoder,
    SequenceEncoder,
    sinusoidal_positions,
)

CONFIG = DuetVaeConfig()


@pytest.fixture
def network() -> DuetVAE:
    torch.manual_seed(0)
    return DuetVAE(CONFIG).double().eval()


@pytest.fixture
def pair() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    one, two = torch.randn(2, 3, CONFIG.window, CONFIG.coordinates, generator=generator, dtype=torch.float64)
    return one, two


def test_sizes_are_the_published_ones() -> None:
    encoder = SequenceEncoder(CONFIG)
    assert encoder.attention.num_heads == 8
    assert encoder.attention.embed_dim == 64
    assert encoder.lstm.num_layers == 2
    assert encoder.lstm.hidden_size == 64
    assert encoder.mean.out_features == 64
    assert CONFIG.window == 64


def test_one_sample_of_a_batch_does_not_see_another(network: DuetVAE, pair: tuple[Tensor, Tensor]) -> None:
    """Attention over the batch instead of over time would mix the samples."""
    one, two = pair
    alone = network(one[1:2], two[1:2])
    together = network(one, two)
    torch.testing.assert_close(together.one[1:2], alone.one, rtol=0, atol=1e-5)
    torch.testing.assert_close(together.two[1:2], alone.two, rtol=0, atol=1e-5)


def test_attention_reaches_earlier_frames(pair: tuple[Tensor, Tensor]) -> None:
    """The LSTM taken out, a frame's posterior must still depend on an earlier frame."""
    torch.manual_seed(0)
    encoder = SequenceEncoder(CONFIG).eval()

    def attended(poses: Tensor) -> Tensor:
        x = encoder.linear(poses) + encoder.positions
        return encoder.attention(x, x, x, need_weights=False)[0]

    one = pair[0].float()
    moved = one.clone()
    moved[:, 0] += 1.0
    assert (attended(moved) - attended(one))[:, -1].abs().max() > 1e-4


def test_positions_index_time() -> None:
    """Equal poses at different times differ, and the table has the closed form of Vaswani et al."""
    table = sinusoidal_positions(CONFIG.window, CONFIG.width)
    frame, pair = 37, 5
    angle = torch.tensor(frame / 10000 ** (2 * pair / CONFIG.width))
    torch.testing.assert_close(table[frame, 2 * pair], angle.sin(), rtol=0, atol=1e-4)
    torch.testing.assert_close(table[frame, 2 * pair + 1], angle.cos(), rtol=0, atol=1e-4)
    still = torch.ones(2, CONFIG.window, CONFIG.coordinates)
    torch.manual_seed(0)
    encoder = SequenceEncoder(CONFIG).eval()
    encoded = encoder.linear(still) + encoder.positions
    assert (encoded[:, 0] - encoded[:, 1]).abs().max() > 0.1
    torch.testing.assert_close(encoded[0], encoded[1])


@pytest.mark.parametrize("dancer", [0, 1])
@pytest.mark.parametrize("frame", [1, 20, 63])
def test_no_frame_depends_on_a_later_one(
    network: DuetVAE, pair: tuple[Tensor, Tensor], dancer: int, frame: int
) -> None:
    """Neither dancer's later frames reach an earlier output, by the target, the memory or the duet VAE."""
    later = [dancer_frames.clone() for dancer_frames in pair]
    later[dancer][:, frame:] += torch.randn(CONFIG.coordinates)
    before, after = network(*pair), network(*later)
    for output, changed in (
        (before.one, after.one),
        (before.two, after.two),
        (before.reconstructed_one, after.reconstructed_one),
        (before.reconstructed_two, after.reconstructed_two),
    ):
        torch.testing.assert_close(output[:, :frame], changed[:, :frame], rtol=0, atol=1e-12)
    assert (before.two[:, frame:] - after.two[:, frame:]).abs().max() > 1e-7


def test_a_causal_target_mask_alone_lets_the_answer_through() -> None:
    """Why the memory is causal too: |one - two| and one, a frame later, give two but for its sign."""
    one, two = torch.randn(2, 10, CONFIG.coordinates)
    later = (one - two).abs()
    assert torch.where((one - later - two).abs() < 1e-5, True, (one + later - two).abs() < 1e-5).all()


def test_convolution_output_is_transposed_not_reshaped() -> None:
    """With a kernel that copies channel c to coordinate c, each frame's coordinates are that frame's channels."""
    torch.manual_seed(0)
    decoder = SequenceDecoder(CONFIG).eval()
    nn.init.zeros_(decoder.convolution.weight)
    nn.init.zeros_(decoder.convolution.bias)
    with torch.no_grad():
        decoder.convolution.weight[torch.arange(64), torch.arange(64), -1] = 1.0
    latent = torch.randn(2, CONFIG.window, CONFIG.latent)
    hidden, _ = decoder.lstm(decoder.linear(latent))
    torch.testing.assert_close(decoder(latent)[..., :64], hidden)


def test_dancer_two_depends_on_both_dancers(network: DuetVAE, pair: tuple[Tensor, Tensor]) -> None:
    one, two = pair
    before = network(one, two)
    other_leader = network(one.flip(0), two)
    assert (before.two - other_leader.two).abs().mean() > 1e-7
    assert (before.one - network(one, two.flip(0)).one).abs().mean() > 1e-7


@pytest.mark.parametrize("dancer", [1, 2])
def test_the_next_frame_is_forwards_last_one(network: DuetVAE, pair: tuple[Tensor, Tensor], dancer: int) -> None:
    out = network(*pair)
    expected = (out.one, out.two)[dancer - 1][:, -1]
    torch.testing.assert_close(network.predict_next_frame(*pair, dancer), expected, rtol=0, atol=1e-5)


def test_without_noise_nothing_is_sampled(network: DuetVAE, pair: tuple[Tensor, Tensor]) -> None:
    assert torch.equal(network(*pair).two, network(*pair).two)
    noise = network.sample_noise(pair[0], torch.Generator().manual_seed(3)).double()
    assert not torch.equal(network(*pair, noise).two, network(*pair).two)
    assert torch.equal(network(*pair, noise).two, network(*pair, noise).two)
