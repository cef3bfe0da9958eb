"""The network for short trainings."""

import math
from itertools import pairwise
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from train.blocks import ConvBN, Network, WhiteningStem

SIZES = {"small": ((64, 256, 256), 1), "large": ((128, 384, 512), 2)}
"""Channels of the three stages, and residual convolutions in each: those of Jordan's nets for 94 % and for 96 %."""


def resnet_whitened(*, num_classes: int, image_size: int, size: Literal["small", "large"] = "small") -> Network:
    """ResNet behind a whitening stem: made for short trainings with Muon (`--recipe fast`).

    Our own, after the nets of Jordan 2024 ("94 % on CIFAR-10 in 3.29 seconds"), where every convolution after the first
    of a stage got a shortcut: a fixed whitening of 2x2 patches, then three stages of 64, 256, 256 channels, each a
    convolution, pooling and one residual convolution, with GELU (measured in docs/log.md).
    Convolutions start as the identity, which is what short training has no time to learn, and batch normalisation has
    no scale. Maximum over the last map, logits divided by 9. Larger images are halved to about 32 px.

    `size`: "large" has 128, 384, 512 channels and two residual convolutions a stage, for a GPU and dozens of epochs:
    9,918,786 parameters and 452.0 million multiply-adds.

    Input (N, 3, S, S), S >= 8; embeddings (N, 256), large (N, 512).
    Parameters with 10 classes: 1,972,802. Multiply-adds at 32 px: 118.1 million.
    """
    halvings = max(0, round(math.log2(image_size / 32)))
    channels, residual = SIZES[size]
    stages = [
        Stage(inputs, outputs, residual=residual, up=image_size < 16) for inputs, outputs in pairwise((24, *channels))
    ]
    body = nn.Sequential(
        WhiteningStem(24, kernel=2),
        *(nn.AvgPool2d(2) for _ in range(halvings)),
        *stages,
        nn.AdaptiveMaxPool2d(1),
        nn.Flatten(),
    )
    network = Network(body, embedding_dim=channels[-1], num_classes=num_classes, logit_scale=1 / 9)
    for module in body.modules():
        if isinstance(module, ConvBN):
            weight = module.convolution.weight.data
            nn.init.dirac_(weight[: weight.shape[1]])
    return network


class Stage(nn.Module):
    """Convolution, pooling, and convolutions with a shortcut: (N, inputs, S, S) -> (N, outputs, S / 2, S / 2).

    Odd sides are rounded down, or `up`.
    """

    def __init__(self, inputs: int, outputs: int, *, residual: int, up: bool) -> None:
        super().__init__()
        self.up = up
        self.first = ConvBN(inputs, outputs)
        self.residual = nn.ModuleList(ConvBN(outputs, outputs) for _ in range(residual))
        for layer in (self.first, *self.residual):
            layer.norm.weight.requires_grad_(False)
            layer.norm.momentum = 0.4  # a short training has few steps to average over

    def forward(self, x: Tensor) -> Tensor:
        pooled = F.max_pool2d(self.first.convolution(x), 2, ceil_mode=self.up)
        x = F.gelu(self.first.norm(pooled))
        for layer in self.residual:
            x = x + F.gelu(layer(x))
        return x
