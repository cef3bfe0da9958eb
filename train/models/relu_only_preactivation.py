"""Relu before the convolutions, batch normalisation after them."""

from typing import Literal

from train.blocks import Network
from train.units import Order, identity_mapping_network

ORDER = Order(stem=("norm",), before=("relu",), last=("norm",), end=("relu",))


def relu_only_preactivation(*, num_classes: int, image_size: int, depth: Literal[56, 110, 164]) -> Network:
    """ResNet with relu before the convolutions and batch normalisation after them.

    He, Zhang, Ren, Sun 2016, "Identity Mappings in Deep Residual Networks", figure 4 (d): x + F(x),
    F: relu, convolution, norm, relu, convolution, norm.
    The paper's test errors on CIFAR-10, table 2: 6.71 % with 110 layers, 5.91 % with 164.
    Units and initialisation: `train/units.py`.

    Input (N, 3, S, S), S >= 4; embeddings (N, 64), or (N, 256) with 164 layers.

    | with 10 classes, at 32 px | parameters | multiply-adds |
    | --- | --- | --- |
    | relu_only_preactivation56 | 853,018 | 125.5 million |
    | relu_only_preactivation110 | 1,727,962 | 252.9 million |
    | relu_only_preactivation164 | 1,704,154 | 244.5 million |
    """
    return identity_mapping_network(
        ORDER, "relu_only_preactivation", depth, num_classes=num_classes, image_size=image_size
    )
