"""The ResNets of He et al. 2015."""

from typing import Literal

from torch import nn

from curate.errors import UserError
from train.blocks import BasicBlock, Bottleneck, ConvBN, Network, Shortcut, Stem, at_least, average_pool, first_layers

WIDE = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3), 101: (3, 4, 23, 3)}
"""Depth -> blocks in each of the four stages: table 1 of the paper."""


def resnet(
    *,
    num_classes: int,
    image_size: int,
    depth: Literal[18, 20, 32, 34, 44, 50, 56, 101, 110, 1202],
    shortcut: Literal["paper", "A", "B", "C"] = "paper",
    stem: Stem = "auto",
) -> Network:
    """ResNet: wide with 18, 34, 50, 101 layers, the standard; thin with 20, 32, 44, 56, 110, 1202, for 32 px.

    He, Zhang, Ren, Sun 2015, "Deep Residual Learning for Image Recognition".

    Wide, table 1: four stages with 64, 128, 256, 512 channels, of two 3x3 convolutions a block (18, 34) or of 1x1, 3x3
    and 1x1 with four times as many channels (50, 101). Up to 64 px the stem keeps the resolution, as is usual for
    CIFAR; above, it is the paper's. With 50 and 101 layers the stride stands on the 3x3 convolution (Goyal et al. 2017)
    and not, as in the paper, on the 1x1 before it: 4.1 and 7.8 billion multiply-adds at 224 px where the paper has 3.8
    and 7.6. Blocks start as their shortcuts and the head at zero, as there, for high learning rates.
    Input (N, 3, S, S), S >= 8; embeddings (N, 512), or (N, 2048) with 50 and 101 layers.

    Thin, section 4.2: 6n + 2 layers, a 3x3 stem of 16 channels, three stages of n blocks with 16, 32, 64 channels. They
    start as in the paper: He initialisation, batch normalisation with a scale of 1, no zeros in the head. The paper's
    test errors on CIFAR-10, after 64,000 steps of 128 images, with 20, 32, 44, 56, 110, 1202 layers: 8.75, 7.51, 7.17,
    6.97, 6.43, 7.93 %; with 110 it begins at a learning rate of 0.01, for 0.1 is too high at first.
    Input (N, 3, S, S), S >= 4; embeddings (N, 64); stages of S, S/2, S/4 pixels.
    On a CPU the thin channels cost: `resnet20` trains on 547 images per core and second where `resnet_fast`, with a
    fifth more multiply-adds, reaches 689 (batches of 256, bf16).

    `shortcut`, where the shape changes: "A" every second pixel and zeros for the new channels, no parameters; "B" a 1x1
    convolution; "C" a 1x1 convolution in every block; "paper" A for the thin ones, B for the wide.

    `stem`, of the wide ones: "small" keeps the resolution, "large" is the paper's, with a quarter of it, "auto" large
    above 64 px. Thin ones have the small one alone.

    | with 10 classes, at 32 px | parameters | multiply-adds |
    | --- | --- | --- |
    | resnet18 | 11,173,962 | 555.4 million |
    | resnet20 | 269,722 | 40.6 million |
    | resnet32 | 464,154 | 68.9 million |
    | resnet34 | 21,282,122 | 1,159.4 million |
    | resnet44 | 658,586 | 97.2 million |
    | resnet50 | 23,520,842 | 1,297.8 million |
    | resnet56 | 853,018 | 125.5 million |
    | resnet101 | 42,512,970 | 2,510.0 million |
    | resnet110 | 1,727,962 | 252.9 million |
    | resnet1202 | 19,421,274 | 2,829.2 million |
    """
    if depth in WIDE:
        return _wide(num_classes, image_size, depth, "B" if shortcut == "paper" else shortcut, stem)
    if stem == "large":
        raise UserError(f"resnet{depth} is for small images and has no large stem; set stem to auto or small")
    return _thin(num_classes, image_size, depth, "A" if shortcut == "paper" else shortcut)


def _wide(num_classes: int, image_size: int, depth: int, shortcut: Shortcut, stem: Stem) -> Network:
    at_least(8, image_size, f"resnet{depth}")
    blocks: list[nn.Module] = []
    inputs = 64
    for stage, count in enumerate(WIDE[depth]):
        width = 64 * 2**stage
        for block in range(count):
            stride = 2 if stage and not block else 1
            if depth < 50:
                blocks.append(BasicBlock(inputs, width, stride=stride, shortcut=shortcut))
                inputs = width
            else:
                blocks.append(Bottleneck(inputs, width, stride=stride, shortcut=shortcut))
                inputs = 4 * width
    body = nn.Sequential(*first_layers(image_size, 64, stem), *blocks, average_pool())
    return Network(body, embedding_dim=inputs, num_classes=num_classes)


def _thin(num_classes: int, image_size: int, depth: int, shortcut: Shortcut) -> Network:
    at_least(4, image_size, f"resnet{depth}")
    blocks: list[nn.Module] = []
    inputs = 16
    for stage, outputs in enumerate((16, 32, 64)):
        for block in range((depth - 2) // 6):
            stride = 2 if stage and not block else 1
            blocks.append(BasicBlock(inputs, outputs, stride=stride, shortcut=shortcut, zero_gamma=False))
            inputs = outputs
    body = nn.Sequential(ConvBN(3, 16), nn.ReLU(inplace=True), *blocks, average_pool())
    return Network(body, embedding_dim=64, num_classes=num_classes, zero_head=False)
