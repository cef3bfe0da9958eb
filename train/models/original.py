"""The unit of He et al. 2015 in the comparison of 2016."""

from typing import Literal

from train.blocks import Network
from train.units import Order, identity_mapping_network

ORDER = Order(stem=("norm", "relu"), last=("norm",), after=("relu",))


def original(*, num_classes: int, image_size: int, depth: Literal[56, 110, 164]) -> Network:
    """ResNet with relu after the addition, the unit of 2015.

    He, Zhang, Ren, Sun 2016, "Identity Mappings in Deep Residual Networks", figure 4 (a): relu(x + F(x)),
    F: convolution, norm, relu, convolution, norm. The relu stands in the way of the shortcuts.
    The paper's test errors on CIFAR-10, table 2: 6.61 % with 110 layers, 5.93 % with 164.
    Units and initialisation: `train/units.py`.

    Input (N, 3, S, S), S >= 4; embeddings (N, 64), or (N, 256) with 164 layers.

    | with 10 classes, at 32 px | parameters | multiply-adds |
    | --- | --- | --- |
    | original56 | 853,018 | 125.5 million |
    | original110 | 1,727,962 | 252.9 million |
    | original164 | 1,704,154 | 244.5 million |
    """
    return identity_mapping_network(ORDER, "original", depth, num_classes=num_classes, image_size=image_size)
