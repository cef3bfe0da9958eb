"""SGD with Nesterov momentum, and Muon for the filters of networks that have few steps to learn in."""

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor, nn

from train.config import TrainConfig

PLAIN_MOMENTUM = 0.85
"""Of what Muon leaves to SGD: Jordan 2024, airbench94_muon."""
ITERATIONS = 3
"""Of Newton and Schulz: singular values then lie between about 0.5 and 1.5, which is as good as all 1: Jordan 2024."""


def build(model: nn.Module, config: TrainConfig, share: float = 1.0) -> "SGD":
    """The optimizer for `model`, with `share` of the learning rates of `config`.

    Each group's `peak` is its own highest learning rate. Biases and batch normalisation are not decayed: He et al.
    2019, "Bag of Tricks", section 3.1.
    """
    parts: dict[str, list[nn.Parameter]] = {"filters": [], "matrices": [], "vectors": []}
    for parameter in model.parameters():
        if parameter.requires_grad:
            parts["filters" if parameter.ndim == 4 else "matrices" if parameter.ndim > 1 else "vectors"].append(
                parameter
            )
    muon = config.optimizer == "muon"
    peaks = {
        "filters": config.lr,
        "matrices": config.lr if config.head_lr is None else config.head_lr,
        "vectors": config.lr if config.bias_lr is None else config.bias_lr,
    }
    groups = [
        {
            "params": parameters,
            "lr": peaks[name] * share,
            "peak": peaks[name] * share,
            "weight_decay": 0.0 if name == "vectors" or (muon and name == "filters") else config.weight_decay,
            "orthogonal": muon and name == "filters",
            "momentum": PLAIN_MOMENTUM if muon and name != "filters" else config.momentum,
        }
        for name, parameters in parts.items()
        if parameters
    ]
    return SGD(groups)


class SGD:
    """SGD with Nesterov momentum; groups that are `orthogonal` go by Muon.

    Muon turns a filter bank by the same angle in all directions. Jordan et al. 2024, "Muon: an optimizer for hidden
    layers in neural networks": the momentum of a filter bank, as a matrix of shape (outputs, inputs * height * width),
    is replaced by the nearest matrix whose singular values are all 1. Ours keeps the norm that filters were initialised
    with, so `lr` is the size of a step relative to the weights, and there is nothing to decay.

    Like `torch.optim.SGD`, but no `torch.optim.Optimizer`: the first of these imports torch._dynamo, which takes every
    process that trains as long as importing torch.
    """

    def __init__(self, groups: list[dict[str, Any]]) -> None:
        self.param_groups = groups
        self.state: defaultdict[nn.Parameter, dict[str, Tensor]] = defaultdict(dict)

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """One step with the gradients as they are."""
        for group in self.param_groups:
            parameters = [parameter for parameter in group["params"] if parameter.grad is not None]
            if not parameters:
                continue
            # on a CPU one after the other, each of which stays in the cache; elsewhere a kernel for all of them
            for part in [parameters] if parameters[0].is_cuda else [[each] for each in parameters]:
                self._step(part, group)

    def _step(self, parameters: list[Any], group: dict[str, Any]) -> None:
        grads: list[Any] = [parameter.grad for parameter in parameters]
        if group["weight_decay"]:
            grads = list(torch._foreach_add(grads, parameters, alpha=group["weight_decay"]))
        if group["momentum"]:
            buffers = [self._buffer(parameter) for parameter in parameters]
            torch._foreach_mul_(buffers, group["momentum"])
            torch._foreach_add_(buffers, grads)
            grads = list(torch._foreach_add(grads, buffers, alpha=group["momentum"]))
        if group["orthogonal"]:
            for parameter, grad in zip(parameters, grads, strict=True):
                _turn(parameter, grad, group["lr"])
        else:
            torch._foreach_add_(parameters, grads, alpha=-group["lr"])

    def _buffer(self, parameter: nn.Parameter) -> Tensor:
        state = self.state[parameter]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        return state["momentum_buffer"]


def _turn(filters: Tensor, direction: Tensor, lr: float) -> None:
    """Move `filters` by `lr` times their norm, then bring them back to that norm."""
    norm = filters.norm()
    step = orthogonal(direction.flatten(1)).reshape(direction.shape)
    filters.add_(step * (norm * len(filters) ** -0.5), alpha=-lr)
    filters.mul_(norm / (filters.norm() + 1e-12))


def orthogonal(matrix: Tensor) -> Tensor:
    """About the nearest matrix to `matrix`, shape (M, N), whose singular values are all 1; same shape, float32.

    Newton and Schulz's iteration with the coefficients of Jordan 2024, in bfloat16 as there: it takes matrix products
    alone, and errors of a few per cent in the singular values do no harm.
    """
    x = matrix.bfloat16()
    x = x / (x.norm() + 1e-7)
    if wide := len(x) > x.shape[1]:
        x = x.T
    for _ in range(ITERATIONS):
        square = x @ x.T
        x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
    return (x.T if wide else x).float()
