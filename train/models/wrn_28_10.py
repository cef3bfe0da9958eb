"""The wide residual network."""

from train.blocks import Network, at_least
from train.units import Order, residual_network


def wrn_28_10(*, num_classes: int, image_size: int, dropout: float = 0.0) -> Network:
    """Wide ResNet, 28 layers, ten times the channels: very accurate at 32 px, for a GPU.

    Zagoruyko, Komodakis 2016, "Wide Residual Networks", table 1: pre-activation units of two 3x3 convolutions, four in
    each of three stages with 160, 320, 640 channels, projections where the shape changes. The paper's test error on
    CIFAR-10: 4.00 %, with `dropout` 0.3 between the convolutions 3.89 % (tables 5 and 6). Starts as in the paper, see
    `train/units.py`.

    Input (N, 3, S, S), S >= 4; embeddings (N, 640); stages of S, S/2, S/4 pixels.
    Parameters with 10 classes: 36,479,194. Multiply-adds at 32 px: 5,243.3 million.
    """
    at_least(4, image_size, "wrn_28_10")
    return residual_network(
        Order(before=("norm", "relu"), end=("norm", "relu")),
        num_classes=num_classes,
        channels=(160, 320, 640),
        units=4,
        bottleneck=False,
        projections=True,
        dropout=dropout,
    )
