"""The contract that every network keeps, seen or unseen."""

import copy
import functools
import re
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from curate import registry
from curate.errors import UserError
from train import models
from train.blocks import ConvBN, Network
from train.config import TrainConfig

FAMILIES = models.families()
NAMES = models.names()
SIDES = (8, 28, 33, 224)
DEEP = re.compile(r"1\d\d+$")
"""Networks that have the layers of shallower ones of their family, only more: seconds for one."""


def build(name: str, *, num_classes: int = 10, image_size: int = 32, **options: models.Option) -> Network:
    torch.manual_seed(0)
    return models.build(name, num_classes=num_classes, image_size=image_size, options=options)


@functools.cache
def outline(name: str, *, num_classes: int = 10, image_size: int = 32, **options: models.Option) -> Network:
    """The network without its weights: shapes and sizes can be told in a moment. Not to be changed."""
    with torch.device("meta"):
        return models.build(name, num_classes=num_classes, image_size=image_size, options=options)


def images(count: int, side: int, device: str = "cpu") -> Tensor:
    torch.manual_seed(1)
    return torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, device=device)


@functools.cache
def smallest(name: str) -> int:
    """Side of the smallest images of `SIDES` that the network takes."""
    for side in SIDES:
        try:
            outline(name, image_size=side)
        except UserError:
            continue
        return side
    raise AssertionError(f"{name} takes none of {SIDES}")


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def multiply_adds(network: Network, side: int) -> int:
    """Of the convolutions and linear layers, for one image."""
    total = 0

    def count(layer: Any, _: object, output: Tensor) -> None:
        nonlocal total
        total += output[0].numel() * layer.weight[0].numel()

    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d | nn.Linear)]
    handles = [layer.register_forward_hook(count) for layer in layers]
    network.eval()(images(1, side, str(network.pixel_mean.device)))
    for handle in handles:
        handle.remove()
    return total


def blocks(network: nn.Module) -> list[nn.Module]:
    return [module for module in network.modules() if getattr(module, "shortcut", None) is not None]


