"""The exponential moving average against its closed form."""

import pytest
import torch
from torch import nn

from training.experiment.ema import Ema, ema_state


def updated(decay: float, values: list[float]) -> nn.Linear:
    network = nn.Linear(1, 1)
    ema = Ema(network, decay)
    for value in values:
        nn.init.constant_(network.weight, value)
        ema.update_parameters(network)
    return ema.module


@pytest.mark.parametrize("decay", [0.5, 0.999])
def test_the_average_warms_up_to_its_decay(decay: float) -> None:
    values = torch.linspace(1.0, 5.0, 40).tolist()
    expected = values[0]
    for count, value in enumerate(values[1:], start=1):
        weight = min(decay, (count + 11) / (count + 201))
        expected = weight * expected + (1.0 - weight) * value
    assert updated(decay, values).weight.item() == pytest.approx(expected, rel=1e-5)


def test_one_update_copies_the_weights_and_a_new_start_copies_them_again() -> None:
    assert updated(0.9, [3.0]).weight.item() == 3.0
    network = nn.Linear(1, 1)
    ema = Ema(network, 0.9)
    for value in (1.0, 2.0):
        nn.init.constant_(network.weight, value)
        ema.n_averaged.zero_()
        ema.update_parameters(network)
    assert torch.equal(ema.module.weight, network.weight)


def test_the_average_goes_on_after_a_state_dict_was_loaded_and_takes_no_gradient() -> None:
    torch.manual_seed(0)
    network = nn.Linear(3, 2)
    ema = Ema(network, 0.9)
    ema.update_parameters(network)
    nn.init.ones_(network.weight)
    again = Ema(nn.Linear(3, 2), 0.9)
    again.load_state_dict(ema.state_dict())
    for average in (ema, again):
        average.update_parameters(network)
    assert torch.equal(ema.module.weight, again.module.weight)
    assert not any(parameter.requires_grad for parameter in ema.parameters())
    checkpoint = {"state_dict": {f"ema.{name}": part for name, part in ema.state_dict().items()}}
    assert ema_state(checkpoint).keys() == network.state_dict().keys()
