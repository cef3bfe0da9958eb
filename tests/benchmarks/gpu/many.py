"""Several small networks at the same time on one GPU: which way of doing so pays?"""

import time
from collections.abc import Callable
from copy import deepcopy
from statistics import median

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.benchmarks.gpu.data import splits
from tests.benchmarks.gpu.job import Figures, Job, Parts
from tests.benchmarks.gpu.training import refusal
from tests.benchmarks.record import spread
from train import models
from train.data import ImageSet
from train.hardware import use_bf16

NETWORKS = 5
"""As many as there are folds."""
SIZES = (("resnet20", 128), ("resnet_fast", 1000))
"""Network and batch: one that leaves a GPU idle, and one that is sized to fill more of it."""
WARM_UP, ROUNDS, STEPS_A_ROUND = 5, 5, 20
"""Steps before the clock starts; how often it is read, and steps each time."""
LR = 0.01
"""Nothing is learned here; low, so that nothing grows without bound."""
Step = Callable[[], None]
"""One step of all the networks."""


def many_networks(job: Job) -> Parts:
    """One step of five networks: in turn, on CUDA streams, as one stacked network, and as CUDA graphs."""
    train_set = splits(job, "cifar10")[0]
    ways: dict[str, Callable[[Five], Step]] = {"in turn": in_turn, "stacked": stacked}
    if job.device == "cuda":
        ways |= {"streams": on_streams, "graph": as_graph, "graph over streams": as_graph_over_streams}
    for way, prepare in ways.items():  # a graph that fails may spoil what comes after it in this process
        for network, batch_size in SIZES:
            five = Five(network, train_set, 4 if job.small else batch_size, torch.device(job.device))
            yield f"{network}, batches of {five.batch_size}, {way}", timed(job, five, prepare)


class Five:
    """The networks, a batch and an optimizer for each. Every way starts from new ones."""

    def __init__(self, network: str, train_set: ImageSet, batch_size: int, device: torch.device) -> None:
        """The networks differ by their seeds, as those of folds do."""
        self.batch_size, self.device = batch_size, device
        self.models: list[nn.Module] = []
        for seed in range(NETWORKS):
            torch.manual_seed(seed)
            model = models.build(network, num_classes=len(train_set.classes), image_size=train_set.image_size)
            model.start_from(train_set.images[:500], *train_set.mean_std())
            self.models.append(model.to(device).train())
        index = torch.randint(len(train_set), (NETWORKS, batch_size))
        assert isinstance(train_set.images, Tensor)
        self.images = [train_set.images[each].to(device) for each in index]
        """Shape (B, 3, S, S) each, uint8."""
        self.labels = [train_set.labels[each].to(device) for each in index]
        self.optimizers = [sgd(list(model.parameters())) for model in self.models]

    def step(self, number: int) -> None:
        """One step of one network."""
        with self.autocast():
            logits = self.models[number](self.images[number])
        F.cross_entropy(logits.float(), self.labels[number]).backward()
        self.optimizers[number].step()
        self.optimizers[number].zero_grad(set_to_none=False)

    def autocast(self) -> torch.autocast:
        """As in training, but without the cache of casts, which a graph would go on reading."""
        enabled = use_bf16("auto", self.device)
        return torch.autocast(self.device.type, torch.bfloat16, enabled=enabled, cache_enabled=False)


def sgd(parameters: list[Tensor]) -> torch.optim.Optimizer:
    """As in training: Nesterov, and in few kernels."""
    return torch.optim.SGD(parameters, lr=LR, momentum=0.9, nesterov=True, foreach=True)


def in_turn(five: Five) -> Step:
    """One after the other."""

    def step() -> None:
        for number in range(NETWORKS):
            five.step(number)

    return step


def on_streams(five: Five) -> Step:
    """Each on a CUDA stream of its own, queued by one thread."""
    streams = [torch.cuda.Stream() for _ in range(NETWORKS)]

    def step() -> None:
        now = torch.cuda.current_stream()
        for number, stream in enumerate(streams):
            stream.wait_stream(now)
            with torch.cuda.stream(stream):
                five.step(number)
        for stream in streams:
            now.wait_stream(stream)

    return step


def stacked(five: Five) -> Step:
    """All as one: weights and buffers get a first axis of five, and `torch.func.vmap` maps over it.

    Batch normalisation keeps running means, so buffers have the axis as well.
    """
    parameters, buffers = torch.func.stack_module_state(five.models)
    skeleton = deepcopy(five.models[0]).to("meta")
    images, labels = torch.stack(five.images), torch.stack(five.labels)
    optimizer = sgd(list(parameters.values()))

    def loss(own: dict[str, Tensor], kept: dict[str, Tensor], batch: Tensor, target: Tensor) -> Tensor:
        logits = torch.func.functional_call(skeleton, (own, kept), (batch,))
        return F.cross_entropy(logits.float(), target)

    def step() -> None:
        with five.autocast():
            losses = torch.func.vmap(loss)(parameters, buffers, images, labels)
        losses.sum().backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=False)

    return step


def as_graph(five: Five) -> Step:
    """Recorded once in turn, then replayed."""
    return recorded(in_turn(five))


def as_graph_over_streams(five: Five) -> Step:
    """Recorded once on streams, so that the graph has five branches, then replayed."""
    return recorded(on_streams(five))


def recorded(step: Step) -> Step:
    """A CUDA graph of a step; a few steps go before, on another stream, as torch's documentation asks."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UP):
            step()
    torch.cuda.current_stream().wait_stream(side)
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return graph.replay


def timed(job: Job, five: Five, prepare: Callable[[Five], Step]) -> Figures:
    """Images a second of all five together: median and range over rounds of steps. Or what torch says against it."""
    rounds, steps, warm_up = (2, 1, 1) if job.small else (ROUNDS, STEPS_A_ROUND, WARM_UP)
    try:
        step = prepare(five)
        for _ in range(warm_up):
            step()
        seconds = [round_of(step, steps, five.device) for _ in range(rounds)]
    except RuntimeError as error:  # some of these ways may be refused by a version of torch, and others go on
        return refusal(error)
    rates = [NETWORKS * five.batch_size * steps / each for each in seconds]
    return {
        "images_a_second": spread(rates),
        "milliseconds_a_step": 1000 * median(seconds) / steps,
    }


def round_of(step: Step, steps: int, device: torch.device) -> float:
    """Seconds of some steps."""
    wait(device)
    started = time.perf_counter()
    for _ in range(steps):
        step()
    wait(device)
    return time.perf_counter() - started


def wait(device: torch.device) -> None:
    """Until the GPU has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize()