def test_the_folder_walk_finds_them() -> None:
    assert {"resnet20", "resnet18", "alexnet", "plain110", "full_preactivation164", "wrn_28_10"} <= set(NAMES)
    assert len(set(NAMES)) == len(NAMES)
    assert all(models.summaries()[name] for name in NAMES)


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(UserError, match="resnet20"):
        models.build("resnet1000", num_classes=10, image_size=32)


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        (
            "resnet20",
            {"short": "A"},
            r"no option of resnet20 is called 'short' \(did you mean 'shortcut'\?\); there are: shortcut",
        ),
        ("resnet20", {"depth": 56}, "no option of resnet20 is called 'depth'; there are: shortcut"),
        ("plain20", {"shortcut": "A"}, "there are: none"),
        ("resnet20", {"shortcut": "D"}, "one of: paper, A, B, C"),
        ("resnet20", {"shortcut": ["A"]}, "one of: paper, A, B, C"),
        ("googlenet", {"auxiliary": 1}, "true or false"),
        ("alexnet", {"dropout": 1}, "a number from 0 up to 1"),
        ("alexnet", {"dropout": float("nan")}, "a number from 0 up to 1"),
        ("alexnet", {"dropout": True}, "a number from 0 up to 1"),
    ],
)
def test_a_bad_option_is_named(name: str, options: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        build(name, **options)


def test_an_option_may_be_called_anything_in_yaml() -> None:
    with pytest.raises(UserError, match="no option of plain20 is called '1'; there are: none"):
        TrainConfig.from_mapping({"model": "plain20", "model_options": {1: 2}})


THEIRS = """
from __future__ import annotations
from typing import Literal
from torch import nn
from train.blocks import Network

def theirs(*, SIGNATURE) -> Network:
    return GIVES
"""
FLAT = "Network(nn.Flatten(), embedding_dim=192, num_classes=num_classes)"
USUAL = "num_classes: int, image_size: int"


def written(monkeypatch: pytest.MonkeyPatch, signature: str, gives: str = FLAT) -> None:
    """A network `theirs` of an installed package, in the place of all others."""
    module = ModuleType("theirs_of_another_package")
    exec(THEIRS.replace("SIGNATURE", signature).replace("GIVES", gives), vars(module))
    monkeypatch.setattr(models.registry, "functions", lambda package: {"theirs": vars(module)["theirs"]})
    monkeypatch.setattr(models.registry, "package_of", lambda part: "their-package")


def test_annotations_may_be_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    written(monkeypatch, f'{USUAL}, depth: Literal[2, 3], kind: Literal["a", "b"] = "a", drop: float = 0.5')
    assert models.names() == ["theirs2", "theirs3"]
    assert models.options("theirs2") == {"kind": ("a", "one of: a, b"), "drop": (0.5, "a number from 0 up to 1")}
    assert models.build("theirs3", num_classes=5, image_size=8, options={"kind": "b"}).training


@pytest.mark.parametrize(
    ("signature", "gives", "says"),
    [
        ("num_classes: int", FLAT, "does not take image_size"),
        (f"{USUAL}, depth: int", FLAT, "takes a depth that is no Literal of the depths"),
        (f"{USUAL}, width: int = 3", FLAT, "has an option width that is no Literal of texts, bool or float"),
        (f"{USUAL}, width: Literal[1, 2] = 1", FLAT, "has an option width that is no Literal of texts"),
        (f"{USUAL}, wide: bool", FLAT, "has an option wide that is no .* with a default"),
        (f"{USUAL}, wide: Bool = False", FLAT, "network 'theirs' of the package their-package failed: NameError"),
        (
            USUAL,
            "nn.Linear(3, num_classes)",
            "network 'theirs' .* gave a Linear, no train.blocks.Network; mend it, or 'pip uninstall their",
        ),
        (USUAL, FLAT.replace("192", "7"), "network 'theirs' of the package their-package failed: RuntimeError: mat1"),
        (USUAL, FLAT.replace("=num_classes", "=7"), r"gave logits of shape \(2, 7\) in place of \(2, 10\)"),
    ],
)
def test_a_network_that_is_none_is_named(
    signature: str, gives: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(monkeypatch, signature, gives)
    with pytest.raises(UserError, match=says):
        models.build("theirs", num_classes=10, image_size=8)


@pytest.mark.parametrize("name", NAMES)
def test_options_are_of_the_kinds_that_are_checked(name: str) -> None:
    models.check(name, {option: default for option, (default, _) in models.options(name).items()})


@pytest.mark.parametrize("name", NAMES)
def test_shapes_or_one_clear_error(name: str) -> None:
    for side, num_classes in zip(SIDES, (2, 1, 10, 3), strict=True):
        if side < smallest(name):
            with pytest.raises(UserError, match=rf"{name} takes images of \d+ px and more, not of {side}; set"):
                outline(name, image_size=side)
        elif not DEEP.search(name):
            network = outline(name, num_classes=num_classes, image_size=side)
            features = network.features(images(2, side, "meta"))
            assert features.shape == (2, network.embedding_dim)
            assert network.classify(features).shape == (2, num_classes)


@pytest.mark.parametrize(
    ("name", "side_px"),
    [("vgg16", 32), ("alexnet", 8), ("googlenet", 8), ("resnet18", 8), ("resnet20", 4), ("plain20", 4)],
)
def test_the_smallest_size_is_taken_and_named(name: str, side_px: int) -> None:
    with pytest.raises(UserError, match=f"set image_size={side_px}$"):
        outline(name, image_size=side_px - 1)
    assert outline(name, image_size=side_px)(images(2, side_px, "meta")).shape == (2, 10)


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_learns(name: str) -> None:
    """After the first steps (heads and blocks may start at zero) each parameter gets a gradient."""
    network = build(name, image_size=smallest(name))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
    batch, labels = images(4, smallest(name)), torch.arange(4)
    for _ in range(3):
        optimizer.zero_grad()
        logits = network(batch)
        nn.functional.cross_entropy(logits, labels).backward()
        optimizer.step()
        learning = [(key, parameter) for key, parameter in network.named_parameters() if parameter.requires_grad]
        silent = [key for key, parameter in learning if not parameter.grad.abs().sum() > 0]
        if not silent:
            break
    assert logits.shape == (4, 10)
    assert torch.isfinite(logits).all()
    assert silent == []


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_decides_and_memory_is_channels_last(name: str) -> None:
    side = smallest(name)
    first, second = build(name, image_size=side), build(name, image_size=side)
    state = first.state_dict()
    assert all(torch.equal(state[key], value) for key, value in second.state_dict().items())
    for key, value in state.items():
        if value.ndim == 4:
            assert value.is_contiguous(memory_format=torch.channels_last), key


@pytest.mark.parametrize("name", NAMES)
def test_shortcuts_carry_the_image(name: str) -> None:
    """With all residuals at zero, a network of residual blocks still tells images apart."""
    network = build(name, image_size=smallest(name))
    with torch.no_grad():
        for block in blocks(network):
            for key, parameter in block.named_parameters():
                if not key.startswith(("shortcut", "before", "after")):
                    parameter.zero_()
        features = network.eval().features(images(2, smallest(name)))
    assert torch.isfinite(features).all()
    assert not torch.equal(features[0], features[1])


@pytest.mark.parametrize(
    ("name", "count"),
    [("plain56", 0), ("resnet56", 27), ("resnet50", 16), ("full_preactivation164", 54), ("residual_mlp", 8)],
)
def test_number_of_shortcuts(name: str, count: int) -> None:
    assert len(blocks(outline(name))) == count


@pytest.mark.parametrize("name", NAMES)
def test_the_docstring_tells_parameters_and_multiply_adds(name: str) -> None:
    network = outline(name)
    count, millions = f"{parameters(network):,}", f"{multiply_adds(network, 32) / 1e6:,.1f} million"
    family = next(family for family, members in FAMILIES.items() if name in members)
    text = " ".join((registry.functions(models)[family].__doc__ or "").split())
    if family == name:
        assert f"Parameters with 10 classes: {count}" in text
        assert f"ultiply-adds at 32 px: {millions}" in text
    else:
        assert f"| {name} | {count} | {millions} |" in text


@pytest.mark.parametrize(
    ("name", "millions"),
    [  # He et al. 2015, table 6; Zagoruyko, Komodakis 2016, table 5; He et al. 2016, table 4 (164)
        ("resnet20", 0.27),
        ("resnet32", 0.46),
        ("resnet44", 0.66),
        ("resnet56", 0.85),
        ("resnet110", 1.7),
        ("resnet1202", 19.4),
        ("full_preactivation164", 1.7),
        ("original164", 1.7),
        ("wrn_28_10", 36.5),
    ],
)
def test_the_papers_parameters_at_32_px(name: str, millions: float) -> None:
    digits = len(str(millions).split(".")[1])
    assert round(parameters(outline(name)) / 1e6, digits) == millions


@pytest.mark.parametrize(
    ("name", "count", "billions"),
    [
        ("resnet18", 11_689_512, 1.8),  # parameters as torchvision has them, multiply-adds of table 1
        ("resnet34", 21_797_672, 3.7),  # table 1 has 3.6, and leaves out the shortcuts and the last layer
        ("resnet50", 25_557_032, 4.1),
        ("resnet101", 44_549_160, 7.8),
        ("alexnet", 61_100_840, 0.7),  # torchvision
        ("vgg16", 138_357_544 + 4_224, 15.5),  # column D: a bias per channel is a scale and a shift here
        ("googlenet", 6_998_552 + 7_280, 1.6),  # the authors' model, likewise; the paper has 1.5
    ],
)
def test_the_papers_size_on_photos(name: str, count: int, billions: float) -> None:
    network = outline(name, num_classes=1000, image_size=224)
    assert parameters(network) == count
    assert round(multiply_adds(network, 224) / 1e9, 1) == billions


@pytest.mark.parametrize(("name", "billions"), [("resnet50", 3.8), ("resnet101", 7.6)])
def test_with_the_papers_stride_they_have_the_papers_multiply_adds(name: str, billions: float) -> None:
    network = copy.deepcopy(outline(name, num_classes=1000, image_size=224))
    for block in blocks(network):
        first, second = block.get_submodule("first"), block.get_submodule("second")
        assert isinstance(first, ConvBN)
        assert isinstance(second, ConvBN)
        first.convolution.stride, second.convolution.stride = second.convolution.stride, first.convolution.stride
    assert multiply_adds(network, 224) / 1e9 == pytest.approx(billions, rel=0.02)


@pytest.mark.parametrize(
    ("shortcut", "more"),
    [
        ("paper", 0),
        ("A", 0),
        ("B", 16 * 32 + 2 * 32 + 32 * 64 + 2 * 64),  # two projections with their scales and shifts
        ("C", 9 * (16**2 + 2 * 16) + 16 * 32 + 8 * 32**2 + 9 * 2 * 32 + 32 * 64 + 8 * 64**2 + 9 * 2 * 64),
    ],
)
def test_shortcut_parameters(shortcut: str, more: int) -> None:
    assert parameters(outline("resnet56", shortcut=shortcut)) == 853_018 + more


def test_auxiliary_heads_learn_in_training_alone() -> None:
    network = build("googlenet", image_size=8, auxiliary=True)
    network(images(4, 8))
    assert [logits.shape for logits in network.auxiliary] == [(4, 10), (4, 10)]
    labels = torch.arange(4)
    sum(nn.functional.cross_entropy(logits, labels) for logits in network.auxiliary).backward()
    assert all(parameter.grad is not None for parameter in network.get_submodule("heads").parameters())
    network.eval()
    assert network.auxiliary == []
    network(images(4, 8))
    assert network.auxiliary == []


def test_without_skip_the_mlp_has_no_shortcuts() -> None:
    assert not blocks(outline("residual_mlp", skip=False))


def test_normalisation_travels_with_the_weights() -> None:
    network = build("resnet20")
    network.start_from(images(4, 32), torch.tensor([1.0, 2, 3]), torch.tensor([4.0, 5, 6]))
    other = build("resnet20")
    other.load_state_dict(network.state_dict())
    assert other.pixel_mean.tolist() == [1, 2, 3]
    assert other.pixel_std.tolist() == [4, 5, 6]
