"""Muon turns filters by the same angle in all directions and keeps their size; the rest is SGD."""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from torch import nn

from tests.train.digits import QUICK, digits
from train.evaluate import evaluate, predict
from train.loop import train
from train.optimizer import build, orthogonal

MUON = replace(QUICK, optimizer="muon", lr=0.1, head_lr=0.5, bias_lr=0.05, momentum=0.6)


@pytest.mark.parametrize("shape", [(16, 27), (64, 16), (32, 80), (1, 9)], ids=str)
def test_all_singular_values_are_about_one(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    matrix = torch.randn(shape) @ torch.diag(torch.linspace(0.3, 3, shape[1]))
    values = torch.linalg.svdvals(orthogonal(matrix))
    assert values.min() > 0.3
    assert values.max() < 1.4


def test_a_step_is_relative_to_the_filters_and_keeps_their_norm() -> None:
    torch.manual_seed(0)
    layer = nn.Conv2d(8, 16, 3)
    before = layer.weight.detach().clone()
    optimizer = build(layer, MUON)
    layer.weight.grad, layer.bias.grad = torch.randn_like(layer.weight), torch.zeros_like(layer.bias)
    optimizer.step()
    moved = (layer.weight.detach() - before).norm() / before.norm()
    assert layer.weight.norm().item() == pytest.approx(before.norm().item(), rel=1e-4)
    assert moved.item() == pytest.approx(MUON.lr, rel=0.3)


def test_what_is_no_filter_gets_the_steps_of_sgd() -> None:
    config = replace(MUON, weight_decay=0.01)
    torch.manual_seed(0)
    ours, theirs = nn.Linear(3, 2), nn.Linear(3, 2)
    theirs.load_state_dict(ours.state_dict())
    groups = [
        {"params": [theirs.weight], "lr": 0.5, "weight_decay": 0.01},
        {"params": [theirs.bias], "lr": 0.05, "weight_decay": 0.0},
    ]
    peer = torch.optim.SGD(groups, lr=1, momentum=0.85, nesterov=True)
    own = build(ours, config)
    for _ in range(3):
        images = torch.randn(5, 3)
        for layer, optimizer in ((ours, own), (theirs, peer)):
            optimizer.zero_grad()
            layer(images).square().sum().backward()
            optimizer.step()
    torch.testing.assert_close(ours.weight, theirs.weight)
    torch.testing.assert_close(ours.bias, theirs.bias)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_sgd_is_that_of_torch_bit_for_bit(momentum: float) -> None:
    config = replace(QUICK, lr=0.1, head_lr=0.2, bias_lr=0.3, momentum=momentum, weight_decay=0.01)
    torch.manual_seed(0)
    ours = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 2))
    theirs = deepcopy(ours)
    filters, scale, shift, matrix, bias = theirs[0].weight, theirs[1].weight, theirs[1].bias, *theirs[3].parameters()
    groups = [
        {"params": [filters], "lr": 0.1},
        {"params": [matrix], "lr": 0.2},
        {"params": [theirs[0].bias, scale, shift, bias], "lr": 0.3, "weight_decay": 0.0},
    ]
    peer = torch.optim.SGD(groups, lr=1, momentum=momentum, weight_decay=0.01, nesterov=momentum > 0)
    own = build(ours, config)
    for _ in range(3):
        images = torch.randn(5, 3, 4, 4)
        for model, optimizer in ((ours, own), (theirs, peer)):
            optimizer.zero_grad()
            model(images).square().sum().backward()
            optimizer.step()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(mine, other)


def test_parameters_without_a_gradient_stay() -> None:
    layer = nn.Linear(3, 2)
    before = layer.weight.detach().clone()
    layer.bias.grad = torch.ones(2)
    build(layer, MUON).step()
    assert torch.equal(layer.weight, before)


def test_it_learns_digits() -> None:
    test = digits(297, start=1500)
    trained = train(MUON, digits(900))
    assert evaluate(predict(trained.model, test.images), test).accuracy > 0.9
