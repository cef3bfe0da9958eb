"""The contract that every network keeps, seen or unseen."""

import pytest
import torch
from torch import nn

from curate.errors import UserError
from train import models
from train.blocks import Network

NAMES = models.names()


def build(name: str, *, num_classes: int = 10, image_size: int = 32) -> Network:
    torch.manual_seed(0)
    return models.build(name, num_classes=num_classes, image_size=image_size)


def images(count: int, side: int) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8)


def multiply_adds(network: Network, side: int) -> int:
    """Of the convolutions and the head, for one image."""
    total = 0

    def count(layer: nn.Module, _: object, output: torch.Tensor) -> None:
        nonlocal total
        if isinstance(layer, nn.Conv2d | nn.Linear):
            per_output = layer.weight[0].numel()
            total += output[0].numel() * per_output

    handles = [layer.register_forward_hook(count) for layer in network.modules()]
    network.eval()(images(1, side))
    for handle in handles:
        handle.remove()
    return total


def test_the_folder_walk_finds_them() -> None:
    assert {"resnet20", "resnet18"} <= set(NAMES)
    assert all(models.summaries()[name] for name in NAMES)


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(UserError, match="resnet20"):
        models.build("resnet1000", num_classes=10, image_size=32)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("side", "num_classes"), [(8, 2), (28, 1), (32, 10), (33, 3), (64, 2), (224, 2)])
def test_shapes(name: str, side: int, num_classes: int) -> None:
    network = build(name, num_classes=num_classes, image_size=side)
    batch = images(2, side)
    features = network.features(batch)
    assert features.shape == (2, network.embedding_dim)
    assert network(batch).shape == (2, num_classes)
    assert torch.isfinite(features).all()


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_learns(name: str) -> None:
    """After one step (the head starts at zero, and so do the blocks) each parameter gets a gradient."""
    network = build(name)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    batch, labels = images(8, 32), torch.arange(8)
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(batch), labels).backward()
        optimizer.step()
    learning = [(name, parameter) for name, parameter in network.named_parameters() if parameter.requires_grad]
    silent = [name for name, parameter in learning if not parameter.grad.abs().sum() > 0]
    assert silent == []


@pytest.mark.parametrize("name", NAMES)
def test_it_has_shortcuts(name: str) -> None:
    """Residual: with the convolutions of every block at zero, embeddings still tell images apart."""
    network = build(name).eval()  # a block's last batch normalisation starts at zero
    features = network.features(images(2, 32))
    assert not torch.allclose(features[0], features[1])


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_weights(name: str) -> None:
    first, second = build(name).state_dict(), build(name).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("name", NAMES)
def test_the_docstring_tells_parameters_and_multiply_adds(name: str) -> None:
    network = build(name)
    function = getattr(__import__(f"train.models.{name}", fromlist=[name]), name)
    text = " ".join(function.__doc__.split())
    parameters = sum(parameter.numel() for parameter in network.parameters())
    assert f"Parameters with 10 classes: {parameters:,}" in text
    assert f"ultiply-adds at 32 px: {multiply_adds(network, 32) / 1e6:.1f} million" in text


def test_resnet18_has_the_papers_size_on_photos() -> None:
    network = build("resnet18", num_classes=1000, image_size=224)
    assert sum(parameter.numel() for parameter in network.parameters()) == 11_689_512
    assert round(multiply_adds(network, 224) / 1e9, 2) == 1.81


def test_normalisation_travels_with_the_weights() -> None:
    network = build("resnet20")
    network.start_from(images(4, 32), torch.tensor([1.0, 2, 3]), torch.tensor([4.0, 5, 6]))
    other = build("resnet20")
    other.load_state_dict(network.state_dict())
    assert other.pixel_mean.tolist() == [1, 2, 3]
    assert other.pixel_std.tolist() == [4, 5, 6]
