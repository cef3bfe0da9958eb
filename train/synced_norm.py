"""Batch normalisation over the batch of all processes. nn.SyncBatchNorm does the same, on CUDA alone."""

import torch
import torch.distributed as dist
from torch import Tensor, nn


def synchronised(model: nn.Module) -> None:
    """Replace every batch normalisation in `model`; names, weights and statistics stay."""
    for module in model.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d):
                setattr(module, name, _taken_over(child))


class SyncedBatchNorm(nn.BatchNorm2d):
    """(N, C, …) -> (N, C, …): mean and variance of each channel over the batches of all processes, in float32."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        dims, shape = [0, *range(2, x.ndim)], [1, -1, *[1] * (x.ndim - 2)]
        wide = x.float()
        number = summed(x.new_full((1,), x.numel() / x.shape[1], dtype=torch.float32))
        mean = summed(wide.sum(dims)) / number
        centred = wide - mean.view(shape)
        variance = summed((centred * centred).sum(dims)) / number
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)  # type: ignore[union-attr, arg-type]
            unbiased = variance * number / (number - 1).clamp(min=1)
            self.running_var.lerp_(unbiased, self.momentum)  # type: ignore[union-attr, arg-type]
            self.num_batches_tracked.add_(1)  # type: ignore[union-attr]
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centred * scale.view(shape) + self.bias.view(shape)).to(x.dtype)

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of dimensions will do."""


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, part: Tensor) -> Tensor:
        whole = part.clone()
        dist.all_reduce(whole)
        return whole

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        whole = gradient.contiguous().clone()
        dist.all_reduce(whole)
        return whole


def summed(part: Tensor) -> Tensor:
    """The sum over all processes; its gradient is that of the sum of all their losses."""
    whole: Tensor = _Sum.apply(part)
    return whole


def _taken_over(norm: nn.BatchNorm1d | nn.BatchNorm2d) -> SyncedBatchNorm:
    synced = SyncedBatchNorm(norm.num_features, norm.eps, norm.momentum)
    synced.weight, synced.bias = norm.weight, norm.bias
    synced.running_mean, synced.running_var = norm.running_mean, norm.running_var
    synced.num_batches_tracked = norm.num_batches_tracked
    return synced.train(norm.training)
