"""The network for machines without a GPU."""

import math

from torch import nn

from train.blocks import BasicBlock, ConvBN, Network, PatchStem


def resnet_fast(*, num_classes: int, image_size: int) -> Network:
    """ResNet of few wide layers for machines without a GPU: learns most per CPU second.

    Our own, after the nets of Page 2019 ("How to train your ResNet 8") and Jordan 2024 ("94 % on CIFAR-10 in 3.29
    seconds"). Every choice serves the time on a CPU: a stem that sees 2 x 2 pixels at once, so that no layer runs at
    full resolution; channels of 64, 128, 256, because a core computes 16 at two thirds of the speed; one residual
    block a stage; maximum over the last map, its logits divided by 8. Larger images are halved until 16 px are left.

    Input (N, 3, S, S), S >= 8; embeddings (N, 256).
    Parameters with 10 classes: 1,855,114. Multiply-adds at 32 px: 49.0 million.
    """
    stem: list[nn.Module] = [PatchStem(64, patch=2)]
    for _ in range(max(0, round(math.log2(image_size / 32)))):
        stem += [ConvBN(64, 64, stride=2), nn.ReLU(inplace=True)]
    stages: list[nn.Module] = []
    for inputs, outputs in ((64, 128), (128, 256)):
        stages += [ConvBN(inputs, outputs, stride=2), nn.ReLU(inplace=True), BasicBlock(outputs, outputs)]
    body = nn.Sequential(*stem, *stages, nn.AdaptiveMaxPool2d(1), nn.Flatten())
    return Network(body, embedding_dim=256, num_classes=num_classes, logit_scale=0.125)
