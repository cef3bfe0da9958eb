"""Batch normalisation in the way of the shortcuts."""

from typing import Literal

from train.blocks import Network
from train.units import Order, identity_mapping_network

ORDER = Order(stem=("norm", "relu"), after=("norm", "relu"))


def bn_after_addition(*, num_classes: int, image_size: int, depth: Literal[56, 110, 164]) -> Network:
    """ResNet with batch normalisation and relu after the addition: they block the shortcuts.

    He, Zhang, Ren, Sun 2016, "Identity Mappings in Deep Residual Networks", figure 4 (b): relu(norm(x +
    F(x))), F: convolution, norm, relu, convolution. What shortcuts carry is rescaled in every unit.
    The paper's test errors on CIFAR-10, table 2: 8.17 % with 110 layers, 6.50 % with 164.
    Units and initialisation: `train/units.py`.

    Input (N, 3, S, S), S >= 4; embeddings (N, 64), or (N, 256) with 164 layers.

    | with 10 classes, at 32 px | parameters | multiply-adds |
    | --- | --- | --- |
    | bn_after_addition56 | 853,018 | 125.5 million |
    | bn_after_addition110 | 1,727,962 | 252.9 million |
    | bn_after_addition164 | 1,703,258 | 244.5 million |
    """
    return identity_mapping_network(ORDER, "bn_after_addition", depth, num_classes=num_classes, image_size=image_size)
