"""A compiled network learns the same as a plain one, and leaves no trace in it."""

from dataclasses import replace
from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from curate.errors import UserError
from tests.train.digits import QUICK, digits
from train import compiling
from train.blocks import ConvBN, Network, average_pool
from train.config import TrainConfig
from train.loop import train

CONFIG = replace(QUICK, compile="on", precision="fp32")


def small() -> Network:
    torch.manual_seed(0)
    body = nn.Sequential(ConvBN(3, 4), nn.ReLU(), average_pool())
    network = Network(body, embedding_dim=4, num_classes=10)
    nn.init.normal_(network.head.weight)
    return network


def gradients(network: Network, forward: compiling.Forward, images: Tensor) -> list[Tensor]:
    nn.functional.cross_entropy(forward(network, images), torch.arange(len(images))).backward()
    return [parameter.grad for parameter in network.parameters() if parameter.grad is not None]


@pytest.mark.skipif(not compiling.compiler(), reason="no C++ compiler here")
@pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated:DeprecationWarning")  # torch's own
def test_it_gives_the_same_gradients_and_keeps_names_and_statistics() -> None:
    plain, network, images = small(), small(), digits(8).images
    random = torch.get_rng_state()
    forward, seconds = compiling.compiled(network.train(), CONFIG, [images, images[:7]])
    assert seconds > 0
    assert torch.equal(torch.get_rng_state(), random)
    before, after = plain.state_dict(), network.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], before[name]) for name in before)
    with torch.compiler.set_stance("fail_on_recompile"):  # both sizes are ready
        for part in (images, images[:7]):
            ours, theirs = gradients(network, forward, part), gradients(plain.train(), compiling.plain, part)
            assert len(ours) == len(list(network.parameters()))
            assert all(torch.allclose(one, two, atol=1e-5) for one, two in zip(ours, theirs, strict=True))
    assert torch.allclose(
        network.state_dict()["body.0.norm.running_var"], plain.state_dict()["body.0.norm.running_var"]
    )


@pytest.mark.skipif(not compiling.compiler(), reason="no C++ compiler here")
@pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated:DeprecationWarning")  # torch's own
@pytest.mark.parametrize("setting", ["on", "graphs"])
def test_another_network_of_the_same_kind_is_not_compiled_again(setting: Literal["on", "graphs"]) -> None:
    images, config = digits(8).images, replace(CONFIG, compile=setting)
    first, _ = compiling.compiled(small().train(), config, [images])
    network = small().train()
    with torch.compiler.set_stance("fail_on_recompile"):
        again, _ = compiling.compiled(network, config, [images])
        assert again is first
        ours, theirs = gradients(network, again, images), gradients(small().train(), compiling.plain, images)
    assert all(torch.allclose(one, two, atol=1e-5) for one, two in zip(ours, theirs, strict=True))
    with_options, _ = compiling.compiled(small().train(), replace(config, precision="bf16"), [images])
    assert with_options is not first


@pytest.mark.parametrize(
    ("setting", "device", "compiles"),
    [
        ("off", "cpu", False),
        ("off", "cuda", False),
        ("auto", "cpu", False),
        ("on", "cpu", True),
        ("graphs", "cpu", True),
        ("auto", "cuda", True),
    ],
)
def test_auto_compiles_on_cuda_alone(
    setting: str, device: str, compiles: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiling, "compiler", lambda: "g++")
    config = TrainConfig.from_mapping({"compile": setting})
    assert compiling.wanted(config, torch.device(device)) == compiles


def test_without_a_compiler_the_way_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(UserError, match=r"needs a C\+\+ compiler"):
        train(CONFIG, digits(20))


def test_evaluation_is_timed_apart() -> None:
    trained = train(replace(QUICK, epochs=1), digits(40), eval_set=digits(20))
    assert trained.seconds > 0
    assert trained.eval_seconds > 0
    assert trained.compile_seconds == 0
    assert train(replace(QUICK, epochs=1), digits(40)).eval_seconds < trained.eval_seconds
