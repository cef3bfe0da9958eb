"""Residuals that can only add."""

from typing import Literal

from train.blocks import Network
from train.units import Order, identity_mapping_network

ORDER = Order(stem=("norm", "relu"), last=("norm", "relu"))


def relu_before_addition(*, num_classes: int, image_size: int, depth: Literal[56, 110, 164]) -> Network:
    """ResNet with relu before the addition: residuals can only add.

    He, Zhang, Ren, Sun 2016, "Identity Mappings in Deep Residual Networks", figure 4 (c): x + F(x),
    F: convolution, norm, relu, convolution, norm, relu. Shortcuts are free, but what they carry can only grow.
    The paper's test errors on CIFAR-10, table 2: 7.84 % with 110 layers, 6.14 % with 164.
    Units and initialisation: `train/units.py`.

    Input (N, 3, S, S), S >= 4; embeddings (N, 64), or (N, 256) with 164 layers.

    | with 10 classes, at 32 px | parameters | multiply-adds |
    | --- | --- | --- |
    | relu_before_addition56 | 853,018 | 125.5 million |
    | relu_before_addition110 | 1,727,962 | 252.9 million |
    | relu_before_addition164 | 1,704,154 | 244.5 million |
    """
    return identity_mapping_network(
        ORDER, "relu_before_addition", depth, num_classes=num_classes, image_size=image_size
    )
